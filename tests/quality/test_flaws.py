"""Generation and the audit find the same flaws, and people's own questions pass."""

import pytest

from raft.examples.asking import check_form
from raft.examples.composing import Reason
from raft.outputs import ParsedQuestion
from raft.quality.flaws import Flaw, question_flaws, text_flaws
from raft.types import Passage, Question

TEXT = "The boiler at Ostrand carries 4000 kilograms of water. It was lit by the cook in 1961."
PASSAGE = Passage("p1", "boilers.md", "Boilers", TEXT, 0, len(TEXT))
FLAWED = [
    ("1. How much water does the boiler at Ostrand carry?", "4000 kilograms", Flaw.LISTED),
    ("How much water does the the boiler carry?", "4000 kilograms", Flaw.THREAD),
    ("How much water does the boiler (at Ostrand carry?", "4000 kilograms", Flaw.THREAD),
    ("What carried by the boiler at Ostrand?", "4000 kilograms", Flaw.VERB),
    ("When was the boiler lit?", "the cook", Flaw.KIND),
    ("What does the passage say about the boiler at Ostrand?", "4000 kilograms", Flaw.REFERS),
    ("When was it lit at Ostrand?", "1961", Flaw.LEANS),
    ("What does passage 3 say about the boiler?", "4000 kilograms", Flaw.REFERS),
    ("What does document 2 state of the boiler?", "4000 kilograms", Flaw.REFERS),
    ("According to the text on page 3, what does the boiler carry?", "4000 kilograms", Flaw.REFERS),
    ("How much water does the boiler at Ostrand...", "4000 kilograms", Flaw.CUT),
]


@pytest.mark.parametrize(("question", "answer", "flaw"), FLAWED)
def test_each_flaw_of_a_question_is_found(question: str, answer: str, flaw: Flaw) -> None:
    assert flaw in set(question_flaws(question, answer, TEXT))


@pytest.mark.parametrize(
    "question",
    [
        "Which article of the treaty speaks of boilers?",
        "Which document does a sailor carry on board?",
        "Who sailed through the Northwest Passage first?",
        "Is it safe to light the boiler at Ostrand?",
        "Why is it called a boiler year?",
        "What does step b) of the procedure require?",
        "Which rules did the crew of that boat say that that boat had had?",
        "Welche Regeln gelten f\u00fcr die, die die Schl\u00fcssel haben?",
        "Sure-footed goats live on which island?",
        "Questions about the tide go to whom?",
    ],
)
def test_a_question_that_only_looks_like_one_with_a_flaw_has_none(question: str) -> None:
    assert list(question_flaws(question, "Ostrand", TEXT)) == []


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("lorem ipsum dolor", Flaw.PLACEHOLDER),
        ("404 Not Found", Flaw.ERROR),
        ("Sure, here is the answer", Flaw.TALK),
        ("the boiler <|im_end|>", Flaw.TEMPLATE),
        ("the ##begin_quote## boiler", Flaw.TEMPLATE),
    ],
)
def test_each_flaw_of_a_text_is_found_and_names_its_mark(text: str, flaw: Flaw) -> None:
    (found,) = text_flaws(text)
    assert found.flaw is flaw
    assert found.detail == (
        {"the boiler <|im_end|>": "<|im_end|>"}.get(text, "##begin_quote##") if flaw is Flaw.TEMPLATE else ""
    )


def test_a_passage_may_quote_what_a_model_says_and_a_target_may_have_our_marks() -> None:
    assert list(text_flaws("Sure, here is the answer", passage=True)) == []
    assert list(text_flaws("[1] ##begin_quote## lit ##end_quote## <ANSWER>: lit", target=True)) == []


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("How much water does the the boiler carry?", "4000 kilograms", Reason.NOT_A_QUESTION),
        ("1. How much water does the boiler at Ostrand carry?", "4000 kilograms", Reason.NOT_A_QUESTION),
        ("When was the boiler lit?", "the cook", Reason.OTHER_KIND),
        ("How much water does Article 5 make the boiler carry?", "4000 kilograms", None),
        ("How much does the boiler in this passage carry?", "4000 kilograms", Reason.REFERS_TO_PASSAGE),
        ("When was it lit at Ostrand?", "1961", Reason.LEANS_ON_PASSAGE),
        ("How much water does the <|im_end|> boiler carry?", "4000 kilograms", Reason.NOT_A_QUESTION),
    ],
)
def test_generation_turns_a_flawed_question_away_with_its_reason(
    question: str, answer: str, reason: Reason | None
) -> None:
    checked = check_form(PASSAGE, ParsedQuestion(question, answer), set())
    assert checked is reason if reason else isinstance(checked, Question)
