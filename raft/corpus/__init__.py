"""From files to passages: read documents of every supported type, and split them with exact character offsets."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.corpus.parsing import Skipped
    from raft.corpus.reading import Reading, read_documents
    from raft.corpus.splitting import searchable_text, split_documents

__all__ = ["Reading", "Skipped", "read_documents", "searchable_text", "split_documents"]
__getattr__ = lazily(
    __name__,
    {
        "Reading": "raft.corpus.reading",
        "Skipped": "raft.corpus.parsing",
        "read_documents": "raft.corpus.reading",
        "searchable_text": "raft.corpus.splitting",
        "split_documents": "raft.corpus.splitting",
    },
)
