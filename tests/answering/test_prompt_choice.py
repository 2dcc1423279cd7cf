"""How an untuned model is asked: as the recipe says, as was chosen for it, or as suits models of its kind."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from scripted import DOCUMENTS, PASSAGES, FixedIndex, ScriptedModel

from raft.answering import Answerer
from raft.answering.cases import Case, read_reply
from raft.answering.prompt_choice import (
    CHOICE,
    ONLY,
    FoundChoice,
    PromptChoice,
    TriedPrompt,
    Wording,
    find_choice,
    variants_of,
    wording_of,
)
from raft.artifacts import Ledger, Stage, writing
from raft.errors import ArtifactError, InputError
from raft.models.generator import Generation
from raft.models.weights import weights_fingerprint
from raft.prompts import ANSWER, PromptStyle, PromptVariant
from raft.recipe import AnswerSettings, Recipe, parse_settings
from raft.types import Question

BEGUN, SHORT, WORKED, QUOTE = PromptVariant
ENDPOINT = "openai:m@http://localhost:1/v1"
TRIED = TriedPrompt(0.1, 0.0, 0.1, "PASSAGE QUESTION", "QUESTION")
INDEX = "1" * 64


@pytest.fixture(scope="module")
def llama(tiny_chat: Callable[[str], Path]) -> str:
    return str(tiny_chat("llama"))


def choice(model: str, chosen: PromptVariant = SHORT, questions: int = 9) -> PromptChoice:
    return PromptChoice(Path(model).name, chosen, questions, {chosen: TRIED})


def kept(folder: Path, model: str, index: str = INDEX) -> Path:
    """A folder as `raft run` leaves it."""
    with writing(folder, Stage.PROMPTS) as draft:
        (draft.path / CHOICE).write_text(json.dumps(asdict(choice(model))), encoding="utf-8")
        inputs = {"index": index, "base model": weights_fingerprint(model)}
        draft.finish(Stage.PROMPTS, {}, inputs, {}, Ledger(9, 9))
    return folder


@pytest.mark.parametrize(("kind", "default"), [("llama", BEGUN), ("gpt2", WORKED), ("t5", SHORT)])
def test_each_kind_of_model_has_a_default_and_may_be_asked_otherwise(
    kind: str, default: PromptVariant, tiny_chat: Callable[[str], Path]
) -> None:
    first, *others = variants_of(str(tiny_chat(kind)))
    assert first is default
    assert others == [variant for variant in PromptVariant if variant is not default]


def test_a_model_of_the_compact_style_is_asked_in_one_way_whatever_is_set(tiny_mini: Path) -> None:
    for model in ("mini", str(tiny_mini)):
        assert variants_of(model) == ()
        assert wording_of(model, "short", None) == ONLY


def test_behind_an_endpoint_no_reply_is_begun() -> None:
    assert variants_of(ENDPOINT) == (QUOTE, SHORT, WORKED)
    assert wording_of(ENDPOINT, "", None).variant is QUOTE
    assert wording_of(ENDPOINT, "worked", None).variant is WORKED
    with pytest.raises(InputError, match=r"answer\.prompt is 'begun'.*set it to quote or short or worked") as caught:
        wording_of(ENDPOINT, "begun", None)
    assert "\n" not in str(caught.value)


def test_what_is_asked_for_counts_most_then_what_was_chosen_then_the_default(llama: str) -> None:
    found = FoundChoice(choice(llama), Path("prompts"), "2" * 64)
    untried = FoundChoice(choice(llama, questions=0), Path("prompts"), "2" * 64)
    assert wording_of(llama, "worked", found) == Wording(WORKED, "as answer.prompt says")
    assert wording_of(llama, "", found) == Wording(SHORT, "chosen on 9 validation questions")
    assert wording_of(llama, "", untried) == wording_of(llama, "", None) == Wording(BEGUN, "the default")


def test_a_prompt_that_does_not_exist_is_an_error_in_one_line() -> None:
    with pytest.raises(InputError, match=r"answer\.prompt: .*begun, short, worked, quote.*found 'best'") as caught:
        parse_settings(Recipe, {"answer": {"prompt": "best"}}, "settings")
    assert "\n" not in str(caught.value)


def test_a_choice_beside_the_index_is_found(tmp_path: Path, llama: str) -> None:
    assert find_choice(None, tmp_path / "index", INDEX, llama) is None
    folder = kept(tmp_path / "prompts", llama)
    found = find_choice(None, tmp_path / "index", INDEX, llama)
    assert found is not None and (found.choice, found.folder) == (choice(llama), folder)
    assert find_choice(folder, tmp_path / "elsewhere" / "index", INDEX, llama) == found
    assert find_choice(None, tmp_path / "index", INDEX, "mini") is None


def test_a_choice_for_another_index_or_model_counts_only_where_it_is_asked_for(
    tmp_path: Path, llama: str, tiny_chat: Callable[[str], Path]
) -> None:
    other = kept(tmp_path / "a" / "prompts", llama, "3" * 64)
    for folder, message in (
        (other, "was made for index 33333333, but this index is 11111111"),
        (kept(tmp_path / "b" / "prompts", str(tiny_chat("gpt2"))), r"was made for gpt2 \(.*the untuned model is llama"),
    ):
        with pytest.raises(ArtifactError, match=message) as caught:
            find_choice(folder, tmp_path / "index", INDEX, llama)
        assert "\n" not in str(caught.value)
        assert find_choice(None, folder.parent / "index", INDEX, llama) is None


def test_a_damaged_choice_is_told_whether_it_was_asked_for_or_not(tmp_path: Path, llama: str) -> None:
    spoilt = kept(tmp_path / "prompts", llama)
    (spoilt / CHOICE).write_text("{}", encoding="utf-8")
    for asked in (spoilt, None):
        with pytest.raises(ArtifactError, match="is damaged"):
            find_choice(asked, tmp_path / "index", INDEX, llama)


def test_a_folder_of_the_user_that_is_called_prompts_is_none_of_ours(tmp_path: Path, llama: str) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "manifest.json").write_text("{}", encoding="utf-8")
    assert find_choice(None, tmp_path / "index", INDEX, llama) is None


def test_prompts_beside_a_tuned_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is for untuned models"):
        Answerer.open(tmp_path / "index", tmp_path / "tuned", prompts=tmp_path / "prompts")


# --- replies in one line

RAMBLING = "\n 40 seconds \nAnswer: that is what passage 1 says\n<ANSWER>: 15 seconds"


@pytest.mark.parametrize(
    ("variant", "answer"), [(BEGUN, "40 seconds"), (SHORT, "40 seconds"), (WORKED, "40 seconds"), (QUOTE, "15 seconds")]
)
def test_an_untuned_model_is_taken_at_its_first_line(variant: PromptVariant, answer: str) -> None:
    model = ScriptedModel(RAMBLING, style=PromptStyle.CHAT)
    sources = {document.id: document.source for document in DOCUMENTS}
    answerer = Answerer(FixedIndex(), sources, model, AnswerSettings(top_k=2), Wording(variant))
    assert answerer.answer("How long?").answer == answer
    case = Case(Question("", "How long?"), PASSAGES[:2])
    assert model.prompts == [case.prompt(PromptStyle.CHAT, variant, AnswerSettings())]


def test_a_refusal_in_one_line_is_one() -> None:
    case = Case(Question("", "Who?"), PASSAGES[:2])
    prompt = case.prompt(PromptStyle.CHAT, SHORT, AnswerSettings())
    reply = read_reply(case, prompt, Generation("The passages do not answer this.\nBut who?", 0.0), AnswerSettings())
    assert reply.abstained and reply.text == "The passages do not answer this."


def test_the_label_that_an_answer_was_held_to_stands_behind_the_first_line() -> None:
    case = Case(Question("", "May it?", ("yes",)), PASSAGES[:2])
    prompt = case.prompt(PromptStyle.CHAT, SHORT, AnswerSettings())
    assert prompt.choices and prompt.one_line

    def answer(**said: Any) -> str:
        return read_reply(
            case, prompt, Generation(f"I see.\nIt may. {ANSWER} yes", 0.0, **said), AnswerSettings()
        ).answer

    assert (answer(structured=True), answer(structured=False)) == ("yes", "I see.")
