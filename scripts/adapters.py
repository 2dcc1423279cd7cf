"""Train a LoRA adapter on `smollm2` and leave it as a folder: what the training of a reader and of a writer share."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft.models.names import SMOLLM2
from raft.recipe import TuneSettings

if TYPE_CHECKING:
    from raft.models.local import LoadedModel
    from raft.tune.training import Lessons


def settings_of(rank: int) -> TuneSettings:
    """One pass at a rate that suits a few thousand rows, with new matrices: not those of the adapter that ships."""
    return TuneSettings(model=SMOLLM2, start="", learning_rate=8e-4, num_train_epochs=1, r=rank, alpha=2 * rank)


def train_adapter(
    loaded: LoadedModel, lessons: Lessons, counts: Mapping[str, Any], card: str, out: Path
) -> dict[str, Any]:
    """Learn the rows and write matrices, card and `training.json` to `out`; what that file records.

    counts: of the rows, which the record begins with and the card is filled in from. A training that was stopped goes
    on from its checkpoint.
    """
    import torch

    from raft.artifacts import hash_json
    from raft.tune.checkpoints import Checkpoints
    from raft.tune.training import save_adapter, train

    done = 0

    def advance(steps: int, detail: str = "") -> None:
        nonlocal done
        done += steps
        if done % 10 == 0:
            print(f"step {done} of {lessons.steps}: {detail}", file=sys.stderr, flush=True)

    with Checkpoints(out, lambda text: print(text, file=sys.stderr, flush=True)) as checkpoints:
        found = checkpoints.newest(hash_json([counts, lessons.settings.model_dump(mode="json")]))
        done = found.step if found else 0
        result = train(loaded, lessons, checkpoints, found, advance)
        save_adapter(result.model.to(torch.bfloat16), SMOLLM2, out)
        record = {**counts, "losses": result.losses, "seconds": round(result.seconds), "speed": result.speed}
        (out / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        (out / "README.md").write_text(card.format(**counts), encoding="utf-8")
        checkpoints.finish()
    return record
