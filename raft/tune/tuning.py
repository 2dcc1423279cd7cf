"""`raft tune`: an examples folder in, an adapted model out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft.artifacts import TIMING, Ledger, Manifest, Stage, fingerprint, hash_json, verified, versions, writing
from raft.errors import InputError, ModelError
from raft.examples.splits import tuned_documents
from raft.models.names import adapter_base, is_writer, public_name
from raft.models.tuned import TRAINING, TunedModel
from raft.models.weights import weights_fingerprint
from raft.progress import Progress, Silent
from raft.prompts import prompt_fingerprint
from raft.recipe import TuneSettings, TuningMethod
from raft.types import variant_of

if TYPE_CHECKING:
    from raft.models.local import LoadedModel
    from raft.tune.training import TrainingResult


def model_fingerprint(examples_digest: str, method: TuningMethod, settings: TuneSettings, seed: int) -> str:
    """Names the work of `tune` before it is done."""
    return fingerprint(Stage.MODEL, _recorded(method, settings, seed), _inputs(examples_digest, settings))


def check_tunable(settings: TuneSettings) -> None:
    """Refuse what no training can begin with, before the work that it would spoil. Raises InputError or ModelError."""
    if settings.adapter and settings.full:
        raise InputError(
            "tune.start goes on with LoRA matrices, but tune.full trains all weights: leave out one of them"
        )
    if not (start := settings.adapter):
        return
    base = adapter_base(start)
    if base is None:
        raise ModelError(f"tune.start is {start!r}, which is no folder with a LoRA adapter: check its path")
    if base != settings.model:
        raise ModelError(f"{start} is an adapter on {base!r}, but tune.model is {settings.model!r}: give that model")
    if is_writer(start):
        raise ModelError(f"{start} writes questions and nothing else: give another adapter as tune.start")


def tune(
    examples_dir: Path,
    out: Path,
    method: TuningMethod,
    settings: TuneSettings = TuneSettings(),
    seed: int = 0,
    progress: Progress = Silent(),
) -> Manifest:
    """Adapt a model to `train.jsonl`, stopping early on `validation.jsonl`, and write adapter or weights to `out`.

    Both methods learn the same questions under the same schedule of optimiser steps; each keeps the weights of the
    epoch that its own validation loss liked best. Raises ArtifactError or ModelError; nothing is half-written.
    """
    check_tunable(settings)
    examples = verified(examples_dir, Stage.EXAMPLES)
    variant = variant_of(method, settings.targets)

    def say(text: str) -> None:
        progress.note(f"tune {variant}: {text}")

    # Late: these load torch and transformers.
    from raft.tune.checkpoints import Checkpoints

    with Checkpoints(out, say) as checkpoints:
        with writing(out, Stage.MODEL) as draft:
            import torch

            from raft.examples.training_rows import read_rows
            from raft.models.local import load_model
            from raft.tune.encoding import encode_rows
            from raft.tune.training import Lessons, train

            # Small updates vanish in bfloat16 weights; a frozen base may be kept in it, and its matrices are float32.
            loaded = load_model(settings.model, torch.float32 if settings.full else None)
            style = loaded.codec.style
            rows = read_rows(examples_dir / "train.jsonl", variant, style)
            held = read_rows(examples_dir / "validation.jsonl", variant, style)
            lessons = Lessons(encode_rows(rows, loaded), encode_rows(held, loaded), settings, seed)
            if not held:
                say("no validation rows, so the weights of the last step are kept")
            recorded, inputs = _recorded(method, settings, seed), _inputs(examples.digest, settings)
            work = [fingerprint(Stage.MODEL, recorded, inputs), versions(), prompt_fingerprint(style)]
            found = checkpoints.newest(hash_json(work))
            done = found.step if found else 0
            if found:
                say(f"goes on from step {done} of {lessons.steps}")
            with progress.task(f"tune {variant}", lessons.steps - done) as advance:
                result = train(loaded, lessons, checkpoints, found, advance)
            _save(result, loaded, settings, draft.path)
            tuned = TunedModel(
                method=method,
                base_model=settings.model,
                style=style,
                prompt_fingerprint=prompt_fingerprint(style),
                index_digest=examples.inputs["index"],
                document_ids=tuple(sorted(tuned_documents(examples_dir))),
                rows=len(rows),
                steps=result.steps,
                kept_step=result.kept_step,
                target_tokens=result.target_tokens,
                losses=tuple(result.losses),
                targets=settings.targets,
                attention=loaded.attention,
                start=settings.adapter,
            )
            _describe(tuned, result.seconds, draft.path)
            counts = {"rows": len(rows), "validation_rows": len(held), "steps": result.steps}
            draft.finish(Stage.MODEL, recorded, inputs, counts, Ledger(len(rows), len(rows)))
        checkpoints.finish()
    assert draft.manifest is not None
    say(f"{len(rows)} rows, {result.steps} steps, {result.seconds:.0f} s, {result.speed}")
    if losses := result.validation_losses():
        say(_of_validation(*losses))
    return draft.manifest


def _describe(tuned: TunedModel, seconds: float, folder: Path) -> None:
    """What people and other stages read of a model, beside its weights."""
    text = json.dumps(asdict(tuned), indent=2, ensure_ascii=False)
    (folder / TRAINING).write_text(text + "\n", encoding="utf-8")
    (folder / TIMING).write_text(json.dumps({"seconds": round(seconds, 1)}) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_card(tuned), encoding="utf-8")


def _of_validation(before: float, after: float) -> str:
    """What the validation rows say of the tuning, in a sentence."""
    change = f"validation loss {before:.2f} before, {after:.2f} after"
    if after < before:
        return change
    return f"{change}: it learnt nothing that holds for other documents; see what `raft evaluate` says of it"


def _recorded(method: TuningMethod, settings: TuneSettings, seed: int) -> dict[str, Any]:
    public = {"model": public_name(settings.model), "start": public_name(settings.adapter)}
    return {**settings.model_dump(mode="json"), **public, "method": str(method), "seed": seed}


def _inputs(examples_digest: str, settings: TuneSettings) -> dict[str, str]:
    inputs = {"examples": examples_digest, "model": weights_fingerprint(settings.model)}
    return inputs | ({"start": weights_fingerprint(settings.adapter)} if settings.adapter else {})


def _save(result: TrainingResult, loaded: LoadedModel, settings: TuneSettings, folder: Path) -> None:
    if settings.full:
        result.model.save_pretrained(folder)
    else:
        from raft.tune.training import save_adapter

        save_adapter(result.model, settings.model, folder)
    loaded.codec.tokenizer.save_pretrained(folder)


def _card(tuned: TunedModel) -> str:
    """The model card, in place of the empty form that peft leaves."""
    base, method = public_name(tuned.base_model), tuned.variant.upper()
    further = f"Training went on from the adapter {public_name(tuned.start)}. " if tuned.start else ""
    return (
        f"---\nbase_model: {base}\ntags:\n- raft\n- {tuned.method}\n---\n"
        f"# {base}, tuned with {method}\n\n"
        f"Trained on {tuned.rows} questions about {len(tuned.document_ids)} documents that were chosen for it, in "
        f"{tuned.steps} optimiser steps; these are the weights of step {tuned.kept_step}. {further}It belongs to the "
        f"index with digest `{tuned.index_digest[:16]}`. What it is worth stands in the evaluation beside it; "
        "`training.json` holds the losses.\n"
    )
