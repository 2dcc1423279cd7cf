"""How much of the processor this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The cores that this process may use: where the system does not say which these are, all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
