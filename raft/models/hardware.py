"""What this machine computes on, and in which number format; decided by a check, never by habit."""

from __future__ import annotations

import resource
import sys
from typing import Any

import torch


def pick_device() -> torch.device:
    """The first GPU if there is one, else Apple's, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are fast there: on CPUs without AVX512-BF16 or AMX they are far slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where it is fast, else float32: both have the range that training and long prompts need."""
    return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has held at most: of a GPU's memory where it computes on one, else of the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def random_state(device: torch.device) -> torch.Tensor:
    """The state of the random numbers that sampling on a device draws, as bytes in a tensor on the CPU."""
    state: torch.Tensor = _random(device).get_rng_state()
    return state


def set_random_state(device: torch.device, state: torch.Tensor) -> None:
    """Go on drawing from where `random_state` was taken."""
    _random(device).set_rng_state(state)


def _random(device: torch.device) -> Any:
    return torch if device.type == "cpu" else torch.get_device_module(device)
