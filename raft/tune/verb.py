"""`raft tune`: an examples folder in, an adapted model out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft.artifacts import TIMING, Ledger, Manifest, Stage, fingerprint, verified, writing
from raft.examples.splitting import tuned_documents
from raft.models.tuned import TRAINING, TunedModel
from raft.models.weights import public_name, weights_fingerprint
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
    examples = verified(examples_dir, Stage.EXAMPLES)
    with writing(out, Stage.MODEL) as draft:
        # Late: these load torch and transformers.
        import torch

        from raft.examples.rows import read_rows
        from raft.models.local import load_model
        from raft.tune.encoding import encode_rows
        from raft.tune.training import optimiser_steps, train

        # Small updates vanish in bfloat16 weights; a frozen base may be kept in it, and its matrices are float32.
        loaded = load_model(settings.model, torch.float32 if settings.full else None)
        style = loaded.codec.style
        variant = variant_of(method, settings.targets)
        rows = read_rows(examples_dir / "train.jsonl", variant, style)
        held = read_rows(examples_dir / "validation.jsonl", variant, style)
        encoded, validation = encode_rows(rows, loaded), encode_rows(held, loaded)
        if not held:
            progress.note(f"tune {variant}: no validation rows, so the weights of the last step are kept")
        with progress.task(f"tune {variant}", optimiser_steps(len(rows), settings)) as advance:
            result = train(loaded, encoded, validation, settings, seed, advance)
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
        )
        text = json.dumps(asdict(tuned), indent=2, ensure_ascii=False)
        (draft.path / TRAINING).write_text(text + "\n", encoding="utf-8")
        (draft.path / TIMING).write_text(json.dumps({"seconds": round(result.seconds, 1)}) + "\n", encoding="utf-8")
        (draft.path / "README.md").write_text(_card(tuned), encoding="utf-8")
        counts = {"rows": len(rows), "validation_rows": len(held), "steps": result.steps}
        inputs = _inputs(examples.digest, settings)
        draft.finish(Stage.MODEL, _recorded(method, settings, seed), inputs, counts, Ledger(len(rows), len(rows)))
    assert draft.manifest is not None
    progress.note(f"tune {variant}: {len(rows)} rows, {result.steps} steps, {result.seconds:.0f} s")
    if losses := result.validation_losses():
        progress.note(f"tune {variant}: {_of_validation(*losses)}")
    return draft.manifest


def _of_validation(before: float, after: float) -> str:
    """What the validation rows say of the tuning, in a sentence."""
    change = f"validation loss {before:.2f} before, {after:.2f} after"
    if after < before:
        return change
    return f"{change}: it learnt nothing that holds for other documents; see what `raft evaluate` says of it"


def _recorded(method: TuningMethod, settings: TuneSettings, seed: int) -> dict[str, Any]:
    model = public_name(settings.model)
    return {**settings.model_dump(mode="json"), "model": model, "method": str(method), "seed": seed}


def _inputs(examples_digest: str, settings: TuneSettings) -> dict[str, str]:
    return {"examples": examples_digest, "model": weights_fingerprint(settings.model)}


def _save(result: TrainingResult, loaded: LoadedModel, settings: TuneSettings, folder: Path) -> None:
    if settings.full:
        result.model.save_pretrained(folder)
    else:
        # peft would record where the base lies on this machine, look the base up on the hub, and write a set of module
        # names in an order that changes from run to run.
        adapter = result.model.peft_config["default"]
        adapter.base_model_name_or_path = settings.model
        if isinstance(adapter.target_modules, set):
            adapter.target_modules = sorted(adapter.target_modules)
        result.model.save_pretrained(folder, save_embedding_layers=False)
    loaded.codec.tokenizer.save_pretrained(folder)


def _card(tuned: TunedModel) -> str:
    """The model card, in place of the empty form that peft leaves."""
    base, method = public_name(tuned.base_model), tuned.variant.upper()
    return (
        f"---\nbase_model: {base}\ntags:\n- raft\n- {tuned.method}\n---\n"
        f"# {base}, tuned with {method}\n\n"
        f"Trained on {tuned.rows} questions about {len(tuned.document_ids)} documents that were chosen for it, in "
        f"{tuned.steps} optimiser steps; these are the weights of step {tuned.kept_step}. It belongs to the index "
        f"with digest `{tuned.index_digest[:16]}`. What it is worth stands in the evaluation beside it; "
        "`training.json` holds the losses.\n"
    )
