"""Evaluate: the same questions to every arm, with intervals, a verdict in words and a report to browse."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raft.evaluate.summary import comparison_table
    from raft.evaluate.verb import Evaluation, evaluate, evaluation_fingerprint

__all__ = ["Evaluation", "comparison_table", "evaluate", "evaluation_fingerprint"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: numpy, scipy and jinja2 have no place in `raft --help`.
    if name not in __all__:
        raise AttributeError(f"module 'raft.evaluate' has no attribute '{name}'")
    from raft.evaluate import summary, verb

    return getattr(summary if name == "comparison_table" else verb, name)
