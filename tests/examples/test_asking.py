"""Written questions: one at a time or as a list, the likeliest first, checked by a reader that may be another model."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from raft.artifacts import read_jsonl
from raft.errors import InputError
from raft.examples import generate_examples
from raft.examples.asking import way_of_asking, write_questions
from raft.examples.composing import Reason
from raft.examples.reading import reading_model
from raft.models.generator import Decoding, Generation
from raft.progress import Advance, Silent
from raft.prompts import Prompt, PromptStyle, joined, listed_target, plain_target
from raft.recipe import ExampleSettings
from raft.types import Passage

TEXT = "The Merrow 45 stops at 36 bar. Jory Mabb greases it in April. It was bought in Hask for 900 crowns."
PASSAGE = Passage("p", "pumps.md", "Pumps", TEXT, 0, len(TEXT))
ASKED = [
    ("At what pressure does the Merrow 45 stop?", "36 bar"),
    ("Who greases the Merrow 45?", "Jory Mabb"),
    ("In what month is the Merrow 45 greased?", "April"),
]


class Lister:
    """Writes the same list about every passage, with a likelihood for each line."""

    name = "smollm2-writer"
    style = PromptStyle.CHAT

    def __init__(self, text: str, lines: Sequence[float] = ()) -> None:
        self._text, self._lines = text, tuple(lines)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        assert all(prompt.listed for prompt in prompts)
        return [Generation(self._text, 0.0, lines=self._lines) for _ in prompts]


def listed(asked: Sequence[tuple[str, str]]) -> str:
    return joined(listed_target(asked)).strip()


def written(lister: Lister, **settings: int) -> tuple[list[str], list[Reason]]:
    kept, rejected = write_questions([PASSAGE], lister, ExampleSettings(**settings), 0, Silent())
    return [candidate.question.text for candidate in kept], [reason for _, _, reason in rejected]


def test_the_likeliest_questions_of_a_list_are_put_forward_and_the_same_one_once() -> None:
    # Each question stands in a line below its answer; two lists are asked for, so each comes twice.
    lister = Lister(listed(ASKED), [-1.0, -0.5, -1.0, -0.1, -1.0, -0.9])
    kept, rejected = written(lister, questions_per_passage=2)
    assert kept == [ASKED[1][0], ASKED[0][0]]
    assert sorted(rejected) == sorted([Reason.DUPLICATE, Reason.DUPLICATE, Reason.UNLIKELY, Reason.UNLIKELY])


def test_a_list_that_is_cut_off_keeps_its_whole_questions_and_one_of_no_form_is_told() -> None:
    kept, rejected = written(Lister(listed(ASKED[:2]) + "\nAnswer: April\nQuest"))
    assert kept == [ASKED[0][0], ASKED[1][0]]
    assert rejected == [Reason.DUPLICATE, Reason.DUPLICATE]
    assert written(Lister("Here are some questions.")) == ([], [Reason.FORM, Reason.FORM])


def test_only_the_writer_of_lists_is_asked_for_one_and_how_often_depends_on_no_setting() -> None:
    few, many = (ExampleSettings(questions_per_passage=number, drafts=number) for number in (1, 5))
    lists = [way_of_asking("smollm2-writer", PromptStyle.CHAT, settings, 0) for settings in (few, many)]
    assert [way.listed for way in lists] == [True, True]
    assert lists[0].calls == lists[1].calls
    assert [way_of_asking("smollm2", PromptStyle.CHAT, many, 0).calls for _ in range(2)] == [5, 5]
    assert way_of_asking("mini", PromptStyle.COMPACT, many, 0).calls == 25


class Reader:
    """Answers every question with the pressure."""

    name = "reader"
    style = PromptStyle.COMPACT

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        return [Generation(joined(plain_target("36 bar")), 0.0) for _ in prompts]


def test_another_model_than_the_writer_may_check_what_it_writes(
    notes_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"writer": Lister(listed(ASKED)), "checker": Reader()}
    made["writer"].name = "smollm2-writer"
    monkeypatch.setattr("raft.examples.verb.load_generator", lambda name, calls=None: made[name])
    monkeypatch.setattr("raft.examples.verb.weights_fingerprint", str)
    monkeypatch.setattr("raft.examples.verb.estimate_calls", lambda *_: "")
    settings = ExampleSettings(
        model="writer", reader="checker", num_distractors=1, validation_fraction=0, test_fraction=0, unseen_fraction=0
    )
    manifest = generate_examples(notes_index, tmp_path / "out", settings=settings)
    assert [row["answer"] for _, row in read_jsonl(tmp_path / "out" / "train.jsonl")] == ["36 bar"]
    assert manifest.inputs["model"] == "writer"
    assert manifest.inputs["reader"] == "checker"


def test_a_writer_that_only_writes_is_checked_by_mini_unless_a_reader_is_named() -> None:
    assert reading_model(ExampleSettings(model="smollm2-writer")) == "mini"
    assert reading_model(ExampleSettings(model="smollm2-writer", reader="smollm2")) == "smollm2"
    assert reading_model(ExampleSettings(model="smollm2")) == "smollm2"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"targets": "smollm2-writer"}, "targets"),
        ({"targets": "model"}, "targets"),
        ({"reader": "smollm2-writer"}, "reader"),
    ],
)
def test_a_writer_is_not_asked_for_what_it_never_learnt(
    notes_index: Path, tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    with pytest.raises(InputError, match=rf"writes questions and nothing else: name another model as generate.{named}"):
        generate_examples(notes_index, tmp_path / "out", settings=ExampleSettings(model="smollm2-writer", **settings))
    assert not (tmp_path / "out").exists()
