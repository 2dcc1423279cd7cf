"""From a question to a checked answer: retrieve, prompt, generate, parse, check citations, refuse.

The one path that evaluation and serving share.
"""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.answering.answerer import Answer, Answerer, CitedSource

__all__ = ["Answer", "Answerer", "CitedSource"]
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "raft.answering.answerer"))
