"""Answer questions with quotes that were checked against the source: from Python, the command line and over HTTP."""

from typing import TYPE_CHECKING, Any

from raft.query.answerer import Answer, Answerer, CitedSource

if TYPE_CHECKING:
    from raft.query.server import create_app, serve

__all__ = ["Answer", "Answerer", "CitedSource", "create_app", "serve"]


def __getattr__(name: str) -> Any:
    # The server brings fastapi along, which a single question does not need.
    if name in {"create_app", "serve"}:
        from raft.query import server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
