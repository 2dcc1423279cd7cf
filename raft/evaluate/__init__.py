"""Evaluate: the same questions to every arm, with intervals, a verdict in words and a report to browse."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.evaluate.choosing import PromptTrial, choose_prompt, trial_fingerprint
    from raft.evaluate.planning import Contest
    from raft.evaluate.summary import asked, comparison_table
    from raft.evaluate.verb import Evaluation, Loaders, evaluate, evaluation_fingerprint

__all__ = [
    "Contest",
    "Evaluation",
    "Loaders",
    "PromptTrial",
    "asked",
    "choose_prompt",
    "comparison_table",
    "evaluate",
    "evaluation_fingerprint",
    "trial_fingerprint",
]
__getattr__ = lazily(
    __name__,
    dict.fromkeys(__all__, "raft.evaluate.verb")
    | {"Contest": "raft.evaluate.planning"}
    | dict.fromkeys(("asked", "comparison_table"), "raft.evaluate.summary")
    | dict.fromkeys(("PromptTrial", "choose_prompt", "trial_fingerprint"), "raft.evaluate.choosing"),
)
