"""From files to passages: read documents of every supported type, and split them with exact character offsets."""

from raft.corpus.reading import Reading, Skipped, read_documents
from raft.corpus.splitting import searchable_text, split_documents

__all__ = ["Reading", "Skipped", "read_documents", "searchable_text", "split_documents"]
