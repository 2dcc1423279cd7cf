"""The settings of a training set as they are recorded: models by name, never by a path of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raft.models.names import public_name
from raft.recipe import ExampleSettings


def public_settings(settings: ExampleSettings) -> dict[str, Any]:
    """Every setting as plain values, for the manifest and the dataset card."""
    models = ("model", "reader", "targets", "for_model")
    names = {name: public_name(value) for name in models if (value := getattr(settings, name))}
    # A file of this machine, whose content is recorded among the inputs.
    names["blocked_words"] = Path(settings.blocked_words).name
    return settings.model_dump(mode="json") | names
