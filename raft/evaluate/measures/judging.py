"""A second opinion: a model that says whether an answer means the same as an accepted one; its faults are its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict

from raft.answering.journaled import JournaledModel
from raft.errors import ModelError
from raft.evaluate.measures.metrics import EXACT_MATCH, JUDGED
from raft.models.generator import Decoding, Failure, Generation
from raft.outputs import parse_judgement
from raft.progress import Progress
from raft.prompts import Prompt, judge_prompt
from raft.recipe import MAX_CONCURRENCY
from raft.types import Prediction, Question, Score

JUDGEMENT = Decoding(max_new_tokens=16)
# A judge that fails on all of the first is none. Then as many at once as keep an endpoint busy.
_FIRST, _CHUNK = 16, 4 * MAX_CONCURRENCY


class Judge(TypedDict):
    """Who judged, how many answers it was asked about, and of how many it said nothing that could be used."""

    model: str
    asked: int
    failed: int


class Judged(NamedTuple):
    """The scores with the judge's metric added, and what became of the judging."""

    scores: list[Score]
    asked: int
    failed: int


def judge_all(
    questions: Mapping[str, Question],
    predictions: Sequence[Prediction],
    scores: Sequence[Score],
    judge: JournaledModel,
    progress: Progress,
) -> Judged:
    """Every answer to an answerable question judged right (1) or wrong (0).

    A refusal is wrong and an exact match right without asking. Where the judge failed, the question counts in no arm,
    so that all arms are judged on the same questions. Equal answers to a question are judged once. Replies without a
    verdict are told with their reason. Raises ModelError where the judge fails on all of the first answers that it is
    asked about.
    """
    metrics = {(score.question_id, score.arm): score.metrics for score in scores}
    found: dict[tuple[str, str], float | None] = {}
    asked: dict[Prompt, list[tuple[str, str]]] = {}
    for prediction in predictions:
        key, question = (prediction.question_id, prediction.arm), questions[prediction.question_id]
        if question.unanswerable:
            continue
        if prediction.abstained or metrics[key][EXACT_MATCH.name]:
            found[key] = metrics[key][EXACT_MATCH.name]
        else:
            # Where all of the answers are wanted, their list is the one that is accepted.
            accepted = ("; ".join(question.answers),) if question.all_of else question.answers
            prompt = judge_prompt(question.text, accepted, prediction.answer)
            asked.setdefault(prompt, []).append(key)
    failed = 0
    reasons: Counter[Failure] = Counter()
    with progress.task("Judge answers", len(asked)) as advance:
        for prompt, reply in _replies(list(asked), judge):
            verdict = None if reply is None else _verdict(reply)
            failed += verdict is None
            if verdict is None and reply is not None and reply.failure is not None:
                reasons[reply.failure] += 1
            found |= dict.fromkeys(asked[prompt], None if verdict is None else float(verdict))
            advance(1)
    for reason, count in reasons.items():
        progress.note(f"evaluation: no verdict on {count} of {len(asked)} answers {_why(reason, judge)}")
    unjudged = {question_id for (question_id, _), verdict in found.items() if verdict is None}
    judged = []
    for score in scores:
        value = found.get((score.question_id, score.arm))
        if value is not None and score.question_id not in unjudged:
            score = replace(score, metrics={**score.metrics, JUDGED.name: value})
        judged.append(score)
    return Judged(judged, len(asked), failed)


def _verdict(reply: Generation) -> bool | None:
    """It is the first word: what is cut off behind it takes nothing away."""
    return parse_judgement(reply.text or reply.unused)


def _why(reason: Failure, judge: JournaledModel) -> str:
    thinks = reason in (Failure.STILL_THINKING, Failure.ONLY_THOUGHTS)
    advice = "set answer.thinking to false" if thinks else "check evaluate.judge"
    return f"({reason.told(judge.max_new_tokens)}): {advice}"


def _replies(prompts: Sequence[Prompt], judge: JournaledModel) -> Iterator[tuple[Prompt, Generation | None]]:
    for start, end in _spans(len(prompts)):
        chunk = prompts[start:end]
        said = _said(chunk, judge)
        if start == 0 and not said:
            raise ModelError(f"{judge.name} judged none of the first {len(chunk)} answers: check evaluate.judge")
        reasons = [one.failure for one in said.values() if _verdict(one) is None and one.failure is not None]
        if start == 0 and len(reasons) == _FIRST:
            raise ModelError(f"{judge.name} judged none of the first {_FIRST} answers {_why(reasons[0], judge)}")
        yield from ((prompt, said.get(prompt)) for prompt in chunk)


def _spans(count: int) -> Iterator[tuple[int, int]]:
    if count:
        yield 0, min(_FIRST, count)
    yield from ((start, min(start + _CHUNK, count)) for start in range(_FIRST, count, _CHUNK))


def _said(prompts: Sequence[Prompt], judge: JournaledModel) -> dict[Prompt, Generation]:
    """What the judge says to each; those on which it fails, found by halving, are left out."""
    try:
        return judge.write(prompts)
    except ModelError:
        half = len(prompts) // 2
        return _said(prompts[:half], judge) | _said(prompts[half:], judge) if half else {}
