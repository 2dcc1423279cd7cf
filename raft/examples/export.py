"""`raft export`: the rows of an examples folder in the layouts that other trainers read.

Prompts and targets are those of `raft.prompts` in the chat style, so a model that another trainer made of them is shown
in serving what it has learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft.artifacts import Ledger, Manifest, Stage, of_one_generation, read_jsonl, verified, write_jsonl, writing
from raft.errors import InputError
from raft.examples.splits import Split
from raft.examples.training_rows import TrainingRow, read_rows
from raft.models.names import MINI, public_name
from raft.prompts import PromptStyle, joined
from raft.types import ExportFormat, TuningMethod

SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)


@dataclass(frozen=True, slots=True)
class TooLong:
    """A row that a trainer with such a limit would cut or drop; rows are counted from 1."""

    split: str
    row: int
    id: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and which rows are longer than the limit (None where no limit was given)."""

    manifest: Manifest
    too_long: tuple[TooLong, ...] | None


@dataclass(frozen=True, slots=True)
class _Row:
    """One example as it stands on disk, and as it is learnt."""

    raw: Mapping[str, Any]
    learnt: TrainingRow


def export_examples(
    examples_dir: Path, out: Path, layout: ExportFormat, max_tokens: int | None = None, tokenizer: str = MINI
) -> Exported:
    """Write every split of an examples folder that has rows to `out`: JSON Lines, or a dataset folder for HF.

    max_tokens: the longest row that the target trainer takes, prompt and target together; longer ones are named, in the
    tokens of `tokenizer`, and written all the same. Raises ArtifactError where the folder is no undamaged examples
    folder, InputError for a limit below 1, ModelError for an unknown tokenizer; nothing is half-written.
    """
    if max_tokens is not None and max_tokens < 1:
        raise InputError(f"--max-tokens is {max_tokens}: give at least 1, or leave it out for no check")
    with writing(out, Stage.EXPORT) as draft:
        examples, splits = of_one_generation(examples_dir, _read)
        too_long = None if max_tokens is None else tuple(_too_long(splits, max_tokens, tokenizer))
        if layout is ExportFormat.HF:
            _save_dataset(splits, draft.path)
        else:
            for split, rows in splits.items():
                write_jsonl(draft.path / f"{split}.jsonl", map(_LAYOUTS[layout], rows))
        counts = {str(split): len(splits.get(split, ())) for split in SPLITS}
        written = sum(counts.values())
        settings: dict[str, Any] = {"format": str(layout)}
        if too_long is not None:
            settings |= {"max_tokens": max_tokens, "tokenizer": public_name(tokenizer)}
            counts["too_long"] = len(too_long)
        draft.finish(Stage.EXPORT, settings, {"examples": examples.digest}, counts, Ledger(written, written))
    assert draft.manifest is not None
    return Exported(draft.manifest, too_long)


def _read(folder: Path) -> tuple[Manifest, dict[Split, list[_Row]]]:
    """The manifest, and the rows of each split that has any: an empty file has no columns that a loader could find."""
    manifest = verified(folder, Stage.EXAMPLES)
    splits = {}
    for split in SPLITS:
        path = folder / f"{split}.jsonl"
        learnt = read_rows(path, TuningMethod.RAFT, PromptStyle.CHAT)
        rows = [_Row(raw, row) for (_, raw), row in zip(read_jsonl(path), learnt, strict=True)]
        if rows:
            splits[split] = rows
    return manifest, splits


def _too_long(splits: Mapping[Split, list[_Row]], limit: int, name: str) -> Iterator[TooLong]:
    from raft.models.tokens import Codec, encode_segments, load_tokenizer

    codec = Codec(load_tokenizer(name), PromptStyle.CHAT, seq2seq=False)
    for split, rows in splits.items():
        for number, row in enumerate(rows, 1):
            target = encode_segments(codec.tokenizer, row.learnt.target)
            # And the token that ends the target, which some tokenizers do not name.
            tokens = len(codec.prompt_ids(row.learnt.prompt)) + len(target) + 1
            if tokens > limit:
                yield TooLong(str(split), number, row.learnt.id, tokens)


def _chat(row: _Row) -> list[dict[str, str]]:
    return [*row.learnt.prompt.messages, {"role": "assistant", "content": joined(row.learnt.target)}]


def _openai_chat(row: _Row) -> dict[str, Any]:
    return {"messages": _chat(row)}


def _messages(row: _Row) -> dict[str, Any]:
    return {"id": row.learnt.id, "messages": _chat(row)}


def _prompt_completion(row: _Row) -> dict[str, Any]:
    return {"id": row.learnt.id, "prompt": joined(row.learnt.prompt.plain), "completion": joined(row.learnt.target)}


def _alpaca(row: _Row) -> dict[str, Any]:
    prompt = row.learnt.prompt
    return {
        "id": row.learnt.id,
        "instruction": joined(prompt.system),
        "input": joined(prompt.user),
        "output": joined(row.learnt.target),
    }


_LAYOUTS: Mapping[ExportFormat, Callable[[_Row], dict[str, Any]]] = {
    ExportFormat.OPENAI_CHAT: _openai_chat,
    ExportFormat.MESSAGES: _messages,
    ExportFormat.PROMPT_COMPLETION: _prompt_completion,
    ExportFormat.ALPACA: _alpaca,
}


def _save_dataset(splits: Mapping[Split, list[_Row]], folder: Path) -> None:
    """A folder for `datasets.load_from_disk`: the example itself, and the chat that is learnt from it."""
    from datasets import Dataset, DatasetDict, Features, List, Value
    from datasets.utils.logging import disable_progress_bar

    text, number = Value("string"), Value("int64")
    # Said and not guessed: a split in which no row quotes anything has the same columns as the others.
    passage = dict.fromkeys(("id", "document_id", "title", "text"), text) | {"oracle": Value("bool")}
    passage |= {"distractor": text, "rank": number, "made_from": text}
    features = Features(
        {
            "id": text,
            "question_id": text,
            "kind": text,
            "question": text,
            "answers": List(text),
            "answer": text,
            "passages": List(passage),
            "quotes": List({"passage_id": text, "start": number, "end": number, "text": text}),
            "messages": List({"role": text, "content": text}),
        }
    )
    disable_progress_bar()
    made = {}
    for split, rows in splits.items():
        columns = [{name: row.raw[name] for name in features if name != "messages"} for row in rows]
        # Folders of older versions do not say the last three.
        shown = [[{name: one.get(name) for name in passage} for one in row.raw["passages"]] for row in rows]
        columns = [column | {"passages": each} for column, each in zip(columns, shown, strict=True)]
        whole = [column | {"messages": _chat(row)} for column, row in zip(columns, rows, strict=True)]
        made[str(split)] = Dataset.from_list(whole, features=features)
    DatasetDict(made).save_to_disk(str(folder))
