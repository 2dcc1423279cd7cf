"""`raft export`: every row in every layout, loadable, with the prompts that serving shows."""

import json
from pathlib import Path

import pytest
from datasets import DatasetDict, load_dataset, load_from_disk

from raft.artifacts import Stage, read_jsonl, verified
from raft.audit import audit_file
from raft.errors import ArtifactError, ModelError
from raft.examples import generate_examples
from raft.examples.export import export_examples
from raft.models.tokens import Codec, load_tokenizer
from raft.prompts import Prompt, PromptStyle, passages_prompt, read_passages_prompt
from raft.recipe import ExampleSettings
from raft.types import ExportFormat, ShownPassage

QUESTIONS = [
    ("At what pressure does the Merrow 45 stop?", "36 bar", "pumps.md"),
    ("How much does the Grappel G3 lift?", "1.5 tonnes", "winches.txt"),
    ("How hot does Sigrun get?", "52 degrees", "dryer.md"),
    ("Who keeps the accounts?", "Hanne Ruud", "people.txt"),
    ("When does the museum open?", "10:30", "museum.md"),
    ("How often must someone alone call?", "every 30 minutes", "rules.md"),
]
JSON_FORMATS = [layout for layout in ExportFormat if layout is not ExportFormat.HF]


@pytest.fixture(scope="module")
def examples(notes_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    rows = [
        {"id": f"q{number}", "question": question, "answers": [answer], "document_ids": [document]}
        for number, (question, answer, document) in enumerate(QUESTIONS)
    ]
    rows.append({"id": "none", "question": "Who painted the Tessaly?", "answers": [], "unanswerable": True})
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ExampleSettings(num_distractors=1, validation_fraction=0.2, test_fraction=0.2)
    generate_examples(notes_index, folder / "examples", folder / "questions.jsonl", settings)
    return folder / "examples"


def rows(folder: Path, split: str) -> list[dict]:
    return [row for _, row in read_jsonl(folder / f"{split}.jsonl")]


def served(row: dict) -> Prompt:
    """The prompt that serving would make of the same question and passages."""
    return passages_prompt(row["question"], [ShownPassage(**p) for p in row["passages"]], PromptStyle.CHAT)


@pytest.mark.parametrize("layout", JSON_FORMATS)
def test_datasets_loads_every_split_of_the_json_layouts(layout: ExportFormat, examples: Path, tmp_path: Path) -> None:
    done = export_examples(examples, tmp_path / "out", layout)
    files = {split: str(tmp_path / "out" / f"{split}.jsonl") for split in ("train", "validation", "test")}
    loaded = load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"))
    for split in files:
        assert loaded[split].num_rows == len(rows(examples, split)) == done.manifest.counts[split] > 0
    assert verified(tmp_path / "out", Stage.EXPORT).inputs == {"examples": verified(examples, Stage.EXAMPLES).digest}
    assert done.too_long is None


def test_each_layout_holds_the_prompt_that_serving_shows_and_the_target_that_is_learnt(
    examples: Path, tmp_path: Path
) -> None:
    made = {}
    for layout in JSON_FORMATS:
        export_examples(examples, tmp_path / layout, layout)
        made[layout] = rows(tmp_path / layout, "train")
    for number, row in enumerate(rows(examples, "train")):
        prompt = served(row)
        chat = [*prompt.messages, {"role": "assistant", "content": row["target"]}]
        assert made[ExportFormat.OPENAI_CHAT][number] == {"messages": chat}
        assert made[ExportFormat.MESSAGES][number] == {"id": row["id"], "messages": chat}
        plain = made[ExportFormat.PROMPT_COMPLETION][number]
        assert plain == {"id": row["id"], "prompt": prompt.text + "\n", "completion": row["target"]}
        system, user = (message["content"] for message in prompt.messages)
        assert made[ExportFormat.ALPACA][number] == {
            "id": row["id"],
            "instruction": system,
            "input": user,
            "output": row["target"],
        }


def test_question_and_passages_are_read_back_from_a_chat_prompt(examples: Path) -> None:
    for row in rows(examples, "train"):
        texts = tuple((f"{p['title']}: " if p["title"] else "") + p["text"] for p in row["passages"])
        assert read_passages_prompt(served(row).text) == (row["question"], texts)
    assert read_passages_prompt("Question: Why?") is None


def test_the_dataset_folder_is_loaded_from_disk_with_all_columns(examples: Path, tmp_path: Path) -> None:
    export_examples(examples, tmp_path / "out", ExportFormat.HF)
    loaded = load_from_disk(str(tmp_path / "out"))
    assert isinstance(loaded, DatasetDict) and set(loaded) == {"train", "validation", "test"}
    for split, dataset in loaded.items():
        for row, exported in zip(rows(examples, split), dataset, strict=True):
            assert {name: exported[name] for name in exported if name != "messages"} == {
                name: row[name] for name in exported if name != "messages"
            }
            assert exported["messages"][-1] == {"role": "assistant", "content": row["target"]}


def test_rows_over_the_limit_are_named_with_their_size_and_written_all_the_same(
    examples: Path, tmp_path: Path, call
) -> None:
    codec = Codec(load_tokenizer("mini"), PromptStyle.CHAT, seq2seq=False)
    sizes = {}
    for split in ("train", "validation", "test"):
        for number, row in enumerate(rows(examples, split), 1):
            target = codec.tokenizer(row["target"], add_special_tokens=False)["input_ids"]
            sizes[split, number] = len(codec.prompt_ids(served(row))) + len(target) + 1
    limit = sorted(sizes.values())[-3]
    done = export_examples(examples, tmp_path / "out", ExportFormat.MESSAGES, max_tokens=limit)
    assert done.too_long is not None
    assert {(row.split, row.row): row.tokens for row in done.too_long} == {
        place: size for place, size in sizes.items() if size > limit
    }
    assert sum(done.manifest.counts[split] for split in ("train", "validation", "test")) == len(sizes)
    arguments = ("export", "--examples", examples, "--format", "alpaca", "--out", tmp_path / "again")
    code, out, _ = call(*arguments, "--max-tokens", limit)
    assert code == 0
    assert f"{len(done.too_long)} rows are longer than {limit} tokens; tokenizer: mini, the embedded default" in out
    for row in done.too_long:
        assert f"{row.split} row {row.row}: {row.tokens} tokens" in out


def test_the_tokens_of_a_named_tokenizer_are_counted_with_its_chat_template(
    examples: Path, tmp_path: Path, tiny_chat
) -> None:
    # A token a byte: a row is as long as its text and template.
    llama = str(tiny_chat("llama"))
    done = export_examples(examples, tmp_path / "out", ExportFormat.MESSAGES, max_tokens=1, tokenizer=llama)
    assert done.too_long is not None
    first, row = done.too_long[0], rows(examples, "train")[0]
    prompt = served(row)
    template = len(["<|system|>", "</s>", "<|user|>", "</s>", "<|assistant|>", "</s>"])
    contents = [*(message["content"] for message in prompt.messages), row["target"]]
    assert first.tokens == sum(len(text.encode()) for text in contents) + template
    assert done.manifest.settings["tokenizer"] == "llama"


def test_what_raft_makes_and_exports_is_clean_by_its_own_audit(examples: Path, tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        assert audit_file(examples / f"{split}.jsonl").findings == ()
    for layout in JSON_FORMATS:
        export_examples(examples, tmp_path / layout, layout)
        report = audit_file(tmp_path / layout / "train.jsonl")
        assert report.findings == () and report.rows == len(rows(examples, "train"))


def test_a_split_without_rows_gets_no_file_and_the_command_says_so(notes_index: Path, tmp_path: Path, call) -> None:
    row = {"id": "a", "question": "How hot does Sigrun get?", "answers": ["52 degrees"]}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    settings = ExampleSettings(num_distractors=1, validation_fraction=0, test_fraction=0)
    generate_examples(notes_index, tmp_path / "examples", tmp_path / "q.jsonl", settings)
    for layout in ("messages", "hf"):
        code, out, _ = call("export", "--examples", tmp_path / "examples", "--format", layout, "--out", tmp_path / "x")
        assert code == 0
        assert "1 train, 0 validation, 0 test rows" in out
        assert "no file for validation and test: there are no such rows" in out
    assert set(load_from_disk(str(tmp_path / "x"))) == {"train"}


def test_what_cannot_be_exported_is_an_error_and_the_old_folder_stays(examples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_examples(examples, out, ExportFormat.ALPACA)
    before = verified(out, Stage.EXPORT)
    with pytest.raises(ModelError, match=r"tokenizer '\./nope' cannot be loaded"):
        export_examples(examples, out, ExportFormat.MESSAGES, max_tokens=9, tokenizer="./nope")
    with pytest.raises(ArtifactError, match="is an artefact of stage 'export', not 'examples'"):
        export_examples(out, tmp_path / "other", ExportFormat.MESSAGES)
    with pytest.raises(ArtifactError, match="holds an artefact of stage 'examples', not 'export'"):
        export_examples(examples, examples, ExportFormat.MESSAGES)
    assert verified(out, Stage.EXPORT) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_tokenizer_without_a_limit_is_one_line(examples: Path, tmp_path: Path, call) -> None:
    arguments = ("export", "--examples", examples, "--format", "hf", "--out", tmp_path / "out")
    code, _, err = call(*arguments, "--tokenizer", "mini")
    assert (code, err.count("\n")) == (2, 1) and "add --max-tokens" in err
