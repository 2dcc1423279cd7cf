"""Serve answers over HTTP, with a page; what answers is in `raft.answering`."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.query.server import create_app, serve

__all__ = ["create_app", "serve"]
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "raft.query.server"))
