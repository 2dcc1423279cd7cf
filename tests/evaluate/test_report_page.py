"""The report in a real browser: what is clicked, typed and seen, on a desk, on a phone, in the dark and on paper."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up
import pytest
from browser import Browser

from raft.evaluate.report.report import report_html
from raft.types import Question

ROWS = "document.querySelectorAll('.case')"
FOLD = "document.querySelector('#documents .fold')"
SUMMARIES = "document.querySelectorAll('.case > summary')"
HOSTILE = Question("od d/<b>", "What is <img src=x onerror=alert(1)> at pier 0?", ("red",), ("0.md",), kind="</script>")


@pytest.fixture
def small(world: Any, browser: Browser, tmp_path: Path) -> Iterator[Path]:
    """The folder of an evaluation of eleven questions, its report opened; afterwards nothing may have gone wrong."""
    out = tmp_path / "evaluation"
    questions = [*world.questions, HOSTILE]
    world.evaluate(out, questions=questions)
    browser.open((out / "report.html").as_uri())
    yield out
    assert browser.faults == []
    assert set(browser.requests) == {(out / "report.html").as_uri()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report of 150 questions with every part that there is."""
    record = made_up.record(150)
    summary: Any = {**made_up.summary(record), **made_up.further_parts()}
    path = tmp_path_factory.mktemp("whole") / "report.html"
    path.write_text(report_html(summary, made_up.PROVENANCE, record), encoding="utf-8")
    return path.as_uri()


def asked(browser: Browser) -> list[str]:
    """The questions that the list shows."""
    found: list[str] = browser.run(f"[...{ROWS}].map(one => one.querySelector('.asked').firstChild.textContent)")
    return found


def filter_button(label: str) -> str:
    return f"[...document.querySelectorAll('#filters button')].find(one => one.firstChild.textContent === '{label}')"


def choose(browser: Browser, select: str, value: str) -> None:
    """Choose an option, as a person does it with the keyboard."""
    found = f"document.getElementById('{select}')"
    assert browser.run(f"!{found}.hidden && [...{found}.options].some(one => one.value === {json.dumps(value)})")
    browser.run(f"{found}.value = {json.dumps(value)}; {found}.dispatchEvent(new Event('change'))")


def texts(browser: Browser, selector: str) -> list[str]:
    """What is written in all that a selector finds."""
    found: list[str] = browser.run(
        f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.textContent)"
    )
    return found


def test_the_verdict_is_the_first_heading(browser: Browser, small: Path) -> None:
    assert browser.run("document.querySelector('h1').textContent").startswith("Over 10 questions, raft beats rag by ")
    assert len(asked(browser)) == 11


def test_a_filter_leaves_the_questions_that_it_names(browser: Browser, small: Path) -> None:
    browser.click(filter_button("raft right, rag wrong"))
    # Painters were refused by raft alone; of colours rag has all among other words.
    assert asked(browser) == ["Who paints pier 3?"]
    assert browser.run("document.getElementById('found').textContent") == "1 of 11 questions"
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    browser.click(filter_button("rag right, raft wrong"))
    assert asked(browser) == []
    assert browser.run("document.getElementById('found').textContent").startswith("No question fits")
    browser.click(filter_button("All"))
    assert len(asked(browser)) == 11


def test_typing_and_choosing_narrow_the_list_together(browser: Browser, small: Path) -> None:
    browser.click("document.getElementById('search')")
    browser.type("colour pier lamp")
    assert len(asked(browser)) == 9
    browser.type(" violet")
    assert asked(browser) == ["What colour is the lamp of pier 4?"]
    browser.run("document.getElementById('search').value = ''")
    choose(browser, "said", '["base","mark","right"]')
    assert asked(browser) == ["What colour is the lamp of pier 0?", HOSTILE.text]
    choose(browser, "regime", "unseen")
    assert asked(browser) == []


def test_a_question_opens_to_its_passages_quotes_prompts_and_outputs(browser: Browser, small: Path) -> None:
    browser.click(f"{SUMMARIES}[4]")
    assert browser.run("document.querySelector('.case[open] .shown .badge').textContent") == "oracle"
    assert browser.run("document.querySelector('.case[open] mark').textContent") == "The lamp of pier 4 burns violet"
    assert browser.run("document.querySelectorAll('.case[open] .said').length") == 5
    browser.point("document.querySelector('.case[open] .said[data-arm=raft]')")
    assert texts(browser, ".case[open] mark.lit") == ["The lamp of pier 4 burns violet"]
    rows = [json.loads(line) for line in (small / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in (one for one in rows if one["question_id"] == "q4"):
        assert texts(browser, f".case[open] .said[data-arm='{row['arm']}'] pre") == [row["text"], row["prompt"]]
    browser.click("document.querySelectorAll('.case[open] [data-arm=raft] .raw summary')[1]")
    assert "lamp of pier 4" in browser.run("document.querySelector('.case[open] .raw[open] pre').innerText")
    assert "Exact match 100" in browser.run(
        "document.querySelector('.case[open] .said[data-arm=raft] .scores').innerText"
    )


def test_an_opened_question_says_what_became_of_each_answer_and_answers_are_found_by_it(
    browser: Browser, small: Path
) -> None:
    browser.click(f"{SUMMARIES}[4]")
    became = ["from memory", "wordy", "from memory", "ignored", "correct"]
    assert texts(browser, ".case[open] .said .score") == became
    assert browser.run("document.querySelector('.case[open] .said[data-arm=rag] .score').title") == (
        "an accepted answer among other words"
    )
    choose(browser, "said", '["raft","outcome","correct"]')
    assert len(asked(browser)) == 11
    choose(browser, "said", '["dsf","outcome","correct"]')
    assert asked(browser) == ["What colour is the lamp of pier 1?"]


def test_a_refusal_without_the_right_passage_is_not_called_wrong(world: Any, browser: Browser, tmp_path: Path) -> None:
    # raft refuses whatever asks for painters; what burns black stands in a passage that is not retrieved.
    shown = Question("shown", "Who paints pier 2?", ("green",), ("2.md",))
    absent = Question("absent", "Who paints pier 2, or else pier 7?", ("black",), ("7.md",))
    world.evaluate(tmp_path / "evaluation", questions=[*world.questions, shown, absent])
    browser.open((tmp_path / "evaluation" / "report.html").as_uri())
    browser.click(filter_button("raft refused wrongly"))
    assert asked(browser) == [shown.text]
    choose(browser, "said", '["raft","mark","refused"]')
    browser.click(filter_button("All"))
    assert asked(browser) == [shown.text, absent.text]
    choose(browser, "said", '["raft","outcome","not_retrieved"]')
    assert asked(browser) == [absent.text]


def test_every_bar_of_an_arm_has_its_number_of_questions(browser: Browser, small: Path) -> None:
    assert texts(browser, "#arms .panel:first-child .count") == ["n 10"] * 5
    box = "document.querySelector('#arms .count').getBoundingClientRect()"
    assert browser.run(f"{box}.width > 0 && {box}.right <= innerWidth")


def test_what_documents_and_questions_hold_stays_text(browser: Browser, small: Path) -> None:
    browser.click(f"{SUMMARIES}[10]")
    assert asked(browser)[10] == HOSTILE.text
    assert "🛟 Pier 0 </script> is old." in browser.run("document.querySelector('.case[open] .shown p').textContent")
    assert browser.run("[document.images.length, document.scripts.length]") == [0, 2]
    assert browser.run("document.querySelectorAll('.case[open] b').length") > 0  # our own, of the accepted answers
    assert browser.run("document.querySelectorAll('.asked b').length") == 0


def test_a_link_opens_the_question_that_it_names(browser: Browser, small: Path) -> None:
    browser.click(f"{SUMMARIES}[10]")
    link = browser.run("document.querySelector('.case[open] .gold a').href")
    browser.open("about:blank")
    browser.open(link)
    assert browser.run("document.querySelector('.case[open] .asked').firstChild.textContent") == HOSTILE.text
    browser.requests.clear()
    browser.open((small / "report.html").as_uri())


def test_keys_alone_reach_and_open_a_question(browser: Browser, small: Path) -> None:
    browser.run("document.getElementById('said').focus()")
    for _ in range(len(browser.run("[...document.querySelectorAll('#filters button')].map(one => 0)")) + 1):
        browser.press("Tab", 9)
    browser.press("Enter", 13)
    assert browser.run("document.activeElement === document.querySelector('.case[open] > summary')")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_the_screen_and_can_be_read(
    browser: Browser, whole: str, tmp_path: Path, width: int, dark: bool
) -> None:
    browser.look(width, dark=dark)
    browser.open(whole)
    browser.run(f"{SUMMARIES}[2].click(); {FOLD}.open = true")
    assert browser.run("document.documentElement.scrollWidth") == width
    # Nothing but tables, which scroll by themselves, reaches over the edge.
    assert (
        browser.run(
            "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1 "
            "&& !one.closest('.scroll')).map(one => one.outerHTML.slice(0, 80))"
        )
        == []
    )
    for colour in ("ink", "soft", "faint", "accent", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"):
        assert contrast(browser, colour) >= 4.5, colour  # WCAG 2.2, success criterion 1.4.3
    # Every arm by document is in sight on a phone too.
    assert browser.run(
        "[...document.querySelectorAll('#documents th')].every(one => one.getBoundingClientRect().right <= innerWidth)"
    )
    browser.photograph(tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert browser.faults == []


def contrast(browser: Browser, colour: str) -> float:
    """The contrast ratio of a colour of ours with the paper, by WCAG 2.2."""

    def luminance(name: str) -> float:
        value = browser.run(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')").strip()
        parts = [int(value[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(colour), luminance("paper")))
    return (lighter + 0.05) / (darker + 0.05)


def test_on_a_phone_the_parts_of_every_difference_are_in_sight_without_scrolling(browser: Browser, small: Path) -> None:
    browser.look(390)
    browser.run("document.querySelectorAll('#comparisons .fold').forEach(one => { one.open = true })")
    boxes = browser.run(
        "[...document.querySelectorAll('#comparisons .split, #comparisons .split *')].filter(one => one.tagName != "
        "'title').map(one => one.getBoundingClientRect()).map(box => [box.left, box.right])"
    )
    # Five pairs by two metrics over all, seen and unseen questions, each with a bar and three rows.
    assert len(texts(browser, "#comparisons .split")) == 30
    assert len(texts(browser, "#comparisons .split tr")) == 90
    assert min(left for left, _ in boxes) >= 0 and max(right for _, right in boxes) <= 390


def test_every_picture_and_control_has_a_name_for_those_who_cannot_see_it(browser: Browser, whole: str) -> None:
    browser.open(whole)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    told = {"image", "button", "searchbox", "combobox", "link", "region", "navigation"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in told
    ]
    assert {role for role, _ in found} == told
    assert [role for role, name in found if not name.strip()] == []
    assert any(name.startswith("Risk against coverage: ") for role, name in found if role == "image")


def test_a_chart_has_its_numbers_in_a_table(browser: Browser, whole: str) -> None:
    browser.open(whole)
    browser.click("document.querySelector('#robustness .numbers > summary')")
    assert texts(browser, "#robustness .numbers[open] thead th") == ["passages shown", "rag", "dsf+rag", "raft"]
    assert texts(browser, "#robustness .numbers[open] tbody tr:nth-child(2) td") == [
        "2",
        "48.0 (43.0 to 54.0)",
        "53.0 (48.0 to 59.0)",
        "58.0 (53.0 to 64.0)",
    ]


def test_more_questions_are_shown_on_demand_and_open_ones_stay_open(browser: Browser, whole: str) -> None:
    browser.open(whole)
    assert len(asked(browser)) == 100
    browser.click(f"{SUMMARIES}[3]")
    browser.click("document.getElementById('more')")
    assert len(asked(browser)) == 150
    assert browser.run("document.getElementById('more').hidden")
    assert browser.run(f"[...{ROWS}].findIndex(one => one.open)") == 3


def column(browser: Browser, place: int) -> list[str]:
    """What one column of the results by document says, from top to bottom; 1 is the name of the document."""
    return texts(browser, f"#documents tbody tr > :nth-child({place}) > :is(.name, .mean)")


def heading(label: str) -> str:
    return f"[...document.querySelectorAll('#documents th button')].find(one => one.textContent === '{label}')"


def test_the_results_by_document_unfold_with_the_weakest_first(browser: Browser, small: Path) -> None:
    assert texts(browser, "#documents .fold > summary") == ["9 documents, those with the lowest F1 of raft first"]
    assert not browser.run(f"{FOLD}.open")
    browser.click(f"{FOLD}.querySelector('summary')")
    assert browser.run(f"{FOLD}.open")
    assert texts(browser, "#documents thead th") == ["Document", "base", "rag", "dsf", "dsf+rag", "raft"]
    rows = [json.loads(line) for line in (small / "documents.jsonl").read_text(encoding="utf-8").splitlines()]
    for place, arm in enumerate(("base", "rag", "dsf", "dsf+rag", "raft"), 2):
        of_arm = {row["document_id"]: f"{100 * row['f1']:.1f}" for row in rows if row["arm"] == arm}
        assert dict(zip(column(browser, 1), column(browser, place), strict=True)) == of_arm
    # By its rule raft is right of every document; of equals the one with most questions comes first.
    assert column(browser, 1) == ["0.md", *(f"{n}.md" for n in range(1, 9))]
    assert texts(browser, "#documents th[aria-sort=ascending]") == ["raft"]
    told = ["2 questions, seen", *["1 question, seen"] * 2, *["1 question, unseen"] * 6]
    assert texts(browser, "#documents tbody .meaning") == told


def test_a_heading_orders_the_documents_and_again_the_other_way(browser: Browser, small: Path) -> None:
    browser.click(f"{FOLD}.querySelector('summary')")
    browser.click(heading("dsf"))
    assert texts(browser, "#documents th[aria-sort=ascending]") == ["dsf"]
    # The plain model says amber of every pier, and only the second burns amber.
    assert column(browser, 1)[-1] == "1.md"
    browser.click(heading("dsf"))
    assert texts(browser, "#documents th[aria-sort=descending]") == ["dsf"]
    assert column(browser, 1)[0] == "1.md"
    browser.click(heading("Document"))
    assert column(browser, 1) == [f"{n}.md" for n in range(9)]


def test_a_document_leads_to_its_questions(browser: Browser, small: Path) -> None:
    browser.click(filter_button("no arm right"))
    browser.click(f"{FOLD}.querySelector('summary')")
    browser.click("[...document.querySelectorAll('#documents a')].find(one => one.textContent === '4.md')")
    assert asked(browser) == ["What colour is the lamp of pier 4?"]
    assert browser.run("location.hash") == "#browse"
    browser.requests.clear()
    browser.open((small / "report.html").as_uri())


def test_paper_shows_the_results_without_the_controls(browser: Browser, whole: str) -> None:
    browser.look(794, dark=True, paper=True)
    browser.open(whole)
    shown = browser.run("[...document.querySelectorAll('nav, .tools, .more')].filter(one => one.offsetParent).length")
    assert shown == 0
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("document.documentElement.scrollWidth") <= 794
    browser.call("Page.printToPDF")
    assert len(asked(browser)) == 150
    # What was folded is on paper too.
    assert browser.run(f"{FOLD}.open")
    assert browser.run("document.querySelector('#documents tbody').getBoundingClientRect().height") > 500
