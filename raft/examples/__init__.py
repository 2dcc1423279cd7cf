"""Questions, oracle and distractor passages, targets with quotes, splits: the training set."""

from typing import TYPE_CHECKING

from raft.lazy import lazily

if TYPE_CHECKING:
    from raft.examples.generation import estimate_examples, examples_fingerprint, generate_examples

__all__ = ["estimate_examples", "examples_fingerprint", "generate_examples"]
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "raft.examples.generation"))
