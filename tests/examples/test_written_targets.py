"""Targets that a model writes: quotes are found or mended, the answer follows from them, or the row is turned away."""

from collections.abc import Sequence
from dataclasses import asdict
from random import Random

import pytest

from raft.examples.assembling import plan_rows
from raft.examples.composing import Candidate, Reason, compose
from raft.examples.distractors import Pool
from raft.examples.training_rows import raft_row
from raft.examples.written_targets import checked_target, write_targets
from raft.models.generator import Decoding, Generation
from raft.progress import Advance, Silent
from raft.prompts import Prompt, PromptStyle, joined
from raft.recipe import ExampleSettings
from raft.types import Example, Passage, Question

ORACLE = Passage("oracle", "pumps", "Pumps", "A preface. The Merrow 45 stops by itself at 36 bar. It is blue.", 0, 62)
OTHER = Passage("other", "winches", "", "The Grappel lifts 2 tonnes at the pier.", 0, 39)
QUESTION = Question("q", "When does the Merrow 45 stop?", ("36 bar", "36"), ("pumps",))


def row(oracle_fraction: float = 1) -> Example:
    candidate, rng = Candidate(QUESTION, ORACLE, {}), Random(0)
    [[plan]] = plan_rows([candidate], ExampleSettings(num_distractors=1, oracle_fraction=oracle_fraction), rng)
    made = compose(candidate, Pool.of([OTHER, Passage("third", "d", "", "Rope is sold.", 0, 13)]), plan, rng)
    assert isinstance(made, Example)
    return made


ROW = row()
RIGHT = [shown.id for shown in ROW.passages].index("oracle") + 1
WRONG = 3 - RIGHT


def quoted(words: str, number: int = RIGHT, answer: str = "36 bar") -> str:
    return f"The sheet says so: [{number}] ##begin_quote##{words}##end_quote##. That settles it. <ANSWER>: {answer}"


@pytest.mark.parametrize(
    "words",
    [
        "The Merrow 45 stops by itself at 36 bar.",
        "the merrow 45 stops by itself   at 36 bar",
        "The Merow 45 stops by itself, at 36 bar",
    ],
)
@pytest.mark.parametrize("number", [RIGHT, WRONG, 9])
def test_a_quote_is_mended_to_the_exact_words_and_number_of_its_passage(words: str, number: int) -> None:
    made = checked_target(ROW, quoted(words, number), 0.9)
    assert isinstance(made, Example)
    (quote,) = made.quotes
    assert quote.text == ORACLE.text[quote.start : quote.end]
    assert quote.text.rstrip(".") == "The Merrow 45 stops by itself at 36 bar"
    assert made.reasoning == (
        f"The sheet says so: [{RIGHT}] ##begin_quote## {quote.text} ##end_quote##. That settles it."
    )
    assert made.target == f"{made.reasoning} <ANSWER>: 36 bar"
    assert made.answer == "36 bar"
    assert made.id != ROW.id


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("It stops at 36 bar.", Reason.FORM),
        (quoted("The Merrow 45 stops by itself at 36 bar.") + "\nAnything else?", Reason.FORM),
        ("<READ> " + quoted("The Merrow 45 stops by itself at 36 bar."), Reason.FORM),
        ("As [7] says, " + quoted("The Merrow 45 stops by itself at 36 bar."), Reason.FORM),
        (quoted("The Merrow 45 stops by itself at 36 bar.", answer="40 bar"), Reason.READ_OTHERWISE),
        (quoted("The Merrow 45 stops by itself at 38 bar."), Reason.QUOTE_NOT_FOUND),
        (quoted("The Grappel lifts 2 tonnes at the pier.", WRONG), Reason.QUOTE_NOT_FOUND),
        (quoted("It is blue."), Reason.NOT_FROM_QUOTES),
        ("It is known. <ANSWER>: 36 bar", Reason.NOT_FROM_QUOTES),
    ],
)
def test_what_the_quotes_do_not_bear_out_is_rejected_with_its_reason(written: str, reason: Reason) -> None:
    assert checked_target(ROW, written, 0.9) is reason


def test_at_a_similarity_of_1_nothing_is_guessed() -> None:
    assert checked_target(ROW, quoted("The Merow 45 stops by itself at 36 bar"), 1.0) is Reason.QUOTE_NOT_FOUND


class Teacher:
    """Writes one text whatever it is asked, and keeps what it was asked."""

    name = "teacher"

    def __init__(self, style: PromptStyle) -> None:
        self.style = style
        self.asked: list[str] = []

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        self.asked += [prompt.text for prompt in prompts]
        return [Generation(quoted("stops by itself at 36 bar"), 0.0) for _ in prompts]


def test_a_teacher_is_told_the_verified_answer_and_rows_without_oracle_stay_as_they_are() -> None:
    teacher, hidden = Teacher(PromptStyle.CHAT), row(0)
    first, second = write_targets([hidden, ROW], teacher, 0.9, Silent())
    assert first == hidden
    assert isinstance(second, Example) and second.quotes[0].text == "stops by itself at 36 bar"
    (asked,) = teacher.asked
    assert "Known answer: 36 bar" in asked and ORACLE.text in asked and OTHER.text in asked
    compact = Teacher(PromptStyle.COMPACT)
    write_targets([ROW], compact, 0.9, Silent())
    assert "36 bar" not in compact.asked[0].replace(ORACLE.text, "")


def test_a_written_target_is_learnt_as_it_stands_with_its_words_as_content() -> None:
    made = checked_target(ROW, quoted("stops by itself at 36 bar"), 0.9)
    assert isinstance(made, Example)
    learnt = raft_row(asdict(made), PromptStyle.CHAT, "row")
    assert joined(learnt.target) == made.target
    template = [segment.text for segment in learnt.target if not segment.content]
    assert template == [f"[{RIGHT}] ##begin_quote## ", " ##end_quote##", " ", "<ANSWER>: "]
