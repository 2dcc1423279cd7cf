"""The one place that turns the name of a generative model into one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from raft.models.generator import Generator
from raft.models.names import is_endpoint

if TYPE_CHECKING:
    from raft.models.calls import Calls


def load_generator(name: str, adapter: Path | None = None, calls: Calls | None = None) -> Generator:
    """Load `mini`, a local path or hub name, or `openai:MODEL@URL`; `adapter` is a folder that `raft tune` made.

    calls: where its answers are kept, what they may cost and how many are asked for at once [no journal, no limit].
    Raises ModelError where there is no such model.
    """
    if is_endpoint(name):
        from raft.models.endpoint import EndpointGenerator

        return EndpointGenerator.from_name(name, calls)
    from raft.models.local import LocalGenerator

    return LocalGenerator.load(name, adapter, calls)
