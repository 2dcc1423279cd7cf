"""What `mini` is trained on: rows of questions turned into prompts and targets, a little different each time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from articles import Articles, Row
from raft.prompts import (
    READ,
    REFUSAL,
    CitedQuote,
    Prompt,
    PromptStyle,
    Segment,
    ask_prompt,
    closed_book_prompt,
    passages_prompt,
    plain_target,
    question_target,
    reasoned_target,
)
from raft.questions.oracles import find_evidence, quote_span
from raft.text import contains_answer, normalise_answer, sentences
from renaming import Renaming

STYLE = PromptStyle.COMPACT
# How often a paragraph is renamed, and a question of people or of a text shown where nothing answers it.
RENAMED, REFUSED, REFUSED_OF_TEXT = 0.6, 0.5, 0.15
# Characters of a text to go on with.
CONTINUED = 700
# The share of a question's words that its paragraph must hold for it to be an example of what to ask.
FORESEEN = 0.7


@dataclass(frozen=True)
class Text:
    """A passage as training shows it."""

    title: str
    text: str


def distractors(articles: Articles, row: Row, count: int, rng: random.Random) -> list[Text]:
    """Passages without the answer: mostly the best matches of the same article, now and then any other."""
    near = list(itertools.islice(articles.ranked(row), 6))
    rng.shuffle(near)
    found = [Text(row.title, text) for text in near[:5]]
    anywhere = [Text(title, rng.choice(articles.texts[title])) for title in rng.sample(sorted(articles.texts), 3)]
    found += [text for text in anywhere if text.text != row.context and not contains_answer(text.text, row.answers)]
    if rng.random() < 0.15:
        rng.shuffle(found)
    return found[:count]


def crop(text: str, keep: tuple[int, int] | None, characters: int, rng: random.Random) -> str:
    """A run of whole sentences of about `characters`, holding the span `keep` if one is given."""
    spans = list(sentences(text))
    if len(text) <= characters or not spans:
        return text
    if keep is None:
        first = last = rng.randrange(len(spans))
    else:
        inside = [i for i, (start, end) in enumerate(spans) if start < keep[1] and keep[0] < end]
        first, last = (inside[0], inside[-1]) if inside else (0, 0)
    while spans[last][1] - spans[first][0] < characters and (first > 0 or last < len(spans) - 1):
        if last == len(spans) - 1 or (first > 0 and rng.random() < 0.5):
            first -= 1
        else:
            last += 1
    return text[spans[first][0] : spans[last][1]]


class Example(NamedTuple):
    """A prompt with one target, or with several that do not see each other."""

    prompt: Prompt
    targets: tuple[tuple[Segment, ...], ...]
    asks: bool = False

    @property
    def reads(self) -> bool:
        return bool(self.prompt.user[0].text == READ)


class ExampleMaker:
    """Turns rows into prompts and targets, a little different each time."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def titled(self, title: str, text: str) -> Text:
        return Text(title if self.rng.random() < 0.75 else "", text)

    def read(self, row: Row, distractors: Sequence[Text], characters: int) -> Example | None:
        evidence = find_evidence(row.context, row.question, row.answers)
        if evidence is None:
            return None
        shown = crop(row.context, evidence.sentence, characters, self.rng)
        found = find_evidence(shown, row.question, row.answers)
        if found is None:
            return None
        gold = self.titled(row.title, shown)
        others = [self.titled(d.title, crop(d.text, None, characters, self.rng)) for d in distractors]
        passages = [*others, gold]
        self.rng.shuffle(passages)
        quote = CitedQuote(passages.index(gold) + 1, shown[slice(*quote_span(shown, found))])
        target = reasoned_target([quote], shown[slice(*found.answer)])
        return Example(passages_prompt(row.question, passages, STYLE), (target,))

    def refuse(self, row: Row, passages: Sequence[Text], characters: int) -> Example:
        shown = [self.titled(p.title, crop(p.text, None, characters, self.rng)) for p in passages]
        self.rng.shuffle(shown)
        return Example(passages_prompt(row.question, shown, STYLE), (plain_target(REFUSAL),))

    def recall(self, row: Row) -> Example:
        return Example(closed_book_prompt(row.question, STYLE), (plain_target(row.answers[0]),))

    def ask(self, rows: Sequence[Row], characters: int) -> Example | None:
        """All questions of one paragraph at once: the targets share the prompt and do not see each other."""
        first = self.rng.choice(rows)
        evidence = find_evidence(first.context, first.question, first.answers)
        if evidence is None:
            return None
        shown = crop(first.context, evidence.sentence, characters, self.rng)
        targets = []
        for row in rows:
            found = find_evidence(shown, row.question, row.answers)
            if found is not None:
                targets.append(question_target(shown[slice(*found.answer)], row.question))
        return Example(ask_prompt(self.titled(first.title, shown), STYLE), tuple(targets), asks=True)


def continuations(texts: Iterable[str], rng: random.Random) -> Iterator[Example]:
    """Text to go on with from one to three of its sentences: how sentences go, from any text at hand."""
    for text in texts:
        spans = list(sentences(text))
        if len(spans) < 2:
            continue
        begin = rng.randrange(len(spans) - 1)
        cut = min(begin + rng.choice((1, 1, 2, 3)), len(spans) - 1)
        known, rest = text[spans[begin][0] : spans[cut - 1][1]], text[spans[cut][0] :]
        yield Example(closed_book_prompt(known.strip(), STYLE), (plain_target(rest[:CONTINUED].strip()),), asks=True)


def by_context(rows: Sequence[Row], most: int, rng: random.Random) -> list[list[Row]]:
    """The rows of each paragraph, at most so many together, shuffled."""
    groups: dict[str, list[Row]] = {}
    for row in rng.sample(rows, len(rows)):
        groups.setdefault(row.context, []).append(row)
    return [group[at : at + most] for group in groups.values() for at in range(0, len(group), most)]


def sentence_reading(qamr: list[Row], rng: random.Random) -> Iterator[Example]:
    maker = ExampleMaker(rng)
    contexts = [Text("", row.context) for row in qamr]
    for row in qamr:
        others = [t for t in rng.sample(contexts, rng.choice((0, 0, 0, 1))) if not contains_answer(t.text, row.answers)]
        if others and rng.random() < 0.1:
            yield maker.refuse(row, others, 400)
        elif made := maker.read(row, others, 400):
            yield made


def sentence_asking(qamr: list[Row], rng: random.Random) -> Iterator[Example]:
    maker = ExampleMaker(rng)
    for group in by_context(qamr, 12, rng):
        if made := maker.ask(group, 400):
            yield made


def among_others(
    row: Row, articles: Articles, maker: ExampleMaker, renaming: Renaming | None = None
) -> Iterator[Example]:
    """A row read from its paragraph, alone or beside up to three others of its article."""
    count = maker.rng.choices((0, 1, 2, 3), weights=(60, 20, 10, 10))[0]
    beside = distractors(articles, row, count, maker.rng) if count else []
    if renaming is not None and maker.rng.random() < RENAMED:
        row = next(iter(renaming([row], maker.rng)), row)
        beside = [text for text in beside if not contains_answer(text.text, row.answers)]
    characters = maker.rng.choice((250, 400, 600, 900) if beside else (250, 400, 700, 1000))
    if made := maker.read(row, beside, characters):
        yield made


def text_reading(rows: Sequence[Row], rng: random.Random) -> Iterator[Example]:
    """Questions made from text read as people's are, and refused where the words are not shown."""
    maker, articles = ExampleMaker(rng), Articles(rows)
    for row in rows:
        yield from among_others(row, articles, maker)
        if rng.random() < REFUSED_OF_TEXT:
            yield unanswered(row, articles, maker)


def unanswered(row: Row, articles: Articles, maker: ExampleMaker, renaming: Renaming | None = None) -> Example:
    """A row to refuse: beside others, at times its own paragraph without the sentences that hold an answer."""
    shown = distractors(articles, row, maker.rng.choice((1, 2, 3, 4, 4)), maker.rng) or [Text("", "")]
    if maker.rng.random() < 0.3 and (left := without_answer(row)):
        shown = [Text(row.title, left), *shown[: maker.rng.choice((0, 1, 2, 3, 3))]]
    if renaming is not None and maker.rng.random() < RENAMED:
        row, texts = renaming.unanswered(row, [text.text for text in shown], maker.rng)
        shown = [Text(text.title, other) for text, other in zip(shown, texts, strict=True)]
    return maker.refuse(row, shown, maker.rng.choice((250, 400, 600, 900)))


def without_answer(row: Row) -> str:
    """The sentences of a row's paragraph that hold no answer; empty where that leaves less than two."""
    spans = [row.context[start:end].strip() for start, end in sentences(row.context)]
    kept = [text for text in spans if not contains_answer(text, row.answers)]
    left = " ".join(kept)
    return left if len(kept) > 1 and not contains_answer(left, row.answers) else ""


def can_be_learnt(row: Row) -> bool:
    """Whether most words that a question is about stand in its paragraph: the others could not be foreseen."""
    words = set(normalise_answer(row.question).split()) - ENGLISH_STOP_WORDS
    return len(words & set(normalise_answer(row.context).split())) >= FORESEEN * len(words)


def paragraph_stage(
    rows: list[Row], unanswerable: list[Row], articles: Articles, rng: random.Random
) -> Iterator[Example]:
    """People's questions to read and to refuse."""
    maker, renaming = ExampleMaker(rng), Renaming(rows)
    for row in rows:
        yield from among_others(row, articles, maker, renaming)
        if rng.random() < REFUSED:
            yield unanswered(row, articles, maker, renaming)
        if rng.random() < 0.05:
            yield maker.recall(row)
    for row in unanswerable:
        if rng.random() < 0.4:
            count = rng.choice((0, 0, 0, 0, 1, 2))
            others = distractors(articles, row, count, rng) if count else []
            yield maker.refuse(row, [Text(row.title, row.context), *others], rng.choice((350, 600)))


def recalling(rows: Sequence[Row], rng: random.Random) -> Iterator[Example]:
    """Some questions to answer without passages, which a writer must not forget."""
    maker = ExampleMaker(rng)
    yield from (maker.recall(row) for row in rng.sample(rows, len(rows) // 20))


def asking_stage(asked: Sequence[Row], rng: random.Random) -> Iterator[Example]:
    """Questions to write: all of a paragraph at once, most paragraphs renamed."""
    maker, renaming = ExampleMaker(rng), Renaming(asked)
    for group in by_context(asked, 12, rng):
        chosen = renaming(group, rng) if rng.random() < RENAMED else group
        if chosen and (made := maker.ask(chosen, rng.choice((350, 500, 700)))):
            yield made
