"""Adapt a model to the documents: RAFT on examples with passages, or plain fine-tuning (DSF) on the same questions."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.tune.tuning import check_tunable, model_fingerprint, tune

__all__ = ["check_tunable", "model_fingerprint", "tune"]
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "raft.tune.tuning"))
