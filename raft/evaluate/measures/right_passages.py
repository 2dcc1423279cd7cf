"""Which of the passages that were shown are right, and whether quotes come from these and carry the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from raft.evaluate.measures.lists import named
from raft.evaluate.measures.metrics import CITATION_PRECISION, CITATION_RECALL, REFUSED_WITHOUT, SUPPORTED
from raft.outputs import parse_answer
from raft.questions.labels import labels_of
from raft.questions.oracles import NOWHERE, EvidencePools, right_passages
from raft.text import locate
from raft.types import Passage, Prediction, Question

# The right ones of some passages, each with the id of its document; None where nothing can tell.
Right = dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the evidence of each question is said to stand, by its id, and the passages that were shown, by theirs."""

    pools: Mapping[str, EvidencePools]
    passages: Mapping[str, Passage]
    # Most arms are shown the same passages.
    _known: dict[tuple[Question, tuple[str, ...]], Right] = field(default_factory=dict, repr=False, compare=False)

    def right_passages(self, question: Question, passage_ids: Sequence[str]) -> Right:
        """Those of the passages that answer the question (see `raft.questions.right_passages`), or None."""
        key = question, tuple(passage_ids)
        if key not in self._known:
            shown = [self.passages[passage_id] for passage_id in passage_ids]
            right = right_passages(question, shown, self.pools.get(question.id, NOWHERE))
            self._known[key] = None if right is None else {passage.id: passage.document_id for passage in right}
        return self._known[key]


def evidence_score(question: Question, prediction: Prediction, right: Mapping[str, str] | None) -> dict[str, float]:
    """The metrics of quotes and of refusing where nothing right was shown; one that does not apply is absent.

    right: the right passages among those shown. Precision is the share of quoted passages that are right, recall
    the share of documents with a right passage that a quote comes from, where there was one to quote; an answer that
    quotes nothing has a recall of 0 and no precision. An arm that is shown no passages has none of these.
    """
    if not prediction.passage_ids:
        return {}
    metrics: dict[str, float] = {}
    if right is not None and not right:
        metrics[REFUSED_WITHOUT.name] = float(prediction.abstained)
    if prediction.abstained:
        return metrics
    quoted = {quote.passage_id for quote in prediction.quotes}
    if right and quoted:
        metrics[CITATION_PRECISION.name] = len(quoted & right.keys()) / len(quoted)
    if right:
        reached = {right[passage_id] for passage_id in quoted & right.keys()}
        metrics[CITATION_RECALL.name] = len(reached) / len(set(right.values()))
    # What a yes rests on does not say yes.
    if parse_answer(prediction.text).quotes and not labels_of(question):
        said = named(prediction.answer, question.answers) if question.all_of else [prediction.answer]
        held = [any(locate(one, quote.text) is not None for quote in prediction.quotes) for one in said]
        metrics[SUPPORTED.name] = float(bool(held) and all(held))
    return metrics
