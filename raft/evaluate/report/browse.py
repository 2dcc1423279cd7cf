"""The questions of an evaluation as its page browses them: each passage and each common beginning of prompts once."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from raft.evaluate.measures.metrics import CONTAINS, EXACT_MATCH, F1, METRICS, retrieval_score
from raft.evaluate.measures.outcomes import MEANINGS
from raft.evaluate.summary import regime_of
from raft.outputs import parse_answer
from raft.questions.oracles import NOWHERE, EvidencePools, right_passages
from raft.text import Source
from raft.types import Passage, Prediction, Question, Score, ScoredPassage

# A prompt in pieces: text, or a number where the question (0) or its n-th passage (n) stands.
_Pieces: TypeAlias = list[str | int]


@dataclass(frozen=True, slots=True)
class Record:
    """All that was asked, shown and said.

    retrieved: one list of passages a question. seen: the documents that tuning saw. further: passages by id that an arm
    was shown though they were not retrieved. outcomes: a word on each answer, where there is one, by question id and
    arm. pools: where the evidence of a question is
    said to stand, by its id.
    """

    questions: Sequence[Question]
    retrieved: Sequence[Sequence[ScoredPassage]]
    predictions: Sequence[Prediction]
    scores: Sequence[Score]
    seen: frozenset[str]
    further: Mapping[str, Passage] = field(default_factory=dict)
    outcomes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    pools: Mapping[str, EvidencePools] = field(default_factory=dict)

    @property
    def passages(self) -> dict[str, Passage]:
        """Every passage that any arm was shown, by id."""
        return {**self.further, **{one.passage.id: one.passage for found in self.retrieved for one in found}}


def browsable(arms: Sequence[str], record: Record) -> dict[str, Any]:
    """Every question with its passages and what each arm said, as the page embeds it.

    A passage is {document, title, text} under its id. A question lists the ids of its `passages`, of which the first
    `retrieved` were retrieved. A quote is [place in that list from 1, start, end] in characters, an unverified one
    [number in the prompt, words]. A prompt is [place in `openings`, then text or a number: 0 for the question, n for
    its n-th passage]. `scores` are in points, in the order of `metrics`, null where one does not apply. `outcomes` says
    what each outcome means.
    """
    passages = record.passages
    given: dict[str, dict[str, Prediction]] = {question.id: {} for question in record.questions}
    for prediction in record.predictions:
        given[prediction.question_id][prediction.arm] = prediction
    scores = {(one.question_id, one.arm): one.metrics for one in record.scores}
    present = {name for metrics in scores.values() for name in metrics}
    metrics = [metric for metric in METRICS if metric.name in present]
    ids = {
        question.id: list(
            dict.fromkeys(
                [one.passage.id for one in found]
                + [id_ for one in given[question.id].values() for id_ in one.passage_ids]
            )
        )
        for question, found in zip(record.questions, record.retrieved, strict=True)
    }
    openings, prompts = _prompts(record, ids, passages)
    told = set(record.outcomes.values())
    cases = []
    for question, found in zip(record.questions, record.retrieved, strict=True):
        shown, asked = ids[question.id], prompts[question.id]
        different = list({str(prompt): prompt for prompt in asked.values()}.values())
        said = {
            arm: {
                "mark": _mark(one, scores[question.id, arm]),
                "outcome": record.outcomes.get((question.id, arm)),
                "scores": [_points(scores[question.id, arm].get(metric.name)) for metric in metrics],
                "prompt": different.index(asked[arm]),
                **_answer(one, shown, passages),
            }
            for arm, one in given[question.id].items()
        }
        cases.append(
            {
                "id": question.id,
                "question": question.text,
                "answers": ["; ".join(question.answers)] if question.all_of else question.answers,
                "documents": question.document_ids,
                "kind": question.kind,
                "unanswerable": question.unanswerable,
                "regime": regime_of(question, record.seen) if record.seen else None,
                "recall": retrieval_score(question, found).get("recall"),
                "passages": shown,
                "retrieved": len(found),
                "oracles": _right(question, [passages[id_] for id_ in shown], record.pools),
                "prompts": different,
                "arms": said,
            }
        )
    return {
        "arms": list(arms),
        "metrics": [metric.label for metric in metrics],
        "outcomes": {str(one): meaning for one, meaning in MEANINGS.items() if one in told},
        "openings": openings,
        "passages": {
            id_: {"document": passages[id_].document_id, "title": passages[id_].title, "text": passages[id_].text}
            for id_ in dict.fromkeys(id_ for shown in ids.values() for id_ in shown)
        },
        "questions": cases,
    }


def _prompts(
    record: Record, ids: Mapping[str, Sequence[str]], passages: Mapping[str, Passage]
) -> tuple[list[str], dict[str, dict[str, _Pieces]]]:
    """What all prompts of an arm begin with, each once, and every prompt by question id and arm as `browsable` says."""
    texts = {question.id: question.text for question in record.questions}
    folded: dict[str, dict[str, _Pieces]] = {}
    for one in record.predictions:
        known = {place: passages[id_].text for place, id_ in enumerate(ids[one.question_id], 1)}
        pieces = _folded(one.prompt, known | {0: texts[one.question_id]})
        folded.setdefault(one.arm, {})[one.question_id] = pieces
    openings: dict[str, int] = {}
    prompts: dict[str, dict[str, _Pieces]] = {id_: {} for id_ in texts}
    for arm, by_question in folded.items():
        opening = os.path.commonprefix([str(pieces[0]) for pieces in by_question.values()])  # noqa: RUF071 (no paths)
        number = openings.setdefault(opening, len(openings))
        for id_, (first, *rest) in by_question.items():
            prompts[id_][arm] = [number, str(first)[len(opening) :], *rest]
    return list(openings), prompts


def _folded(prompt: str, known: Mapping[int, str]) -> _Pieces:
    """The prompt with numbers in place of the texts that they stand for; it begins with text, be it empty."""
    pieces: _Pieces = [prompt]
    # The longest first: a short one may stand within it.
    for number, words in sorted(known.items(), key=lambda one: -len(one[1])):
        if words:
            pieces = [part for piece in pieces for part in _parted(piece, words, number)]
    return pieces


def _parted(piece: str | int, words: str, number: int) -> _Pieces:
    if isinstance(piece, int) or words not in piece:
        return [piece]
    before, _, after = piece.partition(words)
    return [before, number, after]


def _points(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def _right(question: Question, shown: Sequence[Passage], pools: Mapping[str, EvidencePools]) -> list[str]:
    """The ids of the passages that answer the question."""
    return [passage.id for passage in right_passages(question, shown, pools.get(question.id, NOWHERE)) or ()]


def _answer(prediction: Prediction, ids: Sequence[str], passages: Mapping[str, Passage]) -> dict[str, Any]:
    """The words of one arm, and which of its quotes stand in their passages."""
    numbered = prediction.passage_ids
    unverified = []
    for cited in parse_answer(prediction.text).quotes:
        named = numbered[cited.number - 1] if 1 <= cited.number <= len(numbered) else None
        if named is None or Source(passages[named].text).locate(cited.text) is None:
            unverified.append([cited.number, cited.text])
    return {
        "answer": prediction.answer,
        "text": prediction.text,
        "quotes": [[ids.index(quote.passage_id) + 1, quote.start, quote.end] for quote in prediction.quotes],
        "unverified": unverified,
    }


def _mark(prediction: Prediction, metrics: Mapping[str, float]) -> str:
    """How well it did, in one word; `partly` has a word of an accepted answer, or holds it among others."""
    if F1.name not in metrics:
        return "right" if prediction.abstained else "wrong"
    if prediction.abstained:
        return "refused"
    if metrics[EXACT_MATCH.name]:
        return "right"
    return "partly" if metrics[F1.name] or metrics[CONTAINS.name] else "wrong"
