"""What `raft env` says, and how raft does without what only Linux has."""

import builtins
import json
import os
import platform
import resource
from typing import Any

import pytest

from raft import __version__
from raft.corpus import worker
from raft.environment import described, environment
from raft.processor import usable_cores


def test_it_names_versions_and_models_and_nothing_private(call: Any) -> None:
    code, out, _ = call("env", "--json")
    found = json.loads(out)
    assert code == 0 and found == environment()
    assert found["raft"] == __version__ and found["cores"] >= 1
    assert found["packages"]["torch"] and found["models"]["mini"] is True
    assert os.path.expanduser("~") not in out and platform.node() not in out


def test_people_are_told_what_to_do_about_a_model_that_is_not_here() -> None:
    found = environment()
    found["models"]["smollm2"] = False
    found["packages"]["datasets"] = None
    lines = dict(line.split(maxsplit=1) for line in described(found).splitlines())
    assert lines["smollm2"] == "not here: run `raft fetch smollm2`"
    assert lines["datasets"] == "not installed" and lines["mini"] == "present"


def test_where_torch_cannot_be_imported_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "torch":
            raise ImportError("no such library")
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    found = environment()
    assert found["device"] == "torch cannot be imported (ImportError)" and found["fast_bfloat16"] is None


def test_cores_and_memory_limits_that_a_system_does_not_know_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1
    monkeypatch.delattr(resource, "RLIMIT_AS")
    limits: list[int] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, values: limits.append(kind))
    worker.limit_itself()
    assert limits == [resource.RLIMIT_CORE]
