"""Embed passages, keep them with FAISS and BM25, and retrieve the ones that belong to a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raft.index.fusion import RetrievalMode

if TYPE_CHECKING:
    from raft.index.build import build_index, index_fingerprint
    from raft.index.index import Index

__all__ = ["Index", "RetrievalMode", "build_index", "index_fingerprint"]


def __getattr__(name: str) -> Any:
    """Import on first use: numpy, faiss and bm25s cost more than the rest of the package together."""
    if name in ("build_index", "index_fingerprint"):
        from raft.index import build

        return getattr(build, name)
    if name == "Index":
        from raft.index.index import Index

        return Index
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
