"""What is wrong with one row, seen in the light of the whole file: pure functions over values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from raft.audit.faults import Fault
from raft.audit.layouts import AuditRow
from raft.audit.target_parts import Said
from raft.examples.distractors import NEAR_DUPLICATE, overlap
from raft.prompts import BEGIN_QUOTE, END_QUOTE
from raft.quality.flaws import Flaw, question_flaws, text_flaws
from raft.quality.telltales import is_cut, stands_for_text
from raft.questions import says_answer
from raft.text import Source, locate, normalise_answer, token_f1

Found = Iterator[tuple[Fault, str]]

_VERDICTS = ("yes", "no", "true", "false")
# A longer "answer" is a sentence of reasoning, and no distractor holds it word for word.
_ANSWER_WORDS = 14
# At least so many of the answer's words must stand in what it rests on: whoever answers in a sentence adds some.
_SUPPORTED = 0.5
_ACCEPTED_F1 = 0.5
# A shorter common beginning of two passages may be a heading.
_CUT_CHARACTERS = 20
_NUMBER = re.compile(r"\d+")
# Characters of a text that a report shows.
_SHOWN = 60
_FAULTS: Mapping[Flaw, Fault] = {
    Flaw.LISTED: Fault.QUESTION_FORM,
    Flaw.THREAD: Fault.QUESTION_FORM,
    Flaw.VERB: Fault.QUESTION_FORM,
    Flaw.KIND: Fault.ANSWER_KIND,
    Flaw.REFERS: Fault.QUESTION_REFERS,
    Flaw.LEANS: Fault.QUESTION_LEANS,
    Flaw.CUT: Fault.TRUNCATED,
    Flaw.PLACEHOLDER: Fault.PLACEHOLDER,
    Flaw.ERROR: Fault.ERROR_TEXT,
    Flaw.TALK: Fault.MODEL_TALK,
    Flaw.TEMPLATE: Fault.TEMPLATE_TOKEN,
}


@dataclass(frozen=True, slots=True)
class Habits:
    """What the rows of a file have in common: passages a row (None where that varies), whether targets mark their
    answer and quote, and whether every row should show its oracle."""

    passages: int | None
    marks_answers: bool
    quotes: bool
    every_oracle: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A row with its target taken apart, and where its quotes stand: for each the passages, from 0, that hold it."""

    row: AuditRow
    said: Said
    places: tuple[tuple[int, ...], ...]

    @property
    def oracles(self) -> tuple[int, ...] | None:
        """Which passages are oracles: by the row's own word, else those that its quotes stand in; None if unknown."""
        if self.row.oracles is not None:
            return self.row.oracles
        quoted = tuple(sorted({place for places in self.places if len(places) == 1 for place in places}))
        return quoted or None


@lru_cache(maxsize=1 << 14)
def _source(text: str) -> Source:
    """Taken apart once: the same passage stands in many rows."""
    return Source(text)


def see(row: AuditRow, said: Said) -> Seen:
    """Look for every quote in every passage of the row."""
    places = (
        tuple(place for place, text in enumerate(row.passages) if _source(text).locate(words) is not None)
        for _, words in said.quotes
    )
    return Seen(row, said, tuple(places))


def row_faults(seen: Seen, habits: Habits) -> Found:
    """Every fault that one row shows."""
    yield from _field_faults(seen)
    yield from _passage_faults(seen.row, habits)
    yield from _oracle_faults(seen, habits)
    yield from _distractor_faults(seen)
    yield from _quote_faults(seen, habits)
    yield from _answer_faults(seen, habits)


def _field_faults(seen: Seen) -> Found:
    row, said = seen.row, seen.said
    fields = {"question": row.question, "target": row.target}
    fields |= {f"passage {number}": text for number, text in enumerate(row.passages, 1)}
    if empty := [name for name, text in fields.items() if not text.strip()]:
        yield Fault.EMPTY, ", ".join(empty)
    if row.question.strip():
        yield from _question_faults(seen)
    for name, text in fields.items():
        if not text.strip():
            continue
        for flaw, detail in text_flaws(text, passage=name.startswith("passage"), target=name == "target"):
            yield _FAULTS[flaw], f"{name}: {detail}" if detail else f'{name}: "{shortened(text)}"'
    # "None" may be the answer to "how many?"; as a whole target it is a value that nobody looked at.
    if said.marked and stands_for_text(said.answer) and said.answer.lower() != "none":
        yield Fault.PLACEHOLDER, f'answer: "{said.answer}"'


def _question_faults(seen: Seen) -> Found:
    row, answer = seen.row, _short_answer(seen)
    about = " ".join(row.passages[place] for place in seen.oracles or ()) or row.oracle or ""
    shown = f'"{shortened(row.question)}"'
    answered = f'{shown}: "{shortened(answer)}"' if answer else shown
    details = {
        Fault.TRUNCATED: f"the question ends in the middle: {shown}",
        Fault.ANSWER_KIND: answered,
        Fault.QUESTION_LEANS: answered,
    }
    for fault in dict.fromkeys(_FAULTS[flaw] for flaw in question_flaws(row.question, answer, about)):
        yield fault, details.get(fault, shown)


def _short_answer(seen: Seen) -> str:
    """The answer, where it is no refusal and no sentence: of these the question word and pronouns tell nothing."""
    said = seen.said
    marked = said.answer if said.marked else ""
    answer = "" if said.refuses else next((one.strip() for one in seen.row.answers if one.strip()), marked)
    return "" if len(answer.split()) > _ANSWER_WORDS or answer.endswith((".", "!", "?")) else answer


def shortened(text: str) -> str:
    """The beginning of a text on one line, for a report."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def _passage_faults(row: AuditRow, habits: Habits) -> Found:
    if not row.passages:
        quoting = ", so its quotes were not judged" if row.target and BEGIN_QUOTE in row.target else ""
        yield Fault.NO_PASSAGES, f"none could be told apart in it{quoting}"
        return
    if habits.passages is not None and len(row.passages) != habits.passages:
        yield Fault.PASSAGE_COUNT, f"{len(row.passages)} passages, not {habits.passages}"
    first: dict[str, int] = {}
    for number, text in enumerate(row.passages, 1):
        plain = " ".join(text.split())
        if plain and plain in first:
            yield Fault.PASSAGE_TWICE, f"passage {number} is passage {first[plain]}"
        first.setdefault(plain, number)
    if row.unclosed:
        yield Fault.TRUNCATED, "the prompt ends within a passage"


def _oracle_faults(seen: Seen, habits: Habits) -> Found:
    row = seen.row
    if row.oracles or not row.passages:
        if row.oracles and row.says_shown is False:
            yield Fault.ORACLE_MISSING, "its kind says that no oracle is shown, but a passage is flagged as one"
        return
    cut = [n for n, text in enumerate(row.passages, 1) if row.oracle and _is_part(text, row.oracle)]
    if cut:
        yield Fault.TRUNCATED, f"passage {cut[0]} is a part of its oracle"
        return
    if row.says_shown or (habits.every_oracle and row.oracles == () and not _needs_none(seen)):
        yield Fault.ORACLE_MISSING, "none of its passages is the oracle"
    elif _quotes_hidden_oracle(seen):
        yield Fault.ORACLE_MISSING, "it quotes from its oracle, which is not among its passages"


def _needs_none(seen: Seen) -> bool:
    """Whether nothing answers the question, so that there is no oracle to show."""
    return seen.row.unanswerable or (seen.row.says_shown is False and not seen.row.answers)


def _is_part(text: str, oracle: str) -> bool:
    text, oracle = text.strip(), oracle.strip()
    return _CUT_CHARACTERS <= len(text) < len(oracle) and (oracle.startswith(text) or oracle.endswith(text))


def _quotes_hidden_oracle(seen: Seen) -> bool:
    oracle = seen.row.oracle
    if oracle is None or seen.row.oracles:
        return False
    hidden = (words for (_, words), places in zip(seen.said.quotes, seen.places, strict=True) if not places)
    return any(words and _source(oracle).locate(words) is not None for words in hidden)


def _distractor_faults(seen: Seen) -> Found:
    row, oracles = seen.row, seen.oracles
    if oracles is None:
        return
    answers = _sought(seen)
    known = [row.passages[place] for place in oracles] or ([row.oracle] if row.oracle else [])
    for place, text in enumerate(row.passages):
        if place in oracles or not text.strip():
            continue
        held = next((answer for answer in answers if says_answer(text, [answer])), None)
        if held is not None:
            verb = "is" if normalise_answer(held) == normalise_answer(text) else "holds"
            yield Fault.DISTRACTOR_ANSWERS, f'passage {place + 1} {verb} "{shortened(held)}"'
        # One that is made up says what the oracle says, but for its answer.
        near = () if place in row.counterfactual else known
        if any(text.split() != oracle.split() and overlap(text, oracle) > NEAR_DUPLICATE for oracle in near):
            yield Fault.DISTRACTOR_NEAR_ORACLE, f'passage {place + 1}: "{shortened(text)}"'


def _sought(seen: Seen) -> list[str]:
    """The answers that no distractor may hold: neither verdicts, which stand anywhere, nor refusals."""
    said = seen.said
    answers = [*seen.row.answers, *([] if said.refuses or not said.answer else [said.answer])]
    plain = {answer: normalise_answer(answer) for answer in answers}
    return [a for a in answers if plain[a] not in ("", *_VERDICTS) and len(a.split()) <= _ANSWER_WORDS]


def _quote_faults(seen: Seen, habits: Habits) -> Found:
    row, said = seen.row, seen.said
    if not said.balanced or said.misspelt or any(not words for _, words in said.quotes):
        opened, closed = (said.quote_marks.count(mark) for mark in (BEGIN_QUOTE, END_QUOTE))
        yield Fault.QUOTE_MARKS, f"{opened} opened, {closed} closed" + (", others misspelt" if said.misspelt else "")
    hidden = _quotes_hidden_oracle(seen)
    for (number, words), places in zip(said.quotes, seen.places, strict=True):
        if not words or not row.passages:
            continue
        if not places:
            if not (hidden and row.oracle and _source(row.oracle).locate(words) is not None):
                yield Fault.QUOTE_NOT_VERBATIM, f'"{shortened(words)}"'
        elif number is not None and number - 1 not in places and len(row.passages) > 1:
            yield Fault.QUOTE_ELSEWHERE, f'[{number}] "{shortened(words)}" stands in passage {places[0] + 1}'
    yield from _recorded_quote_faults(row)
    shown = seen.oracles is None or bool(seen.oracles)
    # A row without its oracle has nothing to quote.
    if habits.quotes and shown and row.passages and said.answer and not said.refuses and not said.quote_marks:
        yield Fault.NO_QUOTE, f'answer: "{shortened(said.answer)}"'


def _recorded_quote_faults(row: AuditRow) -> Found:
    """Quotes beside the target, with offsets, are slices or they are wrong."""
    texts = dict(zip(row.passage_ids, row.passages, strict=False))
    for quote in row.quotes:
        text = texts.get(quote.passage_id)
        if text is None:
            yield Fault.QUOTE_ELSEWHERE, f"a quote names passage {quote.passage_id}, which is not shown"
        elif not 0 <= quote.start < quote.end or text[quote.start : quote.end] != quote.text:
            said = f'"{shortened(quote.text)}" is not at {quote.start} to {quote.end}'
            yield Fault.QUOTE_NOT_VERBATIM, f"{said} of passage {quote.passage_id}"


def _answer_faults(seen: Seen, habits: Habits) -> Found:
    row, said = seen.row, seen.said
    if not row.target.strip():
        return
    if is_cut(row.target):
        yield Fault.TRUNCATED, f'the target ends in "{row.target.strip()[-20:]}"'
    elif said.cut and (habits.marks_answers or said.quote_marks):
        yield Fault.TRUNCATED, f'the target ends in the middle: "{row.target.strip()[-40:]}"'
    if not said.answer or (not said.marked and (habits.marks_answers or said.quote_marks)):
        yield Fault.ANSWER_MISSING, "no <ANSWER>: mark" if not said.marked else "nothing follows the answer mark"
        return
    if said.refuses:
        if _could_answer(seen):
            yield Fault.REFUSAL, f'"{shortened(said.answer)}"'
        return
    if not _is_supported(seen):
        yield Fault.ANSWER_UNSUPPORTED, f'answer: "{shortened(said.answer)}"'
    if row.answers and not _is_accepted(said.answer, row.answers):
        yield Fault.ANSWER_NOT_ACCEPTED, f'"{shortened(said.answer)}" instead of "{shortened(row.answers[0])}"'


def _could_answer(seen: Seen) -> bool:
    """Whether the row shows its oracle; where nobody knows, our own refusal is meant and any other one an accident."""
    return bool(seen.oracles) if seen.oracles is not None else not seen.said.abstains


def _is_accepted(answer: str, accepted: tuple[str, ...]) -> bool:
    return token_f1(answer, accepted) >= _ACCEPTED_F1 or any(locate(other, answer) is not None for other in accepted)


def _is_supported(seen: Seen) -> bool:
    """Whether most words and all numbers of the answer stand in its quotes, or where it has none in what is shown.

    Words of the question are no news, and a verdict is in other words than its evidence.
    """
    row, said = seen.row, seen.said
    grounds: Sequence[str] = [words for _, words in said.quotes]
    if not grounds:
        if not seen.oracles:
            return True
        grounds = row.passages
    words = normalise_answer(said.answer).split()
    if words[:1] and words[0] in _VERDICTS:
        return True
    if any(_source(ground).locate(said.answer) is not None for ground in grounds):
        return True
    stated = set(normalise_answer(" ".join([*grounds, row.question])).split())
    new = set(words) - set(normalise_answer(row.question).split())
    if any(_NUMBER.search(word) and word not in stated for word in new):
        return False
    return not new or len(new & stated) / len(new) >= _SUPPORTED
