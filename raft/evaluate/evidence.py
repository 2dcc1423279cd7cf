"""Which of the passages that were shown are right, and whether quotes come from these and carry the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from raft.evaluate.labels import labels_of
from raft.evaluate.lists import named
from raft.evaluate.metrics import CITATION_PRECISION, CITATION_RECALL, REFUSED_WITHOUT, SUPPORTED
from raft.prompts import parse_answer
from raft.text import contains_answer, locate
from raft.types import Document, Passage, Prediction, Question

# The right ones of some passages, each with the id of its document; None where nothing can tell.
Right = dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The documents of an index and the passages that were shown to any arm, both by id."""

    documents: Mapping[str, Document]
    passages: Mapping[str, Passage]
    # Most arms are shown the same passages, and whole documents are searched for an answer.
    _known: dict[tuple[Question, tuple[str, ...]], Right] = field(default_factory=dict, repr=False, compare=False)

    def right_passages(self, question: Question, passage_ids: Sequence[str]) -> Right:
        """Those of the passages that answer the question, each with the id of its document.

        These are the passages of an evidence document that hold an accepted answer; where no evidence document says one
        in these words (a reason, a yes or no), all of its passages. Where the evidence is not known, whatever holds an
        accepted answer. None where nothing can tell: the question is unanswerable, or for a label and without known
        evidence.
        """
        key = question, tuple(passage_ids)
        if key not in self._known:
            self._known[key] = self._right_passages(question, passage_ids)
        return self._known[key]

    def _right_passages(self, question: Question, passage_ids: Sequence[str]) -> Right:
        evidence, closed = set(question.document_ids), bool(labels_of(question))
        if question.unanswerable or (closed and not evidence):
            return None
        passages = [self.passages[passage_id] for passage_id in passage_ids]
        literal = not closed and (
            not evidence
            or any(contains_answer(self.documents[one].text, question.answers) for one in question.document_ids)
        )
        return {
            passage.id: passage.document_id
            for passage in passages
            if (not evidence or passage.document_id in evidence)
            and (not literal or contains_answer(passage.text, question.answers))
        }


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
