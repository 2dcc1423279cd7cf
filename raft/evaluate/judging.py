"""A second opinion: a model that says whether an answer means the same as an accepted one; its faults are its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict

from raft.errors import ModelError
from raft.evaluate.metrics import EXACT_MATCH, JUDGED
from raft.models.generator import Decoding, Generator
from raft.progress import Progress
from raft.prompts import Prompt, judge_prompt, parse_judgement
from raft.types import Prediction, Question, Score

# Asked at once; where one of them fails, each is asked alone.
_CHUNK = 16
_DECODING = Decoding(max_new_tokens=16)


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
    judge: Generator,
    progress: Progress,
) -> Judged:
    """Every answer to an answerable question judged right (1) or wrong (0).

    A refusal is wrong and an exact match right without asking. Where the judge failed, the question counts in no arm,
    so that all arms are judged on the same questions. Equal answers to a question are judged once. Raises ModelError
    where the judge fails on all of the first answers that it is asked about.
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
            prompt = judge_prompt(question.text, question.answers, prediction.answer)
            asked.setdefault(prompt, []).append(key)
    failed = 0
    with progress.task("Judge answers", len(asked)) as advance:
        for prompt, verdict in _verdicts(list(asked), judge):
            failed += verdict is None
            found |= dict.fromkeys(asked[prompt], None if verdict is None else float(verdict))
            advance(1)
    unjudged = {question_id for (question_id, _), verdict in found.items() if verdict is None}
    judged = []
    for score in scores:
        value = found.get((score.question_id, score.arm))
        if value is not None and score.question_id not in unjudged:
            score = replace(score, metrics={**score.metrics, JUDGED.name: value})
        judged.append(score)
    return Judged(judged, len(asked), failed)


def _verdicts(prompts: Sequence[Prompt], judge: Generator) -> Iterator[tuple[Prompt, bool | None]]:
    for start in range(0, len(prompts), _CHUNK):
        chunk = prompts[start : start + _CHUNK]
        try:
            texts: list[str | None] = [one.text for one in judge.generate(chunk, _DECODING)]
        except ModelError:
            texts = [_alone(prompt, judge) for prompt in chunk]
        if start == 0 and all(text is None for text in texts):
            raise ModelError(f"{judge.name} judged none of the first {len(chunk)} answers: check evaluate.judge")
        yield from (
            (one, None if text is None else parse_judgement(text)) for one, text in zip(chunk, texts, strict=True)
        )


def _alone(prompt: Prompt, judge: Generator) -> str | None:
    try:
        return judge.generate([prompt], _DECODING)[0].text
    except ModelError:
        return None
