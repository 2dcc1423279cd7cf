"""Written questions: one at a time or as a list, the likeliest first, checked by a reader that may be another model."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from raft.artifacts import read_jsonl
from raft.errors import InputError
from raft.examples import generate_examples
from raft.examples.asking import way_of_asking, write_questions
from raft.examples.composing import Reason
from raft.examples.reader import reading_model
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

    style = PromptStyle.CHAT

    def __init__(self, folder: Path, text: str, lines: Sequence[float] = ()) -> None:
        self.name = str(folder)
        self._text, self._lines = text, tuple(lines)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        assert all(prompt.listed for prompt in prompts)
        return [Generation(self._text, 0.0, lines=self._lines) for _ in prompts]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a question writer, without its weights."""
    made = tmp_path / "writer"
    made.mkdir()
    (made / "adapter_config.json").write_text('{"base_model_name_or_path": "smollm2"}')
    (made / "writer.json").write_text("{}")
    return made


def listed(asked: Sequence[tuple[str, str]]) -> str:
    return joined(listed_target(asked)).strip()


def written(lister: Lister, **settings: int) -> tuple[list[str], list[Reason]]:
    kept, rejected = write_questions([PASSAGE], lister, ExampleSettings(**settings), 0, Silent())
    return [candidate.question.text for candidate in kept], [reason for _, _, reason in rejected]


def test_the_likeliest_questions_of_a_list_are_put_forward_and_the_same_one_once(folder: Path) -> None:
    # Each question stands in a line below its answer.
    lister = Lister(folder, listed([*ASKED, ASKED[1]]), [-1.0, -0.5, -1.0, -0.1, -1.0, -0.9, -1.0, -0.2])
    kept, rejected = written(lister, questions_per_passage=2)
    assert kept == [ASKED[1][0], ASKED[0][0]]
    assert sorted(rejected) == sorted([Reason.DUPLICATE, Reason.UNLIKELY])


def test_a_question_that_its_writer_finds_unlikely_is_not_put_forward(folder: Path) -> None:
    lister = Lister(folder, listed(ASKED), [-0.1, -0.5, -0.1, -0.6, -0.1, -0.4])
    assert written(lister) == ([ASKED[2][0], ASKED[0][0]], [Reason.UNLIKELY])


def test_a_list_that_is_cut_off_keeps_its_whole_questions_and_one_of_no_form_is_told(folder: Path) -> None:
    kept, rejected = written(Lister(folder, listed(ASKED[:2]) + "\nAnswer: April\nQuest"))
    assert kept == [ASKED[0][0], ASKED[1][0]]
    assert rejected == []
    assert written(Lister(folder, "Here are some questions.")) == ([], [Reason.FORM])


def test_a_question_writer_is_asked_for_one_list_and_other_models_for_each_question(folder: Path) -> None:
    settings = ExampleSettings(questions_per_passage=5, drafts=4)
    way = way_of_asking(str(folder), PromptStyle.CHAT, settings, 0)
    assert (way.listed, way.calls) == (True, 1)
    assert [way_of_asking("smollm2", PromptStyle.CHAT, settings, 0).calls] == [5]
    assert way_of_asking("mini", PromptStyle.COMPACT, settings, 0).calls == 20


class Reader:
    """Answers every question with the pressure."""

    name = "reader"
    style = PromptStyle.COMPACT

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        return [Generation(joined(plain_target("36 bar")), 0.0) for _ in prompts]


def test_another_model_than_the_writer_may_check_what_it_writes(
    notes_index: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"writer": Lister(folder, listed(ASKED)), "checker": Reader()}
    monkeypatch.setattr("raft.examples.generation.load_generator", lambda name, calls=None: made[name])
    monkeypatch.setattr("raft.examples.generation.weights_fingerprint", str)
    monkeypatch.setattr("raft.examples.generation.estimate_calls", lambda *_: "")
    settings = ExampleSettings(
        model="writer", reader="checker", num_distractors=1, validation_fraction=0, test_fraction=0, unseen_fraction=0
    )
    manifest = generate_examples(notes_index, tmp_path / "out", settings=settings)
    assert [row["answer"] for _, row in read_jsonl(tmp_path / "out" / "train.jsonl")] == ["36 bar"]
    assert manifest.inputs["model"] == "writer"
    assert manifest.inputs["reader"] == "checker"


def test_a_question_writer_is_checked_by_mini_unless_a_reader_is_named(folder: Path) -> None:
    assert reading_model(ExampleSettings(model=str(folder))) == "mini"
    assert reading_model(ExampleSettings(model=str(folder), reader="smollm2")) == "smollm2"
    assert reading_model(ExampleSettings(model="smollm2")) == "smollm2"


@pytest.mark.parametrize(("name", "model"), [("targets", ""), ("targets", "model"), ("reader", "")])
def test_a_question_writer_is_not_asked_for_what_it_never_learnt(
    notes_index: Path, folder: Path, tmp_path: Path, name: str, model: str
) -> None:
    settings = ExampleSettings(model=str(folder), **{name: model or str(folder)})
    with pytest.raises(InputError, match=rf"writes questions and nothing else: name another model as generate.{name}"):
        generate_examples(notes_index, tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()
