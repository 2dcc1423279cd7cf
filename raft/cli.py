"""The command line, thin over the public functions: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raft import __version__, commands
from raft.errors import InputError, RaftError
from raft.types import VARIANTS

if TYPE_CHECKING:
    from raft.answering import Answerer
    from raft.recipe import Recipe

app = typer.Typer(
    name="raft",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: drawing boxes would cost more time than everything else before the first line.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"raft {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Point raft at a folder of documents and get a small model that answers questions about them, with proof."""


# As text: in a Path a URL would lose a slash.
_PATH = typer.Argument(metavar="PATH", help="Files and folders of documents, or URLs (s3://, gs://, hf://, https://).")
Paths = Annotated[list[str], _PATH]
Out = Annotated[Path, typer.Option("--out", help="Folder to write; replaced whole if raft made it.")]
IndexDir = Annotated[Path, typer.Option("--index", help="Folder that `raft index` made.")]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", "-c", help="YAML file of settings (`raft init`).")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting, such as tune.num_train_epochs=5.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of every random choice [recipe: 0].")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
Json = Annotated[bool, typer.Option("--json", help="The result as one JSON object.")]
MaxCalls = Annotated[
    int | None,
    typer.Option("--max-calls", min=0, help="Stop generation before more calls; the same command goes on."),
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0, help="Stop generation before its calls would cost more than this.")
]
PriceIn = Annotated[
    float | None, typer.Option("--price-in", min=0, help="Price of a million tokens that the model reads.")
]
PriceOut = Annotated[float | None, typer.Option("--price-out", min=0, help="Price of a million tokens that it writes.")]
PromptsDir = Annotated[
    Path | None,
    typer.Option("--prompts", help="Folder in which `raft run` left the best prompt [`prompts` beside the index]."),
]
ModelDir = Annotated[Path | None, typer.Option("--model", help="Folder that `raft tune` made [the untuned model].")]


@app.command()
def index(
    out: Out,
    paths: Annotated[list[str] | None, _PATH] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Only check every file of the index in --out.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="Only say what the index in --out holds, as JSON.")] = False,
    scan: Annotated[bool, typer.Option("--scan", help="Count personal data and secrets by file.")] = False,
    redact: Annotated[bool, typer.Option("--redact", help="Mask them before anything is embedded.")] = False,
    passages: Annotated[
        bool, typer.Option("--passages", help="Take rows of JSON Lines (id, text) as passages, as they are.")
    ] = False,
    vectors: Annotated[
        Path | None, typer.Option("--vectors", help="NumPy file (.npy) with a vector for each of these rows, in order.")
    ] = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Read documents, split them into passages, embed them and write a search index."""
    if verify or stats:
        commands.inspect_index(out, paths, stats=stats)
        return
    if not paths:
        raise InputError("no PATH was given: name the files and folders to index")
    _check_paths(*_local(paths), vectors)
    chosen = _recipe(recipe, sets, seed)
    from raft.display import display
    from raft.index import build_index
    from raft.index.build import PERSONAL

    flags = {"scan": scan, "redact": redact, "passages": passages}
    settings = chosen.index.model_copy(update={name: True for name, given in flags.items() if given})
    manifest = build_index(paths, out, settings, chosen.seed, display(quiet=quiet), vectors=vectors)
    print(f"{manifest.counts['documents']} documents, {manifest.counts['passages']} passages in {out}")
    if settings.scan or settings.redact:
        done = "masked" if settings.redact else "found"
        print(f"{manifest.counts['personal']} pieces of personal data and secrets {done}, by file in {out / PERSONAL}")
    ledger = manifest.ledger
    print(f"files found {ledger.read} = indexed {ledger.kept} + skipped {ledger.read - ledger.kept}")


@app.command()
def generate(
    index: IndexDir,
    out: Out,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="Questions to train on [written by the model].")
    ] = None,
    rebalance: Annotated[
        bool, typer.Option("--rebalance", help="Drop rows of whatever holds more than its share of the training set.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate calls, tokens, time and cost.")] = False,
    max_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Write and check a RAFT training set."""
    _check_artefact(index, "index")
    _check_paths(questions)
    chosen = _recipe(recipe, sets, seed)
    from raft.models.calls import Limits

    limits = Limits(max_calls, max_cost, price_in, price_out)
    from raft.display import display
    from raft.examples import estimate_examples, generate_examples

    settings = chosen.generating.model_copy(update={"rebalance": True}) if rebalance else chosen.generating
    if dry_run:
        print(estimate_examples(index, out, questions, settings, chosen.seed, limits))
        return
    shown = display(quiet=quiet)
    manifest = generate_examples(index, out, questions, settings, chosen.seed, shown, limits=limits)
    print(
        f"{manifest.counts['train']} train, {manifest.counts['validation']} validation, {manifest.counts['test']} test"
    )
    leaked = manifest.counts["leaked_questions"] + manifest.counts["leaked_oracles"]
    print(f"{leaked} leaks between the splits, listed with distractors of unseen documents in {out / 'leakage.jsonl'}")
    print(f"candidates {manifest.ledger}")


@app.command()
def tune(
    examples: Annotated[Path, typer.Option("--examples", help="Folder that `raft generate` made.")],
    method: Annotated[str, typer.Option("--method", help="raft (with passages) or dsf (question and answer alone).")],
    out: Out,
    full: Annotated[bool | None, typer.Option("--full/--lora", help="Train all weights [LoRA adapter].")] = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Adapt a model to a training set."""
    from raft.types import TuningMethod

    if method not in set(TuningMethod):
        raise InputError(f"--method {method!r} is unknown: give raft or dsf")
    _check_artefact(examples, "examples")
    chosen = _recipe(recipe, sets, seed)
    from raft.display import display
    from raft.tune import tune as tune_model

    settings = chosen.tune if full is None else chosen.tune.model_copy(update={"full": full})
    manifest = tune_model(examples, out, TuningMethod(method), settings, chosen.seed, display(quiet=quiet))
    print(f"{manifest.counts['steps']} steps on {manifest.counts['rows']} rows; model in {out}")


@app.command()
def evaluate(
    index: IndexDir,
    questions: Annotated[Path, typer.Option("--questions", help="Questions to evaluate on.")],
    out: Out,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME=DIR", help=f"{', '.join(VARIANTS)}; repeatable.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", metavar="ARM", help="oracle, few-shot or NAME=MODEL,CONTEXT (none, retrieved, oracle)."),
    ] = None,
    examples: Annotated[Path | None, typer.Option("--examples", help="Where few-shot finds its examples.")] = None,
    prompts: PromptsDir = None,
    robustness: Annotated[bool, typer.Option("--robustness", help="Also vary what is shown, and attack it.")] = False,
    recipe: RecipeFile = None,
    sets: Sets = None,
    seed: Seed = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare the arms on the same questions, with intervals and verdicts."""
    models: dict[str, Path] = {}
    for item in model or []:
        name, equals, folder = item.partition("=")
        if not (name and equals and folder) or name in models:
            raise InputError(f"--model {item!r} is not NAME=DIR with a name of its own: write --model raft=models/raft")
        models[name] = Path(folder)
    _check_artefact(index, "index")
    _check_paths(questions)
    for tuned in models.values():
        _check_artefact(tuned, "model")
    _check_artefact(examples, "examples")
    _check_artefact(prompts, "prompts")
    chosen = _recipe(recipe, sets, seed)
    from raft.display import display, print_summary
    from raft.evaluate import EvaluationSpec
    from raft.evaluate import evaluate as evaluate_arms

    further = {"arms": (*chosen.evaluate.arms, *(arm or [])), "robustness": robustness or chosen.evaluate.robustness}
    settings = chosen.evaluate.model_copy(update=further)
    spec = EvaluationSpec(
        index, questions, models, settings, chosen.answer, seed=chosen.seed, examples=examples, prompts=prompts
    )
    result = evaluate_arms(spec, out, display(quiet=quiet))
    print_summary(result.summary, out, as_json=as_json)


@app.command()
def query(
    question: Annotated[str, typer.Argument(help="The question.")],
    index: IndexDir,
    model: ModelDir = None,
    prompts: PromptsDir = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Answer one question, with quotes that were checked against their source."""
    answer = _answerer(index, model, prompts, recipe, sets)().answer(question)
    if as_json:
        from raft.query.server import answer_body

        print(json.dumps(answer_body(answer), ensure_ascii=False))
    else:
        from raft.display import print_answer

        print_answer(answer)


@app.command()
def serve(
    index: IndexDir,
    model: ModelDir = None,
    prompts: PromptsDir = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
    recipe: RecipeFile = None,
    sets: Sets = None,
) -> None:
    """Answer questions over HTTP: a page, and an OpenAI-compatible route."""
    open_answerer = _answerer(index, model, prompts, recipe, sets)
    from raft.query import serve as serve_model

    serve_model(open_answerer, host, port)


@app.command()
def run(
    paths: Paths,
    out: Out,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="For the evaluation alone [held-out ones to train on].")
    ] = None,
    train_questions: Annotated[
        Path | None, typer.Option("--train-questions", help="To train on [written by the model].")
    ] = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Also dsf-cot and raft-no-cot: two more tunings, two more arms.")
    ] = False,
    max_calls: MaxCalls = None,
    max_cost: MaxCost = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    seed: Seed = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """All of it: index, generate, tune, evaluate. A stage whose inputs are unchanged is skipped."""
    _check_paths(*_local(paths), questions, train_questions)
    chosen = _recipe(recipe, [*(sets or []), *(["ablations=true"] if ablations else [])], seed)
    from raft.models.calls import Limits

    limits = Limits(max_calls, max_cost, price_in, price_out)
    from raft.display import display, print_summary
    from raft.run import run as run_all

    summary = run_all(paths, out, questions, train_questions, chosen, display(quiet=quiet), limits)
    print_summary(summary, out / "evaluation", as_json=as_json)


app.command()(commands.init)
app.command()(commands.fetch)
app.command()(commands.search)
app.command()(commands.export)
app.command()(commands.audit)
app.command()(commands.compare)
app.command()(commands.env)


def _local(paths: list[str]) -> list[Path]:
    """Those of the paths that can be looked at at once."""
    from raft.corpus.locations import is_remote

    return [Path(path) for path in paths if not is_remote(path)]


def _check_paths(*paths: Path | None) -> None:
    """Refuse a path that does not exist before anything that takes time is imported."""
    for path in paths:
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist: check the path")


def _check_artefact(folder: Path | None, stage: str) -> None:
    """Refuse a folder that another verb, or none, has made, just as early."""
    from raft.artifacts import Stage, check_stage

    if folder is not None:
        check_stage(folder, Stage(stage))


def _answerer(
    index: Path, model: Path | None, prompts: Path | None, recipe: Path | None, sets: list[str] | None
) -> Callable[[], Answerer]:
    """What opens an index with a model, and says on standard error how an untuned one is asked."""
    for folder, stage in ((index, "index"), (model, "model"), (prompts, "prompts")):
        _check_artefact(folder, stage)
    chosen = _recipe(recipe, sets, None)
    from raft.answering import Answerer

    def opened() -> Answerer:
        answerer = Answerer.open(index, model, chosen.answer, chosen.tune.model, prompts)
        if answerer.wording.why:
            print(f"prompt '{answerer.wording.variant}', {answerer.wording.why}", file=sys.stderr)
        return answerer

    return opened


def _recipe(path: Path | None, sets: list[str] | None, seed: int | None) -> Recipe:
    """The recipe file, then each --set, then --seed: the later wins."""
    from raft.recipe import Recipe, load_recipe, parse_settings

    raw: dict[str, Any] = load_recipe(path).model_dump()
    for item in sets or []:
        key, equals, value = item.partition("=")
        *sections, name = key.strip().split(".")
        if not equals or not name:
            raise InputError(f"--set {item!r} is not A.B=C: write it as --set tune.num_train_epochs=5")
        place = raw
        for section in sections:
            place = place.get(section, {}) if isinstance(place, dict) else {}
        if name not in place:
            raise InputError(f"--set {item!r}: there is no setting {key!r}: `raft init` writes a file with all of them")
        place[name] = value
    if seed is not None:
        raw["seed"] = seed
    return parse_settings(Recipe, raw, "settings")


def main() -> None:
    """Run the command line; whatever the user can mend is one line and exit code 2."""
    try:
        app(prog_name="raft")
    except RaftError as error:
        print(f"raft: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        reason = " ".join(reason.split())
        print(f"raft: {reason}: check the path, the rights to it and the space left", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("raft: stopped; finished stages stay, and generation goes on from its journal", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
