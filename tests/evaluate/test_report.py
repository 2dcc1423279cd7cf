"""The report: one page without a network that holds all it shows, whatever the documents hold."""

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import made_up
import pytest

from raft.errors import ArtifactError
from raft.evaluate.measures.metrics import score_all
from raft.evaluate.plan.arms import MEANINGS
from raft.evaluate.report.blocks import Block, Lines, Point, Scale
from raft.evaluate.report.browse import Record, browsable
from raft.evaluate.report.markdown import rendered, table_markdown
from raft.evaluate.report.report import report_html, report_markdown
from raft.evaluate.report.sections import SECTIONS, sections
from raft.prompts import PromptStyle, passages_prompt
from raft.types import Passage, Prediction, Question, Quote, Score, ScoredPassage

HOSTILE = "What colour <img src=x onerror=alert(1)> is the lamp of pier 0 & 1? | ]]> <!-- \u2028"


def prompt_of(data: Any, case: Any, arm: str) -> str:
    """A prompt put together as the page does it."""
    opening, *pieces = case["prompts"][case["arms"][arm]["prompt"]]
    texts = [case["question"], *(data["passages"][id_]["text"] for id_ in case["passages"])]
    return "".join([data["openings"][opening], *(one if isinstance(one, str) else texts[one] for one in pieces)])


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
    world.evaluate(out, questions=questions)
    page = (out / "report.html").read_text(encoding="utf-8")
    return page, (out / "report.md").read_text(encoding="utf-8"), json.loads(Page(page).scripts[0])


def test_the_page_loads_nothing_and_holds_no_markup_of_the_documents(made: tuple[str, str, dict[str, Any]]) -> None:
    page = Page(made[0])
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
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


def test_the_right_passages_say_an_answer_or_are_all_that_the_evidence_has(
    made: tuple[str, str, dict[str, Any]],
) -> None:
    cases = {one["id"]: one for one in made[2]["questions"]}
    assert cases["q4"]["oracles"] == ["p4"]
    assert cases["wrong"]["documents"] == ["5.md"]
    assert cases["wrong"]["passages"] == ["p5", "p6"]
    assert cases["wrong"]["oracles"] == ["p5"]
    assert cases["none"]["oracles"] == []
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


def test_every_prompt_is_embedded_to_the_letter(world: Any, tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    world.evaluate(out)
    data = json.loads(Page((out / "report.html").read_text(encoding="utf-8")).scripts[0])
    cases = {one["id"]: one for one in data["questions"]}
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows
    for row in rows:
        assert prompt_of(data, cases[row["question_id"]], row["arm"]) == row["prompt"]
    # Three arms were shown the same, and two were asked from memory.
    assert [len(case["prompts"]) for case in data["questions"]] == [2] * len(world.questions)


def test_a_prompt_is_kept_whole_whatever_its_passages_share() -> None:
    inner = Passage("inner", "a.md", "Tide", "high tide", 0, 9)
    outer = Passage("outer", "a.md", "high tide", "the high tide at noon, the high tide", 0, 36)
    empty = Passage("empty", "a.md", "", "", 0, 0)
    asked = [Question("1", "high tide"), Question("2", "Tide?"), Question("3", "")]
    shown = [[outer, inner], [inner], [empty, inner]]
    predictions = [
        Prediction(one.id, "rag", tuple(each.id for each in found), prompt, "", "", (), abstained=False, seconds=0.0)
        for one, found in zip(asked, shown, strict=True)
        for prompt in [passages_prompt(one.text, found, PromptStyle.CHAT).text]
    ]
    scores = [Score(one.id, "", "rag", {"abstained_correctly": 0.0}) for one in asked]
    retrieved = [[ScoredPassage(each, 1.0) for each in found] for found in shown]
    data = browsable(["rag"], Record(asked, retrieved, predictions, scores, frozenset()))
    for case, prediction in zip(data["questions"], predictions, strict=True):
        assert prompt_of(data, case, "rag") == prediction.prompt


def test_a_passage_that_was_not_retrieved_is_shown_after_those_that_were() -> None:
    found, given = (Passage(one, "a.md", one, f"{one} tide at noon", 0, 0) for one in ("low", "high"))
    quote = Quote("high", 0, 9, "high tide")
    text = "[1] ##begin_quote## high tide ##end_quote## <ANSWER>: high"
    question = Question("1", "Which tide?", ("high",), ("a.md",))
    predictions = [
        Prediction("1", "rag", ("low",), "low", "<ANSWER>: low", "low", (), abstained=False, seconds=0.0),
        Prediction("1", "oracle", ("high",), "high", text, "high", (quote,), abstained=False, seconds=0.0),
    ]
    scores = score_all({"1": question}, predictions)
    record = Record([question], [[ScoredPassage(found, 1.0)]], predictions, scores, frozenset(), {"high": given})
    (case,) = browsable(["rag", "oracle"], record)["questions"]
    assert (case["passages"], case["retrieved"], case["oracles"]) == (["low", "high"], 1, ["high"])
    assert case["arms"]["oracle"]["quotes"] == [[2, 0, 9]]
    assert case["arms"]["oracle"]["unverified"] == []


def test_400_questions_of_5_arms_fit_into_3_megabytes_with_every_part() -> None:
    record = made_up.record(400)
    page = report_html({**made_up.summary(record), **made_up.further_parts()}, made_up.PROVENANCE, record)
    assert len(record.predictions) == 2000
    assert len(json.loads(Page(page).scripts[0])["passages"]) == 1200
    assert len(page.encode()) < 3_000_000


def test_a_section_is_there_only_where_its_part_was_recorded() -> None:
    record = made_up.record(16)
    summary, further = made_up.summary(record), made_up.further_parts()
    basic = ["arms", "comparisons", "metrics", "retrieval"]
    names = {
        "kinds": "kinds",
        "outcomes": "outcomes",
        "labels": "labels",
        "risk_coverage": "risk-coverage",
        "robustness": "robustness",
        "forgetting": "forgetting",
        "prompts": "prompts",
        "training": "training",
    }

    def shown(**parts: Any) -> set[str]:
        return {section.name for section in sections({**summary, "top_k": 3, **parts, "meanings": MEANINGS})}

    assert shown() == set(basic)
    for part, name in names.items():
        assert shown(**{part: further[part]}) == {*basic, name}
    assert shown(retrieval={}) == {"arms", "comparisons", "metrics"}
    page = report_html({**summary, **further}, made_up.PROVENANCE, record)
    assert "recall@10" in page
    assert re.findall(r'<section id="([^"]+)"', page) == [
        *["arms", "comparisons", "metrics", "kinds", "documents", "outcomes", "labels"],
        *["robustness", "forgetting", "risk-coverage", "retrieval", "prompts", "training", "browse", "made"],
    ]


def test_an_evaluation_without_an_answerable_question_has_a_report(world: Any, tmp_path: Path) -> None:
    asked = [one for one in world.questions if one.unanswerable]
    out = tmp_path / "evaluation"
    world.evaluate(out, questions=asked)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<h1>There is nothing to compare.</h1>" in page
    shown = set(re.findall(r'<section id="([^"]+)"', page))
    assert shown >= {"metrics", "training", "browse", "made"}
    assert not shown & {"arms", "comparisons", "kinds", "retrieval"}


def test_what_training_cost_stands_in_the_summary_and_both_reports(world: Any, tmp_path: Path) -> None:
    (world.models["raft"] / "timing.json").write_text('{"seconds": 36.5}', encoding="utf-8")
    out = tmp_path / "evaluation"
    made = world.evaluate(out)
    training = json.loads((out / "summary.json").read_text(encoding="utf-8"))["training"]
    assert training == made.summary["training"]
    assert {name: one["seconds"] for name, one in training.items()} == {"dsf": None, "raft": 36.5}
    assert (training["raft"]["rows"], training["raft"]["target_tokens"]) == (12, 90)
    cost = (out / "report.md").read_text(encoding="utf-8").partition("## What training cost\n")[2]
    assert "| Cost | About | dsf | raft |" in cost
    assert "| Rows | training questions, each with its target | 12 | 12 |" in cost
    assert "| Seconds | training alone, without loading |  | 36.5 |" in cost
    assert "36.5" in (out / "report.html").read_text(encoding="utf-8")


def test_nothing_tells_where_a_model_lies(world: Any, tmp_path: Path) -> None:
    settings = world.settings.model_copy(update={"arms": (f"ours={world.models['raft']},retrieved",)})
    out = tmp_path / "evaluation"
    made = world.evaluate(out, settings=settings)
    assert list(made.summary["training"]) == ["dsf", "raft"]
    assert "ours" in made.summary["arms"]
    assert [path.name for path in out.iterdir() if str(tmp_path) in path.read_text(encoding="utf-8")] == []


def test_a_damaged_time_is_an_error_that_names_its_file(world: Any, tmp_path: Path) -> None:
    (world.models["raft"] / "timing.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"timing\.json does not say .*: delete that file"):
        world.evaluate(tmp_path / "evaluation")


def test_scores_load_in_pandas_one_row_an_answer(world: Any, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    out = tmp_path / "evaluation"
    made = world.evaluate(out)
    frame = pandas.read_json(out / "scores.jsonl", lines=True)
    assert len(frame) == 5 * len(world.questions)
    means = frame.groupby("arm")["f1"].mean()
    assert means.to_dict() == pytest.approx({arm: one["f1"]["mean"] for arm, one in made.summary["arms"].items()})


@pytest.mark.parametrize(
    ("values", "lowest", "ticks"),
    [
        ([36.5], 0.0, (0, 10, 20, 30, 40)),
        ([0.0], 0.0, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        ([0.31, 0.24], None, (0.24, 0.26, 0.28, 0.3, 0.32)),
        ([10, 30], 0.0, (0, 10, 20, 30)),
        ([100.0], 0.0, (0, 20, 40, 60, 80, 100)),
    ],
)
def test_a_scale_has_round_ticks_around_its_values(
    values: list[float], lowest: float | None, ticks: tuple[float, ...]
) -> None:
    scale = Scale.over("", values, lowest)
    assert scale.ticks == pytest.approx(ticks)
    assert [scale.place(tick) for tick in (ticks[0], ticks[-1])] == [0, 100]


def test_the_first_thing_to_read_is_the_verdict(made: tuple[str, str, dict[str, Any]]) -> None:
    page, markdown, _ = made
    assert "Over 11 questions, raft beats rag by " in page[page.index("<h1>") : page.index("</h1>")]
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
    world.open_index = lambda _: Elsewhere()
    world.evaluate(out, settings=settings)
    data = json.loads(Page((out / "report.html").read_text(encoding="utf-8")).scripts[0])
    asked = data["questions"][4]
    assert asked["passages"] == ["p5", "p6", "p4"]
    assert asked["oracles"] == ["p4"]
    ((number, start, end),) = asked["arms"]["ours"]["quotes"]
    assert number == 3
    assert data["passages"]["p4"]["text"][start:end] == "The lamp of pier 4 burns violet"


def test_every_block_has_a_macro_of_the_page_and_a_rendering_in_markdown() -> None:
    macros = (files("raft.evaluate.report") / "templates" / "blocks.html.j2").read_text(encoding="utf-8")
    for block in get_args(Block):
        assert f"{{% macro {block.macro}(" in macros
        assert rendered.dispatch(block) is not rendered.dispatch(object), block


def test_a_short_curve_is_a_table_in_markdown_and_a_long_one_a_sentence() -> None:
    axis = Scale("passages", (1.0, 2.0))
    short = Lines("F1", axis, axis, {"rag": [Point(1, 40, 30, 50)], "raft": [Point(1, 50), Point(2, 60.5)]})
    title, table = rendered(short)
    assert title == "### F1"
    assert table.splitlines() == [
        "| passages | rag | raft |",
        "| --- | --- | --- |",
        "| 1 | 40.0 (30.0 to 50.0) | 50 |",
        "| 2 |  | 60.5 |",
    ]
    long = Lines("Loss", axis, axis, {"training": [Point(x, 100 - x) for x in range(40)]})
    assert list(rendered(long)) == ["### Loss", "Passages over passages: training from 100 at 0 to 61 at 39."]


def test_both_reports_have_the_same_sections_in_the_same_order() -> None:
    record = made_up.record(16)
    summary: Any = {**made_up.summary(record), **made_up.further_parts()}
    page = report_html(summary, made_up.PROVENANCE, record)
    text = report_markdown(summary, made_up.PROVENANCE, record)
    titles = re.findall("<h2>([^<]+)</h2>", page)
    assert re.findall("^## (.+)$", text, re.MULTILINE) == [title for title in titles if title != "Every question"]
    assert len(titles) == len(SECTIONS) + 2 - 1  # no questions with several answers are among the made-up parts


def test_what_documents_say_is_no_markdown_in_a_table() -> None:
    table = table_markdown([("Document", "n"), ("a|b<c>`d`\ne\\f", "1")])
    assert table.splitlines()[2] == "| a\\|b\\<c>\\`d\\` e\\\\f | 1 |"
