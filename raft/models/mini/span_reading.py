"""How the embedded model reads: it points at the words of a passage that answer, and at the quote around them.

The question is read with each passage apart, so that the order of the passages cannot matter. One softmax over the
first words of all passages and over "none" says where the answer begins or that none of them answers (shared
normalisation: Clark and Gardner 2018, section 3.2.2; no answer as one more choice: Levy et al. 2017, section 3); a
second one says where it ends. Such heads learn from a few thousand questions what a decoder that writes the same words
one by one did not learn from ten times as many (docs/log.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

# Low enough to be nothing beside any real score, finite so that no gradient becomes NaN.
_MASKED = -1e4
# The quote only has to hold the answer: where it begins and ends counts less.
_QUOTE_WEIGHT = 0.25


@dataclass(frozen=True)
class Form:
    """The token ids that give prompts and targets their form."""

    read: int
    begin_quote: int
    end_quote: int
    answer: int
    passages: tuple[int, ...]
    refusal: tuple[int, ...]
    verdicts: tuple[int, ...] = ()


class Pair(NamedTuple):
    """The question with one passage: token ids, and where the words of the passage begin among them."""

    ids: list[int]
    begins: int


class Span(NamedTuple):
    """Tokens of a pair, both ends included."""

    pair: int
    first: int
    last: int


class Lesson(NamedTuple):
    """What a row teaches the reader: the spans that answer (none: to refuse), and the quote that it was taken from."""

    pairs: list[Pair]
    answers: list[Span]
    quote: Span | None


def pairs_of(prompt: Sequence[int], form: Form) -> list[Pair]:
    """A prompt as one pair for each passage that it shows; empty where it is no prompt for reading.

    Of worked examples before the question nothing is read: the last question counts. Every passage is numbered 1.
    """
    if form.read not in prompt:
        return []
    begin = len(prompt) - 1 - list(reversed(prompt)).index(form.read)
    marks = [at for at in range(begin, len(prompt)) if prompt[at] in form.passages]
    if not marks:
        return []
    question = list(prompt[begin : marks[0]])
    ends = [*marks[1:], len(prompt)]
    return [
        Pair([*question, form.passages[0], *prompt[mark + 1 : end]], len(question) + 1)
        for mark, end in zip(marks, ends, strict=True)
    ]


def lesson_of(prompt: Sequence[int], target: Sequence[int], form: Form) -> Lesson | None:
    """What a row teaches; None where it shows no passages, or its answer stands in none of them.

    A bare "yes" or "no" stands in a passage for other reasons than the question's, and is nothing to point at.
    """
    pairs = pairs_of(prompt, form)
    if not pairs or form.answer not in target:
        return None
    mark = target.index(form.answer)
    said = list(target[mark + 1 :])
    if tuple(said[: len(form.refusal)]) == form.refusal:
        return Lesson(pairs, [], None)
    words = said[:-1]
    if len(words) == 1 and words[0] in form.verdicts:
        return None
    quotes = list(_quotes(list(target[:mark]), pairs, form))
    for quote in quotes:
        inside = pairs[quote.pair].ids[quote.first : quote.last + 1]
        found = [Span(quote.pair, quote.first + a, quote.first + b) for a, b in _runs(words, inside)]
        if found:
            return Lesson(pairs, found, quote)
    everywhere = [
        Span(number, pair.begins + a, pair.begins + b)
        for number, pair in enumerate(pairs)
        for a, b in _runs(words, pair.ids[pair.begins :])
    ]
    return Lesson(pairs, everywhere, None) if everywhere else None


def _quotes(reasoning: list[int], pairs: Sequence[Pair], form: Form) -> Iterator[Span]:
    """The quotes of a target that stand in the passages which they name."""
    for at, token in enumerate(reasoning):
        if token != form.begin_quote or form.end_quote not in reasoning[at:] or not at:
            continue
        number = form.passages.index(reasoning[at - 1]) if reasoning[at - 1] in form.passages else len(pairs)
        words = reasoning[at + 1 : reasoning.index(form.end_quote, at)]
        if number < len(pairs):
            pair = pairs[number]
            for first, last in _runs(words, pair.ids[pair.begins :])[:1]:
                yield Span(number, pair.begins + first, pair.begins + last)


def _runs(words: list[int], text: list[int]) -> list[tuple[int, int]]:
    """Where the words stand in the text, first and last token."""
    size = len(words)
    return [(at, at + size - 1) for at in range(len(text) - size + 1) if size and text[at : at + size] == words]


class PairBatch(NamedTuple):
    """Pairs side by side: ids (pairs, length), and which tokens are real and which are words of passages, alike."""

    ids: Tensor
    real: Tensor
    words: Tensor


def in_batches(pairs: Sequence[Pair], most_tokens: int) -> Iterator[list[int]]:
    """Places of pairs of like lengths under a budget of padded tokens, shortest first."""
    batch: list[int] = []
    for place in sorted(range(len(pairs)), key=lambda place: len(pairs[place].ids)):
        if batch and len(pairs[place].ids) * (len(batch) + 1) > most_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def batch_of(pairs: Sequence[Pair], device: torch.device) -> PairBatch:
    """The pairs padded to one length."""
    longest = max(len(pair.ids) for pair in pairs)
    ids = torch.tensor([[*pair.ids, *[0] * (longest - len(pair.ids))] for pair in pairs], device=device)
    place = torch.arange(longest, device=device)
    ends = torch.tensor([len(pair.ids) for pair in pairs], device=device)[:, None]
    begins = torch.tensor([pair.begins for pair in pairs], device=device)[:, None]
    return PairBatch(ids, place < ends, (place >= begins) & (place < ends))


class Scores(NamedTuple):
    """Scores of the words of one pair, each (length) in float32, or of several, each (pairs, length): log-odds of
    beginning the answer there against none in any passage, and scores of ending it and of both ends of its quote."""

    first: Tensor
    last: Tensor
    quote_first: Tensor
    quote_last: Tensor


class Reader(nn.Module):
    """The heads: four scores for each word, and one for each pair that says whether its passage answers at all."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.spans = nn.Linear(size, 4)
        self.none = nn.Linear(size, 1)

    def forward(self, hidden: Tensor, words: Tensor) -> Scores:
        """hidden: (pairs, length, size). words: (pairs, length), which of them are words of the passage."""
        spans = self.spans(hidden).float()
        none = self.none(hidden[:, 0]).float()
        first, *others = (scores.masked_fill(~words, _MASKED) for scores in spans.unbind(-1))
        return Scores((first - none).masked_fill(~words, _MASKED), *others)


def _of_all(scores: Sequence[Scores]) -> Tensor:
    """The log-odds of every first word of every passage, and of none of them."""
    return torch.cat([*(pair.first for pair in scores), scores[0].first.new_zeros(1)])


def reading_loss(scores: Sequence[Scores], lesson: Lesson) -> Tensor:
    """Nats that one row costs: of its answer or of refusing, and a little of its quote.

    scores: those of each of its pairs.
    """
    everything = _of_all(scores).logsumexp(0)
    if not lesson.answers:
        return everything
    said = []
    for pair, first, last in lesson.answers:
        ends = scores[pair].last
        said.append(scores[pair].first[first] + ends[last] - ends[first:].logsumexp(0))
    loss: Tensor = everything - torch.stack(said).logsumexp(0)
    if lesson.quote is not None:
        pair, first, last = lesson.quote
        begun = scores[pair].quote_first.log_softmax(0)[first]
        ended = scores[pair].quote_last.log_softmax(0)[last]
        loss = loss - _QUOTE_WEIGHT * (begun + ended)
    return loss


@dataclass(frozen=True)
class Bounds:
    """Where spans of a pair may begin and end, each (length), and how many tokens an answer and a
    quote may have."""

    begins: Tensor
    ends: Tensor
    longest_answer: int
    longest_quote: int


class Reading(NamedTuple):
    """The best span of a row, with its quote and their log-probability; span None: it refuses.

    margin: by how many nats it was preferred to what would have been said instead, and an end of the quote to another.
    """

    answer: Span | None
    quote: Span | None
    log_probability: float
    margin: float


def best_reading(scores: Sequence[Scores], bounds: Sequence[Bounds], refusal_bias: float) -> Reading:
    """What to say. scores: of each of the pairs of one question, with the bounds of each.

    It refuses where the log-odds of the likeliest passage are not above refusal_bias and the logarithm of how many
    passages there are: the best of many is high by chance, and what little chance each has would add up in a sum. Where
    it answers it says the likeliest span of all, which need not stand in that passage.
    """
    everything = float(_of_all(scores).logsumexp(0))
    answering = max(float(pair.first.logsumexp(0)) for pair in scores) - math.log(len(scores))
    decided = abs(refusal_bias - answering)
    best: Span | None = None
    best_score = second_score = -torch.inf
    for pair, bound in enumerate(bounds):
        table = _spans(scores[pair], bound)
        values, places = table.flatten().topk(min(2, table.numel()))
        for score, place in zip(values.tolist(), places.tolist(), strict=True):
            if score > best_score:
                first, last = divmod(place, table.shape[1])
                best, best_score, second_score = Span(pair, first, last), score, best_score
            else:
                second_score = max(score, second_score)
    if best is None or refusal_bias > answering:
        return Reading(None, None, -everything, decided if best is not None else torch.inf)
    quote, quote_margin = _quote_around(best, scores[best.pair], bounds[best.pair])
    margin = min(decided, best_score - second_score, quote_margin)
    return Reading(best, quote, best_score - everything, margin)


def _spans(scores: Scores, bound: Bounds) -> Tensor:
    """The score of every span, (length, length) by its first and last token; minus infinity where none may be."""
    after = scores.last.flip(0).logcumsumexp(0).flip(0)
    table = (scores.first - after)[:, None] + scores.last[None, :]
    place = torch.arange(len(after), device=after.device)
    size = place[None, :] - place[:, None]
    allowed = bound.begins[:, None] & bound.ends[None, :] & (size >= 0) & (size < bound.longest_answer)
    return table.masked_fill(~allowed, -torch.inf)


def _quote_around(answer: Span, scores: Scores, bound: Bounds) -> tuple[Span, float]:
    """The likeliest quote that holds the answer, and the margin of its ends."""
    place = torch.arange(len(scores.first), device=scores.first.device)
    longest = max(bound.longest_quote, answer.last - answer.first + 1)
    before = bound.begins & (place <= answer.first) & (place > answer.last - longest)
    first, of_first = _likeliest(scores.quote_first, before)
    after = bound.ends & (place >= answer.last) & (place < first + longest)
    last, of_last = _likeliest(scores.quote_last, after)
    return Span(answer.pair, first, last), min(of_first, of_last)


def _likeliest(scores: Tensor, allowed: Tensor) -> tuple[int, float]:
    """The place with the highest score of those that are allowed, and how far above the next one it is."""
    values, places = scores.masked_fill(~allowed, -torch.inf).topk(min(2, len(scores)))
    return int(places[0]), float(values[0] - values[-1]) if len(values) > 1 else torch.inf
