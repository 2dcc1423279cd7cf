"""Rank a few candidates anew by a model that reads question and passage together: a sentence-transformers CrossEncoder.

After Nogueira and Cho 2019: slower than comparing vectors, and better, so only for the best of what a search found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raft.errors import ModelError
from raft.models.hub import Kind, folder_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RERANKERS = Kind("reranker", "leave index.retrieve.rerank empty")
_BATCH = 32


def reranker_fingerprint(name: str) -> str:
    """What names the weights of a reranker, "" for none. Raises ModelError as `Reranker` does."""
    return folder_of(RERANKERS, name).fingerprint if name else ""


class Reranker:
    """A cross-encoder with one score for a pair."""

    def __init__(self, name: str) -> None:
        """name: a folder or hub name. Raises ModelError where there is no such model, or it does not give one score."""
        from raft.models.hardware import pick_device

        found = folder_of(RERANKERS, name)
        from sentence_transformers import CrossEncoder

        try:
            self._model = CrossEncoder(
                str(found.folder),
                device=str(pick_device()),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ModelError(f"reranker '{name}' cannot be loaded ({reason}): give a CrossEncoder model") from error
        if self._model.num_labels != 1:
            raise ModelError(
                f"reranker '{name}' gives {self._model.num_labels} scores for a pair, expected 1: give another model"
            )
        self.name, self.fingerprint = name, found.fingerprint

    def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers the question, shape (number of texts,), higher is better.

        What is longer than the model reads is cut at the end, as its makers meant it: only the order rests on it.
        """
        import numpy as np

        if not texts:
            return np.zeros(0, np.float32)
        pairs = [(question, text) for text in texts]
        scores = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
        return np.asarray(scores, np.float32).reshape(len(texts))
