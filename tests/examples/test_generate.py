"""`generate_examples`: every candidate ends as a row or with a reason, and no document stands in two splits."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from listening import Listener

from raft.artifacts import Stage, read_jsonl, verified
from raft.errors import InputError
from raft.examples import examples_fingerprint, generate_examples
from raft.examples.asking import round_trip, write_questions
from raft.examples.splits import tuned_documents
from raft.index import Index
from raft.models.generator import Decoding, Failure, Generation
from raft.progress import Advance, Silent
from raft.prompts import Prompt, PromptStyle, joined, plain_target, question_target
from raft.recipe import ExampleSettings
from raft.types import Passage, ScoredPassage

SETTINGS = ExampleSettings(
    questions_per_passage=2, drafts=1, num_distractors=1, unseen_fraction=0.2, round_trip_depth=8
)


class Clerk:
    """A generator that asks for the last word of a passage, in its words, and reads the last word back.

    Every second question it writes is malformed, so that there is something to reject.
    """

    name = "clerk"
    style = PromptStyle.COMPACT

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        return [Generation(self._write(prompt.text, row), 0.0) for row, prompt in enumerate(prompts)]

    def _write(self, prompt: str, row: int) -> str:
        words = re.findall(r"\w+", prompt)
        if prompt.startswith("<READ>"):
            return joined(plain_target(words[-1]))
        if row % 2:
            return "Here is a question about the passage!"
        return joined(question_target(words[-1], f"What follows the words {' '.join(words[-9:-1])} there?"))


def rows(folder: Path, name: str) -> list[dict]:
    return [row for _, row in read_jsonl(folder / name)]


@pytest.fixture(scope="module")
def made(notes_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("examples") / "examples"
    generate_examples(notes_index, out, settings=SETTINGS, seed=1, generator=Clerk())
    return out


def test_read_is_kept_plus_rejected_and_each_rejection_is_listed(made: Path) -> None:
    manifest = verified(made, Stage.EXAMPLES)
    kept = sum(len(rows(made, f"{split}.jsonl")) for split in ("train", "validation", "test"))
    rejected = rows(made, "rejected.jsonl")
    assert manifest.ledger.kept == kept > 0
    assert manifest.ledger.read == kept + len(rejected)
    assert {row["reason"] for row in rejected} == set(manifest.ledger.rejected)
    assert "not in the form that was asked for" in manifest.ledger.rejected


def test_no_document_stands_in_two_splits_and_none_is_asked_about_that_is_unseen(made: Path) -> None:
    splits = {row["document_id"]: row["split"] for row in rows(made, "splits.jsonl")}
    assert "unseen" in splits.values()
    for split in ("train", "validation", "test"):
        for row in rows(made, f"{split}.jsonl"):
            assert {splits[document_id] for document_id in row["document_ids"]} == {split}


def test_a_row_on_disk_is_complete_and_its_quotes_are_slices(made: Path) -> None:
    fields = ["id", "question_id", "question", "answers", "document_ids", "passages", "reasoning", "quotes"]
    for row in rows(made, "train.jsonl"):
        assert list(row) == [*fields, "answer", "target", "kind", "provenance"]
        texts = {passage["id"]: passage["text"] for passage in row["passages"]}
        for quote in row["quotes"]:
            assert texts[quote["passage_id"]][quote["start"] : quote["end"]] == quote["text"]


def test_the_same_seed_makes_the_same_bytes_and_another_does_not(made: Path, notes_index: Path, tmp_path: Path) -> None:
    generate_examples(notes_index, tmp_path / "again", settings=SETTINGS, seed=1, generator=Clerk())
    generate_examples(notes_index, tmp_path / "other", settings=SETTINGS, seed=2, generator=Clerk())
    assert verified(tmp_path / "again", Stage.EXAMPLES) == verified(made, Stage.EXAMPLES)
    assert verified(tmp_path / "other", Stage.EXAMPLES).outputs != verified(made, Stage.EXAMPLES).outputs


def test_the_fingerprint_names_the_work_before_it_is_done(made: Path, notes_index: Path) -> None:
    digest = verified(notes_index, Stage.INDEX).digest
    assert examples_fingerprint(digest, None, SETTINGS, 1) == verified(made, Stage.EXAMPLES).fingerprint
    assert examples_fingerprint(digest, None, SETTINGS, 2) != verified(made, Stage.EXAMPLES).fingerprint


def questions_file(folder: Path, *questions: dict) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(question) + "\n" for question in questions))
    return path


def test_brought_questions_get_their_passage_from_the_named_document_or_by_search(
    notes_index: Path, tmp_path: Path
) -> None:
    path = questions_file(
        tmp_path,
        {
            "id": "a",
            "question": "At what pressure does the Merrow 45 stop?",
            "answers": ["36 bar"],
            "document_ids": ["pumps.md"],
        },
        {"id": "b", "question": "How heavy may a load on the Grappel G5 be?", "answers": ["2.2 tonnes"]},
        {"id": "c", "question": "Who painted the Tessaly?", "answers": [], "unanswerable": True},
        {"id": "d", "question": "How deep is the Sound?", "answers": ["41 fathoms"], "document_ids": ["pumps.md"]},
        {"id": "e", "question": "Where do the Merrows stop?", "answers": ["36 bar", "40 bar"], "all_of": True},
    )
    chosen = ExampleSettings(num_distractors=1, oracle_fraction=1, validation_fraction=0, test_fraction=0)
    generate_examples(notes_index, tmp_path / "out", path, chosen)
    made = {row["question_id"]: row for row in rows(tmp_path / "out", "train.jsonl")}
    assert made["a"]["provenance"] == {"source": "given", "evidence": "named"}
    assert made["a"]["quotes"][0]["text"] == "The Merrow 45 stops at 36 bar."
    assert made["b"]["provenance"] == {"source": "given", "evidence": "found by search"}
    assert made["b"]["document_ids"] == ["winches.txt"]
    assert made["c"]["kind"] == "unanswerable"
    assert {row["question_id"]: row["reason"] for row in rows(tmp_path / "out", "rejected.jsonl")} == {
        "d": "no passage of its documents holds an answer",
        "e": "it wants several answers, and a target gives one",
    }
    splits = {row["document_id"]: row["split"] for row in rows(tmp_path / "out", "splits.jsonl")}
    assert {document for document, split in splits.items() if split == "train"} == {"pumps.md", "winches.txt"}
    assert set(splits.values()) == {"train", "unseen"}
    assert tuned_documents(tmp_path / "out") == {"pumps.md", "winches.txt"}


def test_a_question_with_its_own_context_gets_the_passage_that_holds_it(notes_index: Path, tmp_path: Path) -> None:
    context = "It moves 90 litres a minute and serves the bilge of the Tessaly."
    row = {"id": "a", "question": "How much does the bilge pump move?", "answers": ["90 litres"], "context": context}
    chosen = ExampleSettings(num_distractors=1, oracle_fraction=1, validation_fraction=0, test_fraction=0)
    generate_examples(notes_index, tmp_path / "out", questions_file(tmp_path, row), chosen)
    (made,) = rows(tmp_path / "out", "train.jsonl")
    assert made["provenance"] == {"source": "given", "evidence": "context"}
    assert made["document_ids"] == ["pumps.md"]
    assert made["quotes"][0]["text"] == context


def test_what_is_left_out_of_a_chat_log_is_listed_and_evidence_for_the_rest_is_found(
    notes_index: Path, tmp_path: Path
) -> None:
    def talk(question: str, answer: str) -> list[dict]:
        return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]

    accepted = talk("How heavy may a load on the Grappel G5 be?", "2.2 tonnes")
    path = questions_file(
        tmp_path, {"messages": accepted, "accepted": True}, {"messages": talk("Why?", "Because."), "accepted": False}
    )
    chosen = ExampleSettings(num_distractors=1, oracle_fraction=1, validation_fraction=0, test_fraction=0)
    generate_examples(notes_index, tmp_path / "out", path, chosen)
    (made,) = rows(tmp_path / "out", "train.jsonl")
    assert made["provenance"] == {"source": "given", "evidence": "found by search"}
    (rejected,) = rows(tmp_path / "out", "rejected.jsonl")
    assert (rejected["reason"], rejected["text"], rejected["place"]) == ("no accepted answer", "Why?", "line 2")
    assert str(verified(tmp_path / "out", Stage.EXAMPLES).ledger) == (
        "2 read = 1 kept + 1 rejected (1 no accepted answer)"
    )


def test_questions_in_a_folder_have_a_fingerprint_that_tells_another_folder(notes_index: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    asked = {"question": "How heavy may a load on the Grappel G5 be?", "answer": "2.2 tonnes"}
    Dataset.from_list([asked]).save_to_disk(str(tmp_path / "set"))
    Dataset.from_list([asked, asked | {"question": "Why?"}]).save_to_disk(str(tmp_path / "other"))
    generate_examples(notes_index, tmp_path / "out", tmp_path / "set", SETTINGS)
    manifest = verified(tmp_path / "out", Stage.EXAMPLES)
    digest = verified(notes_index, Stage.INDEX).digest
    assert examples_fingerprint(digest, tmp_path / "set", SETTINGS, 0) == manifest.fingerprint
    assert examples_fingerprint(digest, tmp_path / "other", SETTINGS, 0) != manifest.fingerprint


def test_a_question_about_a_document_that_is_not_there_is_an_error_and_leaves_nothing(
    notes_index: Path, tmp_path: Path
) -> None:
    path = questions_file(tmp_path, {"id": "a", "question": "Why?", "answers": ["x"], "document_ids": ["gone.md"]})
    with pytest.raises(InputError, match=r"'a' names document 'gone.md'"):
        generate_examples(notes_index, tmp_path / "out", path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["questions.jsonl"]


def test_when_nothing_is_left_to_train_on_the_error_says_why(notes_index: Path, tmp_path: Path) -> None:
    path = questions_file(tmp_path, {"id": "a", "question": "Why?", "answers": ["no such words"], "document_ids": []})
    with pytest.raises(InputError, match="1 x no passage of its documents holds an answer"):
        generate_examples(notes_index, tmp_path / "out", path)
    assert not (tmp_path / "out").exists()


class Drafter:
    """A generator whose every draft asks for another word, ever less sure of itself."""

    name = "drafter"
    style = PromptStyle.COMPACT

    def __init__(self, first: float, step: float) -> None:
        self.first, self.step, self.weighed = first, step, False

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        self.weighed = decoding.logprobs
        return [self._draft(prompt.text, row) for row, prompt in enumerate(prompts)]

    def _draft(self, prompt: str, row: int) -> Generation:
        word = re.findall(r"\w+", prompt)[-1 - row % 3]
        text = joined(question_target(word, f"What stands at place {row % 3} of them all?"))
        return Generation(text, 0.0, likelihood=self.first - self.step * (2 - row % 3))


def drafted(first: float, step: float, **settings: int) -> tuple[list[str], list[str]]:
    """The places that are put forward for one passage, and the reasons against the others."""
    passage = Passage("p", "d", "", "Three words more: alpha beta gamma", 0, 34)
    writer = Drafter(first, step)
    kept, rejected = write_questions(
        [passage], writer, ExampleSettings.model_validate({"drafts": 3, **settings}), 0, Silent()
    )
    assert writer.weighed
    return [re.findall(r"\d", c.question.text)[0] for c in kept], [str(reason) for _, _, reason in rejected]


def test_the_likeliest_drafts_are_put_forward_and_the_others_listed() -> None:
    assert drafted(-0.01, 0.01, questions_per_passage=1) == (["2"], ["a draft that its own writer finds unlikely"] * 2)
    assert drafted(-0.2, 1.0, questions_per_passage=1)[0] == ["2"]
    assert drafted(-5.0, 1.0, questions_per_passage=1)[0] == []


class Splicer(Drafter):
    """A writer that makes a question of words from two places; weighed or not."""

    def __init__(self, likelihood: float | None) -> None:
        super().__init__(0.0, 0.0)
        self.likelihood = likelihood

    def _draft(self, prompt: str, row: int) -> Generation:
        text = joined(question_target("The mate", "Who left the painted hull?"))
        return Generation(text, 0.0, likelihood=self.likelihood)


def test_only_a_writer_that_is_weighed_is_suspected_of_splicing() -> None:
    text = "The mate left the ferry. Then the painted hull was dry."
    passage, settings = Passage("p", "d", "", text, 0, len(text)), ExampleSettings(questions_per_passage=1, drafts=1)
    kept, rejected = write_questions([passage], Splicer(-0.01), settings, 0, Silent())
    assert not kept
    assert [str(why) for _, _, why in rejected] == [
        "a draft that runs words together from several places of its passage"
    ]
    kept, _ = write_questions([passage], Splicer(None), settings, 0, Silent())
    assert [candidate.question.text for candidate in kept] == ["Who left the painted hull?"]


class Doubter(Drafter):
    """A writer of one question with three answers, who reads the middle one."""

    def _draft(self, prompt: str, row: int) -> Generation:
        if prompt.startswith("<READ>"):
            return Generation(joined(plain_target("beta")), 0.0)
        word = re.findall(r"\w+", prompt)[-1 - row % 3]
        return Generation(joined(question_target(word, "What stands there, of them all?")), 0.0, likelihood=-0.1)


def test_of_a_question_with_several_answers_the_reader_says_which_is_right() -> None:
    passage = Passage("p", "d", "", "Three words more: alpha beta gamma", 0, 34)
    writer, settings = Doubter(0.0, 0.0), ExampleSettings(questions_per_passage=1, drafts=6)
    candidates, rejected = write_questions([passage], writer, settings, 0, Silent())
    assert [c.question.answers[0] for c in candidates] == ["gamma", "beta", "alpha"]
    assert [str(reason) for _, _, reason in rejected] == ["the same question was asked before"] * 3
    index = create_autospec(Index, instance=True)
    index.retrieve.return_value = [[ScoredPassage(passage, 1.0)]] * 4
    twice = [*candidates, replace(candidates[1], question=replace(candidates[1].question, id="again"))]
    kept, failed = round_trip(twice, index, writer, settings, Silent())
    assert [c.question.answers[0] for c in kept] == ["beta"]
    reasons = [str(reason) for _, _, reason in failed]
    assert reasons == ["the reader gives another answer"] * 2 + ["the same question was asked before"]


def test_documents_alike_stand_in_one_split_and_the_file_of_splits_names_their_cluster(tmp_path: Path) -> None:
    from raft.index import build_index
    from raft.recipe import IndexSettings

    folder = tmp_path / "manuals"
    folder.mkdir()
    words = [f"step{number}" for number in range(60)]
    for number in range(8):
        (folder / f"own{number}.txt").write_text(" ".join(f"part{number}x{word}" for word in words))
    for year in (2019, 2020):
        (folder / f"manual{year}.txt").write_text(f"Manual of {year}. " + " ".join(words[: year - 1970]))
    build_index([folder], tmp_path / "index", IndexSettings(passage_tokens=32))
    for seed in range(4):
        out = tmp_path / str(seed)
        generate_examples(tmp_path / "index", out, settings=SETTINGS, seed=seed, generator=Clerk())
        made = {row["document_id"]: row for row in rows(out, "splits.jsonl")}
        assert made["manual2019.txt"]["split"] == made["manual2020.txt"]["split"]
        assert made["manual2020.txt"]["cluster"] == "manual2019.txt"
        assert all(made[f"own{number}.txt"]["cluster"] == f"own{number}.txt" for number in range(8))


def test_a_question_over_two_documents_is_never_in_two_splits_and_brings_them_together_on_request(
    notes_index: Path, tmp_path: Path
) -> None:
    both = {
        "id": "both",
        "question": "At what pressure does the Merrow 45 stop, and who greases the winch?",
        "answers": ["36 bar"],
        "document_ids": ["pumps.md", "winches.txt"],
    }
    other = {"id": "other", "question": "When does the museum open?", "answers": ["10:30"]}
    third = {"id": "third", "question": "Who keeps the accounts?", "answers": ["Hanne Ruud"]}
    path = questions_file(tmp_path, both, other, third)
    apart = ExampleSettings(num_distractors=1, validation_fraction=0.5, test_fraction=0)
    together = apart.model_copy(update={"join_questions": True})
    rejected = []
    for seed in range(6):
        for chosen in (apart, together):
            out = tmp_path / f"{chosen.join_questions}{seed}"
            generate_examples(notes_index, out, path, chosen, seed)
            splits = {row["document_id"]: row["split"] for row in rows(out, "splits.jsonl")}
            lost = {row["question_id"] for row in rows(out, "rejected.jsonl")}
            assert ("both" in lost) == (splits["pumps.md"] != splits["winches.txt"])
            rejected.append((chosen.join_questions, "both" in lost))
    assert set(rejected) == {(False, False), (False, True), (True, False)}


def test_leaks_are_listed_and_counted_in_manifest_and_card(made: Path) -> None:
    manifest, listed = verified(made, Stage.EXAMPLES), rows(made, "leakage.jsonl")
    kinds = [leak["kind"] for leak in listed]
    for kind, count in (
        ("near-duplicate questions", manifest.counts["leaked_questions"]),
        ("oracle of one split shown in another", manifest.counts["leaked_oracles"]),
        ("passage of an unseen document shown", manifest.counts["unseen_passages_shown"]),
    ):
        assert kinds.count(kind) == count
    assert manifest.counts["leaked_oracles"] > 0
    oracles = {passage["id"] for row in rows(made, "train.jsonl") for passage in row["passages"] if passage["oracle"]}
    shown = {
        passage["id"]
        for split in ("validation", "test")
        for row in rows(made, f"{split}.jsonl")
        for passage in row["passages"]
    }
    assert {leak["passage_id"] for leak in listed if leak["split"] == "train"} == oracles & shown
    assert (
        f"- {manifest.counts['leaked_oracles']} passages that are oracle in one split"
        in (made / "README.md").read_text()
    )


def test_the_card_loads_with_datasets_and_says_licence_balance_and_settings(
    notes_index: Path, tmp_path: Path, made: Path
) -> None:
    from datasets import load_dataset
    from huggingface_hub import DatasetCard

    loaded = load_dataset(str(made), cache_dir=str(tmp_path / "cache"))
    assert {str(split): loaded[split].num_rows for split in loaded} == {
        split: len(found) for split in ("train", "validation", "test") if (found := rows(made, f"{split}.jsonl"))
    }
    assert loaded["train"][0] == rows(made, "train.jsonl")[0]
    licensed = SETTINGS.model_copy(update={"license": "cc-by-4.0"})
    generate_examples(notes_index, tmp_path / "out", settings=licensed, seed=1, generator=Clerk())
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert card.data.license == "cc-by-4.0"
    assert "| question kind | what" in card.text and "- `license`: cc-by-4.0" in card.text


def test_a_split_without_quotes_or_rows_loads_too(notes_index: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    path = questions_file(tmp_path, {"id": "a", "question": "Who painted it?", "answers": [], "unanswerable": True})
    generate_examples(notes_index, tmp_path / "out", path, ExampleSettings(num_distractors=1))
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"] and loaded["train"][0]["quotes"] == []
    assert loaded["train"].features["quotes"].feature["start"].dtype == "int64"


def test_filters_turn_away_with_their_reason_and_no_path_is_recorded(notes_index: Path, tmp_path: Path) -> None:
    (tmp_path / "list").mkdir()
    words = tmp_path / "list" / "words.txt"
    words.write_text("tonnes\n")
    path = questions_file(
        tmp_path,
        {"id": "a", "question": "At what pressure does the Merrow 45 stop?", "answers": ["36 bar"]},
        {"id": "b", "question": "How heavy may a load on the Grappel G5 be?", "answers": ["2.2 tonnes"]},
    )
    chosen = ExampleSettings(num_distractors=1, validation_fraction=0, test_fraction=0, blocked_words=str(words))
    generate_examples(notes_index, tmp_path / "out", path, chosen)
    manifest = verified(tmp_path / "out", Stage.EXAMPLES)
    assert manifest.ledger.rejected == {"a blocked word in the question or an answer": 1}
    assert manifest.settings["blocked_words"] == "words.txt"
    assert str(tmp_path) not in "".join(file.read_text() for file in (tmp_path / "out").glob("*"))
    digest = verified(notes_index, Stage.INDEX).digest
    assert examples_fingerprint(digest, path, chosen, 0) == manifest.fingerprint
    words.write_text("litres\n")
    assert examples_fingerprint(digest, path, chosen, 0) != manifest.fingerprint


def test_one_class_that_holds_too_much_is_told_and_dropped_on_request(notes_index: Path, tmp_path: Path) -> None:
    asked = [
        {
            "id": f"q{n}",
            "question": f"At what pressure does the Merrow 45 stop, asks worker {n}?",
            "answers": ["36 bar"],
        }
        for n in range(9)
    ] + [
        {
            "id": f"p{n}",
            "question": f"Who is the apprentice for the Grappel winches, asks worker {n}?",
            "answers": ["Jory Mabb"],
        }
        for n in range(2)
    ]
    path = questions_file(tmp_path, *asked)
    chosen = ExampleSettings(num_distractors=1, validation_fraction=0, test_fraction=0)
    listener = Listener()
    generate_examples(notes_index, tmp_path / "all", path, chosen, progress=listener)
    assert [note for note in listener.notes if "9 of 11 training rows have the question kind 'what'" in note], (
        listener.notes
    )
    even = chosen.model_copy(update={"rebalance": True})
    listener.notes.clear()
    generate_examples(notes_index, tmp_path / "even", path, even, progress=listener)
    manifest = verified(tmp_path / "even", Stage.EXAMPLES)
    assert manifest.ledger.kept == manifest.counts["train"] == 4
    assert sum(manifest.ledger.rejected.values()) == 7
    assert all(row["reason"].startswith("surplus: ") for row in rows(tmp_path / "even", "rejected.jsonl"))
    assert not any("training rows have" in note for note in listener.notes)


class Silenced(Drafter):
    """A writer all of whose replies come to one thing that is no question."""

    made = Generation("", 0.0)

    def _draft(self, prompt: str, row: int) -> Generation:
        return self.made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (Generation("", 0.0, held_back=True), "the model's content filter held it back"),
        (Generation("", 0.0, failure=Failure.CUT_OFF), "the model's reply was cut off before it was complete"),
        (Generation("", 0.0, failure=Failure.STILL_THINKING), "the model's reply was cut off while it was thinking"),
        (Generation("", 0.0, failure=Failure.ONLY_THOUGHTS), "the model's reply holds no answer"),
        (Generation("", 0.0), "not in the form that was asked for"),
    ],
)
def test_a_reply_without_a_question_is_listed_with_its_reason(made: Generation, reason: str) -> None:
    passage = Passage("p", "d", "", "Three words more: alpha beta gamma", 0, 34)
    settings, writer = ExampleSettings(questions_per_passage=1), Silenced(0.0, 0.0)
    writer.made = made
    kept, rejected = write_questions([passage], writer, settings, 0, Silent())
    assert not kept
    assert {str(found) for _, _, found in rejected} == {reason}
