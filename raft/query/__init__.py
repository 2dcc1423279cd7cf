"""Answer questions with quotes that were checked against the source: from Python, the command line and over HTTP."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.query.answerer import Answer, Answerer, CitedSource
    from raft.query.server import create_app, serve

__all__ = ["Answer", "Answerer", "CitedSource", "create_app", "serve"]
__getattr__ = lazily(
    __name__,
    {name: "raft.query.server" if name in ("create_app", "serve") else "raft.query.answerer" for name in __all__},
)
