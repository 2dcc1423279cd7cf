"""Embed passages, keep them with FAISS and BM25, and retrieve the ones that belong to a question."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.index.build import build_index, index_fingerprint
    from raft.index.index import Index
    from raft.types import RetrievalMode

__all__ = ["Index", "RetrievalMode", "build_index", "index_fingerprint"]
__getattr__ = lazily(
    __name__,
    {
        "Index": "raft.index.index",
        "RetrievalMode": "raft.types",
        "build_index": "raft.index.build",
        "index_fingerprint": "raft.index.build",
    },
)
