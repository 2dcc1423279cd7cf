"""Kinds of questions, personas and paraphrases, asked of a model that follows instructions."""

import json
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import pytest
from listening import Listener

from raft.artifacts import Stage, read_jsonl, verified
from raft.errors import InputError
from raft.examples import generate_examples
from raft.examples.composing import Reason
from raft.examples.kinds import follows_instructions, write_kinds
from raft.models.generator import Decoding, Generation
from raft.outputs import parse_json_question
from raft.progress import Advance, Silent
from raft.prompts import Prompt, PromptStyle, ask_kind_prompt, joined, plain_target
from raft.recipe import ExampleSettings
from raft.types import Passage, QuestionKind

PUMP = Passage("p", "pumps.md", "Pumps", "The Merrow 45 stops at 36 bar. It is not used in winter.", 0, 55)
WINCH = Passage("w", "winches.md", "Winches", "The Grappel G5 lifts 2.2 tonnes.", 0, 32)


class Secretary:
    """A chat model that writes what it is told to, notes its prompts, and reads the last word of the first passage."""

    name = "secretary"
    style = PromptStyle.CHAT

    def __init__(self, *replies: str, structured: bool | None = None) -> None:
        self.replies, self.structured = replies, structured
        self.prompts: list[Prompt] = []
        self.decoding = Decoding()

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        self.prompts, self.decoding = list(prompts), decoding
        written = [self.replies[row % len(self.replies)] for row in range(len(prompts))]
        return [Generation(text, 0.0, structured=self.structured) for text in written]


def reply(question: str, answer: str) -> str:
    return json.dumps({"answer": answer, "question": question})


def settings(**chosen: object) -> ExampleSettings:
    return ExampleSettings.model_validate({"questions_per_passage": 1, "model": "secretary", **chosen})


@pytest.mark.parametrize(
    ("kind", "question", "answer", "reason"),
    [
        ("number", "At what pressure does the Merrow 45 stop?", "36 bar", None),
        ("number", "What is it that stops at 36 bar?", "Merrow 45", Reason.NOT_OF_KIND),
        ("negation", "When is the Merrow 45 not used?", "winter", None),
        ("negation", "When is the Merrow 45 idle?", "winter", Reason.NOT_OF_KIND),
        ("fact", "Which pump stops at 36 bar?", "Merrow 45", None),
        ("fact", "Which pump stops at 36 bar?", "Merrow 50", Reason.ANSWER_NOT_IN_PASSAGE),
    ],
)
def test_a_question_must_be_of_the_kind_that_was_wanted(
    kind: str, question: str, answer: str, reason: Reason | None
) -> None:
    kept, rejected = write_kinds([PUMP], {}, Secretary(reply(question, answer)), settings(kinds=kind), 0, Silent())
    if reason is None:
        (candidate,) = kept
        assert (candidate.question.text, candidate.question.answers) == (question, (answer,))
        assert candidate.provenance == {"source": "written", "model": "secretary", "kind": kind}
    else:
        assert [why for _, _, why in rejected] == [reason] and not kept


def test_an_instruction_may_be_longer_than_a_name() -> None:
    said = "close the valve by hand, then wait until the gauge of the wash deck shows nothing, and only then open it"
    passage = Passage("p", "d", "", f"To restart the pump: {said}.", 0, len(said) + 22)
    asked = reply("How is the pump started again?", said)
    assert write_kinds([passage], {}, Secretary(asked), settings(kinds="procedure"), 0, Silent())[0]
    (lost,) = write_kinds([passage], {}, Secretary(asked), settings(kinds="fact"), 0, Silent())[1]
    assert lost[2] is Reason.ANSWER_TOO_LONG


def test_kinds_come_in_turn_and_personas_by_the_seed_and_both_stand_in_the_prompt() -> None:
    chosen = settings(questions_per_passage=4, kinds="fact, number", personas="an apprentice; a buyer, abroad")
    prompts = []
    for seed in (1, 1, 2):
        writer = Secretary(reply("Which pump stops at 36 bar?", "Merrow 45"))
        kept, rejected = write_kinds([PUMP, WINCH], {}, writer, chosen, seed, Silent())
        assert len(kept) + len(rejected) == len(writer.prompts) == 8
        assert kept[0].provenance["persona"] in ("an apprentice", "a buyer, abroad")
        prompts.append([prompt.text for prompt in writer.prompts])
    assert prompts[0] == prompts[1] != prompts[2]
    kinds = [re.search(r"Kind of question: (one .*)\.\n", text) for text in prompts[0]]
    assert [kind[1] for kind in kinds if kind] == [
        "one for one fact: a name, a place, a thing or a reason",
        "one whose answer is a number with its unit, a date or a time",
    ] * 4
    assert all(text.rpartition("Asked by: ")[2] in ("an apprentice", "a buyer, abroad") for text in prompts[0])


def beginning(*texts: str) -> str:
    """What all texts begin with."""
    return "".join(signs[0] for signs in takewhile(lambda signs: len(set(signs)) == 1, zip(*texts, strict=False)))


def test_prompts_begin_with_what_is_constant_and_then_the_passage_so_that_prefixes_can_be_reused() -> None:
    texts = [ask_kind_prompt([PUMP], kind, persona).text for kind in QuestionKind for persona in ("", "a buyer")]
    assert f"[1] Pumps: {PUMP.text}\n" in beginning(*texts)
    other = ask_kind_prompt([WINCH], QuestionKind.FACT).text
    assert beginning(texts[0], other).endswith("Passages:\n[1] ")
    both = ask_kind_prompt([PUMP, WINCH], QuestionKind.COMPARISON).text
    assert f"[1] Pumps: {PUMP.text}\n" in beginning(texts[0], both)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (reply("Why?", "so"), ("Why?", "so")),
        ('Sure!\n```json\n{"question": "Why\\nnot?", "answer": "so"}\n```', ("Why not?", "so")),
        ("<ANSWER>: so <QUESTION>: Why?", ("Why?", "so")),
        ('{"question": "Why?"}', None),
        ('{"question": ["Why?"], "answer": "so"}', None),
        ('{"question": "Why?", "answer": "', None),
        ("[1, 2]", None),
    ],
)
def test_replies_are_taken_apart_whatever_stands_around_the_json(text: str, parsed: tuple[str, str] | None) -> None:
    assert parse_json_question(text) == parsed


def test_a_model_that_takes_no_schema_is_named_once() -> None:
    listener = Listener()
    writer = Secretary(reply("Which pump stops at 36 bar?", "Merrow 45"), structured=False)
    write_kinds([PUMP, WINCH], {}, writer, settings(kinds="fact"), 0, listener)
    assert listener.notes == ["secretary takes no JSON Schema: it was asked for JSON in words alone"]
    assert json.loads(writer.decoding.schema or "")["required"] == ["answer", "question"]


def test_a_writer_with_one_form_is_refused_where_more_is_asked_of_it() -> None:
    writer = Secretary()
    writer.style = PromptStyle.COMPACT
    assert not follows_instructions(settings(), writer)
    for chosen in (settings(kinds="fact"), settings(personas="a buyer"), settings(paraphrases=1)):
        with pytest.raises(InputError, match="needs a model that follows instructions, but 'secretary'"):
            follows_instructions(chosen, writer)


def test_a_kind_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="'riddle' is no kind of question"):
        settings(kinds="fact,riddle")


class Colleague:
    """A chat model that asks what follows some words of passage [1], says it anew, and reads the right answer."""

    name = "colleague"
    style = PromptStyle.CHAT

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        return [Generation(self._write(prompt), 0.0) for prompt in prompts]

    def _write(self, prompt: Prompt) -> str:
        user = joined(prompt.user)
        if user.startswith("Question: "):
            return json.dumps({"question": f"Say, {user.removeprefix('Question: What ')}"})
        first = re.split(r"\n\[2\] |\n+Question: |\nKind of", user.partition("[1] ")[2])[0]
        words = re.findall(r"\w+", first)
        if "Kind of question" not in user:
            return joined(plain_target(words[-1]))
        if "[2] " in user:
            second = re.findall(r"\w+", user.partition("[2] ")[2].partition("\nKind of")[0])
            return reply(f"What follows {' '.join(words[-8:-1])} when {' '.join(second[-8:])} too?", words[-1])
        return reply(f"What follows the words {' '.join(words[-9:-1])} there?", words[-1])


def rows(folder: Path, *names: str) -> list[dict]:
    return [row for name in names for _, row in read_jsonl(folder / f"{name}.jsonl")]


def test_a_comparison_shows_and_quotes_both_passages_and_paraphrases_keep_answer_and_oracle(
    notes_index: Path, tmp_path: Path
) -> None:
    chosen = settings(
        model="mini",
        questions_per_passage=2,
        kinds="comparison,fact",
        paraphrases=1,
        num_distractors=1,
        round_trip_depth=8,
        unseen_fraction=0,
        validation_fraction=0,
        test_fraction=0,
    )
    generate_examples(notes_index, tmp_path / "out", settings=chosen, generator=Colleague())
    manifest = verified(tmp_path / "out", Stage.EXAMPLES)
    made = {row["question_id"]: row for row in rows(tmp_path / "out", "train")}
    assert manifest.ledger.read == len(made) + len(rows(tmp_path / "out", "rejected"))
    compared = [row for row in made.values() if row["provenance"]["kind"] == "comparison"]
    assert compared
    for row in made.values():
        oracles = {passage["id"] for passage in row["passages"] if passage["oracle"]}
        two = row["provenance"]["kind"] == "comparison"
        assert len(oracles) == 1 + two and len(row["passages"]) == 2 + two
        assert {quote["passage_id"] for quote in row["quotes"]} == oracles
        texts = {passage["id"]: passage["text"] for passage in row["passages"]}
        assert all(texts[q["passage_id"]][q["start"] : q["end"]] == q["text"] for q in row["quotes"])
        assert row["answer"] in row["quotes"][-1]["text"]
    again = [row for row in made.values() if "paraphrase_of" in row["provenance"]]
    assert again
    for row in again:
        first = made[row["provenance"]["paraphrase_of"]]
        assert row["question"] != first["question"] and row["answer"] == first["answer"]
        assert row["document_ids"] == first["document_ids"]
