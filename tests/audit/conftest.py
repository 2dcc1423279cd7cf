"""A clean training file of our own writing, and the same rows in the layouts of other tools."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from raft.audit.layouts import Layout
from raft.prompts import BEGIN_QUOTE, END_QUOTE, PromptStyle, passages_prompt
from raft.types import ShownPassage

Row = dict[str, Any]
PLACES = ["Merrow", "Tessaly", "Dunmarra", "Quillan", "Skerry", "Halvane", "Ostrand", "Pellow", "Varrick", "Sigrun"]
PLACES += ["Lunt", "Mabb", "Ruud", "Tarrant", "Grappel", "Dart", "Kelpie", "Norsund", "Ullay", "Brae"]
TOPICS = ["pump", "winch", "dryer", "boiler", "crane"]


def fact(number: int) -> tuple[str, str, str]:
    """A question, its answer, and a passage of two sentences that holds it."""
    place, topic = PLACES[number], TOPICS[number % len(TOPICS)]
    answer = f"{140 + 7 * number} kilograms"
    passage = f"{place} keeps one {topic} in shed {number + 1}. The {topic} at {place} carries {answer} when it is new."
    return f"How much does the {topic} at {place} carry?", answer, passage


def ours(count: int = 20, shown: int = 3) -> list[Row]:
    """Rows as `raft generate` writes them; the last is a question that nothing answers."""
    rng = Random(3)
    rows = [_row(number, rng, shown) for number in range(count - 1)]
    refusal = "The passages do not answer this."
    unanswerable = copy.deepcopy(rows[0]) | {"id": "none", "question": "Who painted the ferry of Brae last year?"}
    unanswerable |= {"answers": [], "quotes": [], "answer": refusal, "target": f"<ANSWER>: {refusal}"}
    for passage in unanswerable["passages"]:
        passage["oracle"] = False
    return [*rows, unanswerable | {"kind": "unanswerable"}]


def _row(number: int, rng: Random, shown: int) -> Row:
    question, answer, text = fact(number)
    others = rng.sample([n for n in range(len(PLACES)) if n != number], shown - 1)
    passages = [_passage(n, fact(n)[2], oracle=False) for n in others] + [_passage(number, text, oracle=True)]
    rng.shuffle(passages)
    place = next(place for place, passage in enumerate(passages, 1) if passage["oracle"])
    quote = text.partition(". ")[2]
    reasoning = f"[{place}] {BEGIN_QUOTE} {quote} {END_QUOTE}"
    start = text.index(quote)
    return {
        "id": f"row-{number}",
        "question_id": f"q{number}",
        "question": question,
        "answers": [answer],
        "document_ids": [f"{PLACES[number]}.md"],
        "passages": passages,
        "reasoning": reasoning,
        "quotes": [{"passage_id": f"p{number}", "start": start, "end": start + len(quote), "text": quote}],
        "answer": answer,
        "target": f"{reasoning} <ANSWER>: {answer}",
        "kind": "oracle",
        "provenance": {},
    }


def _passage(number: int, text: str, *, oracle: bool) -> Row:
    name = PLACES[number]
    return {"id": f"p{number}", "document_id": f"{name}.md", "title": "", "text": text, "oracle": oracle}


def gorilla(rows: list[Row], prefix: str = "") -> list[Row]:
    """The columns of raft.py's hf output: reasoning without numbers, the oracle beside the passages."""
    made = []
    for number, row in enumerate(rows):
        texts = [passage["text"] for passage in row["passages"]]
        oracle = next((p["text"] for p in row["passages"] if p["oracle"]), "")
        quoted = " and ".join(f"{BEGIN_QUOTE}{quote['text']}{END_QUOTE}" for quote in row["quotes"])
        said = f"##Reason: The records say {quoted or 'nothing of it'}. This settles it."
        made.append(
            {
                "id": f"seed_task_{number}",
                "type": "general",
                "question": row["question"],
                "context": {"title": [["placeholder_title"] * len(texts)], "sentences": [texts]},
                "oracle_context": oracle,
                "cot_answer": f"{prefix}{said}\n<ANSWER>: {row['answer']}",
                "instruction": "".join(f"<DOCUMENT>{text}</DOCUMENT>\n" for text in texts) + row["question"],
            }
        )
    return made


def gorilla_chat(rows: list[Row]) -> list[Row]:
    return [
        {
            "messages": [
                {"role": "system", "content": "Answer from the documents."},
                {"role": "user", "content": row["instruction"]},
                {"role": "assistant", "content": row["cot_answer"]},
            ]
        }
        for row in gorilla(rows)
    ]


def gorilla_completion(rows: list[Row]) -> list[Row]:
    return [{"prompt": row["instruction"], "completion": row["cot_answer"] + "<STOP>"} for row in gorilla(rows)]


def messages(rows: list[Row]) -> list[Row]:
    """As `raft export --format messages` writes them."""
    made = []
    for row in rows:
        prompt = passages_prompt(row["question"], [ShownPassage(**p) for p in row["passages"]], PromptStyle.CHAT)
        made.append({"id": row["id"], "messages": [*prompt.messages, {"role": "assistant", "content": row["target"]}]})
    return made


def labelled(rows: list[Row]) -> list[Row]:
    """A home-made layout: one context under a label, then the question."""
    return [
        {
            "prompt": f"Context: {' '.join(p['text'] for p in row['passages'])}\nQuestion: {row['question']}\n",
            "completion": row["target"],
        }
        for row in rows
    ]


def alpaca(rows: list[Row]) -> list[Row]:
    made = []
    for row in messages(rows):
        system, user, reply = (message["content"] for message in row["messages"])
        made.append({"instruction": system, "input": user, "output": reply})
    return made


LAYOUTS: dict[Layout, Callable[[list[Row]], list[Row]]] = {
    Layout.RAFT: lambda rows: rows,
    Layout.GORILLA_HF: gorilla,
    Layout.PACK: lambda rows: gorilla(rows, "assistant: "),
    Layout.GORILLA_CHAT: gorilla_chat,
    Layout.GORILLA_COMPLETION: gorilla_completion,
    Layout.MESSAGES: messages,
    Layout.PROMPT_COMPLETION: labelled,
    Layout.ALPACA: alpaca,
}


@pytest.fixture
def rows() -> list[Row]:
    """Clean rows of our own layout, to be changed at will."""
    return ours()


@pytest.fixture(scope="session")
def written_as() -> dict[Layout, Callable[[list[Row]], list[Row]]]:
    """For each layout, how it says rows of ours."""
    return LAYOUTS


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[list[Row]], Path]:
    """Writes rows as JSON Lines."""

    def write(rows: list[Row]) -> Path:
        path = tmp_path / "train.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write
