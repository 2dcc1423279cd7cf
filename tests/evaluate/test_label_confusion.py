"""Labels are read as whole words; accuracy and macro-F1 agree with scikit-learn."""

import random

import pytest
from sklearn.metrics import confusion_matrix, f1_score

from raft.evaluate.measures.label_confusion import OTHER, REFUSED, confusion, macro_f1
from raft.evaluate.measures.metrics import score
from raft.questions.labels import gold_label, labels_of, read_label
from raft.types import Prediction, Question

VERDICTS = ("yes", "no", "maybe")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Yes.", "yes"),
        ("no, it burns out", "no"),
        ("The answer is maybe", "maybe"),
        ("I do not know", None),
        ("now and then", None),
        ("yes and no", None),
        ("", None),
        ("No", "no"),
        ("No, it is not.", "no"),
        ("No; the winch may not be used.", "no"),
        ("No. The winch may not be used.", "no"),
        ("no the winch may not be used", "no"),
        ("no it isn't", "no"),
        ("No don't", "no"),
        ("No\nPump A is blue", "no"),
        ("the answer is no because it is wet", "no"),
        ("Yes, it is safe", "yes"),
        ("yes it does", "yes"),
        ("Yes, there is no limit", "yes"),
        ("There is no doubt: yes", "yes"),
        ("no idea", None),
        ("I have no idea", None),
        ("No one knows", None),
        ("No-one knows", None),
        ("No. 5 winch", None),
        ("no more than 5 bar", None),
        ("it is not yes", None),
        ("it isn't a yes", None),
        ("It cannot be maybe", None),
        ("that is not so, yes", "yes"),
        ("no, yes", None),
    ],
)
def test_a_label_is_read_as_a_whole_word_or_not_at_all(answer: str, label: str | None) -> None:
    assert read_label(answer, VERDICTS) == label


def test_choices_may_hold_each_other_or_be_single_letters() -> None:
    assert read_label("port side, aft", ("port", "port side")) == "port side"
    assert read_label("B) a lamp", ("A", "B")) == "B"
    assert read_label("it is a lamp", ("A", "B")) is None
    assert read_label("no entry by day", ("no entry", "entry")) == "no entry"
    assert read_label("no es posible", ("s\u00ed", "no")) == "no"
    assert read_label("it is not amber", ("amber", "green")) is None
    assert read_label("not by day but amber", ("amber", "green")) == "amber"
    assert read_label("now, or no", ("now", "no")) is None
    assert read_label("4.5", ("4", "5")) is None


@pytest.mark.parametrize(
    ("choices", "answer", "label"),
    [
        (("C", "C++"), "C", "C"),
        (("C", "C++"), "c++.", "C++"),
        (("C", "C++"), "It is C++", "C++"),
        (("C", "C++"), "C, not C++", None),
        (("C", "C++"), "C#", None),
        (("-5", "5"), "5", "5"),
        (("-5", "5"), "(-5)", "-5"),
        (("-5", "5"), "\u22125 degrees", "-5"),
        (("port side", "port-side"), "The port-side", "port-side"),
        (("Polish", "polish"), "polish it", "polish"),
        (("+", "-"), "-", "-"),
        (("?", "!"), "", None),
    ],
)
def test_choices_that_marks_or_case_tell_apart_stay_apart(
    choices: tuple[str, ...], answer: str, label: str | None
) -> None:
    assert read_label(answer, choices) == label
    for choice in choices:
        assert gold_label(Question("q", "?", (choice,), choices=choices)) == choice
        assert read_label(choice, choices) == choice


def test_a_question_is_closed_by_its_choices_or_by_one_verdict_among_its_answers() -> None:
    assert labels_of(Question("q", "?", ("no", "has no vote"))) == VERDICTS
    assert gold_label(Question("q", "?", ("No", "has no vote"))) == "no"
    assert labels_of(Question("q", "?", ("nobody",))) == ()
    assert labels_of(Question("q", "?", ("yes", "no"))) == ()
    chosen = Question("q", "?", ("aft",), choices=("fore", "aft"))
    assert (labels_of(chosen), gold_label(chosen)) == (("fore", "aft"), "aft")


def said(id_: str, answer: str, abstained: bool = False) -> Prediction:
    return Prediction(id_, "rag", (), "", f"<ANSWER>: {answer}", answer, (), abstained, 0.0)


def test_accuracy_and_macro_f1_are_scikit_learns() -> None:
    rng = random.Random(4)
    gold = [rng.choice(VERDICTS) for _ in range(300)]
    given = [rng.choice([*VERDICTS, one, one]) for one in gold]
    questions = {str(n): Question(str(n), "?", (one,)) for n, one in enumerate(gold)}
    predictions = [said(str(n), one) for n, one in enumerate(given)]
    matrix = confusion(questions, predictions, VERDICTS)
    expected = confusion_matrix(gold, given, labels=VERDICTS)
    assert [[matrix[g].get(s, 0) for s in VERDICTS] for g in VERDICTS] == expected.tolist()
    assert macro_f1(matrix) == pytest.approx(f1_score(gold, given, average="macro"))
    right = [score(questions[one.question_id], one)["label_accuracy"] for one in predictions]
    assert sum(right) == expected.trace()


def test_unclear_answers_and_refusals_are_no_label_and_count_as_wrong() -> None:
    questions = {"a": Question("a", "?", ("yes",)), "b": Question("b", "?", ("no",)), "c": Question("c", "?", ("red",))}
    predictions = [said("a", "perhaps"), said("b", "no", abstained=True), said("c", "no")]
    matrix = confusion(questions, predictions, VERDICTS)
    assert matrix == {"yes": {OTHER: 1}, "no": {REFUSED: 1}}
    assert macro_f1(matrix) == 0.0
    assert score(questions["b"], predictions[1])["label_accuracy"] == 0.0
    assert "label_accuracy" not in score(questions["c"], predictions[2])


def test_always_yes_is_found_out_by_macro_f1() -> None:
    matrix = {"yes": {"yes": 55}, "no": {"yes": 34}, "maybe": {"yes": 11}}
    assert macro_f1(matrix) == pytest.approx(2 * 55 / (100 + 55) / 3)
