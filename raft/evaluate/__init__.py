"""Evaluate: the same questions to every arm, with intervals, a verdict in words and a report to browse."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.evaluate.evaluation import Evaluation, Loaders, evaluate, evaluation_fingerprint
    from raft.evaluate.plan.plan import EvaluationSpec
    from raft.evaluate.plan.prompt_trial import PromptTrial, choose_prompt, trial_fingerprint
    from raft.evaluate.summary import asked, comparison_table

__all__ = [
    "Evaluation",
    "EvaluationSpec",
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
    dict.fromkeys(__all__, "raft.evaluate.evaluation")
    | {"EvaluationSpec": "raft.evaluate.plan.plan"}
    | dict.fromkeys(("asked", "comparison_table"), "raft.evaluate.summary")
    | dict.fromkeys(("PromptTrial", "choose_prompt", "trial_fingerprint"), "raft.evaluate.plan.prompt_trial"),
)
