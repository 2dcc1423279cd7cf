"""The report: one page without a network that holds all it shows, whatever the documents hold."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from raft.evaluate import evaluate
from raft.types import Question

HOSTILE = "What colour <img src=x onerror=alert(1)> is the lamp of pier 0 & 1? | ]]> <!-- \u2028"


class Page(HTMLParser):
    """Collects scripts and every address that a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        if tag == "script":
            self._in_script = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


@pytest.fixture
def made(world: Any, tmp_path: Path) -> tuple[str, str, dict[str, Any]]:
    """The page, the Markdown report and the data that the page embeds."""
    odd = Question("odd", HOSTILE, ("red",), ("0.md",), kind="<b>")
    # Its document is evidence, but says nothing of the accepted answer.
    wrong = Question("wrong", "Who built pier 5?", ("Hanne Ruud",), ("5.md",))
    questions = [*world.questions, odd, wrong]
    out = tmp_path / "evaluation"
    evaluate(world.index, questions, world.models, out, world.settings, open_index=world.open_index, load=world.load)
    page = (out / "report.html").read_text(encoding="utf-8")
    return page, (out / "report.md").read_text(encoding="utf-8"), json.loads(Page(page).scripts[0])


def test_the_page_loads_nothing_and_holds_no_markup_of_the_documents(made: tuple[str, str, dict[str, Any]]) -> None:
    page = Page(made[0])
    assert page.addresses == []
    assert "img" not in page.tags
    assert page.tags.count("script") == 2
    assert "url(" not in made[0]
    assert "innerHTML" not in made[0]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", made[0])


def test_the_embedded_data_is_the_whole_evaluation(made: tuple[str, str, dict[str, Any]]) -> None:
    data = made[2]
    assert data["arms"] == ["base", "rag", "dsf", "dsf+rag", "raft"]
    assert len(data["questions"]) == 12
    assert len(data["passages"]) == 9  # each once, though two questions share most of them
    odd = next(one for one in data["questions"] if one["id"] == "odd")
    assert odd["question"] == HOSTILE
    assert odd["passages"] == ["p0", "p1"]
    assert odd["regime"] == "seen"
    assert "</script>" in data["passages"]["p0"]["text"]


def test_only_a_passage_that_holds_an_accepted_answer_is_called_the_oracle(
    made: tuple[str, str, dict[str, Any]],
) -> None:
    cases = {one["id"]: one for one in made[2]["questions"]}
    assert cases["q4"]["oracles"] == ["p4"]
    assert cases["wrong"]["documents"] == ["5.md"]
    assert cases["wrong"]["passages"] == ["p5", "p6"]
    assert cases["wrong"]["oracles"] == cases["none"]["oracles"] == []
    assert '"from an evidence document"' in made[0]


def test_quotes_point_at_their_words_in_characters(made: tuple[str, str, dict[str, Any]]) -> None:
    data = made[2]
    case = next(one for one in data["questions"] if one["id"] == "q4")
    ((number, start, end),) = case["arms"]["raft"]["quotes"]
    assert data["passages"][case["passages"][number - 1]]["text"][start:end] == "The lamp of pier 4 burns violet"
    assert case["arms"]["rag"]["quotes"] == []
    assert case["arms"]["rag"]["unverified"] == [[1, "the lamp is lit"]]


def test_marks_tell_right_from_partly_right_wrong_and_refused(made: tuple[str, str, dict[str, Any]]) -> None:
    marks = {one["id"]: {arm: said["mark"] for arm, said in one["arms"].items()} for one in made[2]["questions"]}
    assert marks["q4"] == {"base": "wrong", "rag": "partly", "dsf": "wrong", "dsf+rag": "wrong", "raft": "right"}
    assert marks["none"] == {"base": "wrong", "rag": "wrong", "dsf": "wrong", "dsf+rag": "wrong", "raft": "right"}


def test_the_first_thing_to_read_is_the_verdict(made: tuple[str, str, dict[str, Any]]) -> None:
    page, markdown, _ = made
    assert "raft beats rag by " in page[page.index("<h1>") : page.index("</h1>")]
    assert markdown.startswith("# Evaluation\n\n- raft beats rag by ")
    assert "The questions were given" in page
    assert "The questions were given" in markdown


def test_the_markdown_tables_have_as_many_cells_as_columns(made: tuple[str, str, dict[str, Any]]) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", made[1], re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_a_passage_that_only_the_oracle_arm_was_shown_is_on_the_page_with_its_quotes(
    world: Any, tmp_path: Path
) -> None:
    class Elsewhere(type(world.open_index(tmp_path))):  # type: ignore[misc]
        """Never finds the pier that was asked for."""

        def retrieve(self, questions: Any, top_k: int) -> Any:
            return [found[1:] for found in super().retrieve(questions, top_k + 1)]

    settings = world.settings.model_copy(update={"arms": ("ours=raft,oracle",)})
    out = tmp_path / "evaluation"
    evaluate(
        world.index, world.questions, world.models, out, settings, open_index=lambda _: Elsewhere(), load=world.load
    )
    data = json.loads(Page((out / "report.html").read_text(encoding="utf-8")).scripts[0])
    asked = data["questions"][4]
    assert asked["passages"] == ["p5", "p6", "p4"]
    assert asked["oracles"] == ["p4"]
    ((number, start, end),) = asked["arms"]["ours"]["quotes"]
    assert number == 3
    assert data["passages"]["p4"]["text"][start:end] == "The lamp of pier 4 burns violet"
