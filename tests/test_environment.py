"""What `raft env` says, and how raft does without what only Linux has."""

import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
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
    assert found["packages"]["torch"] and found["models"]["mini"] and found["models"]["minilm"]
    assert os.path.expanduser("~") not in out and platform.node() not in out


def test_people_are_told_what_to_do_about_a_model_that_is_not_here() -> None:
    found = environment()
    found["models"] = {"smollm2": False, "minilm": False, "mini": True}
    found["packages"]["datasets"] = None
    lines = dict(line.split(maxsplit=1) for line in described(found).splitlines())
    assert lines["smollm2"] == "not here: run `raft fetch smollm2`"
    # `raft fetch` knows no other.
    assert lines["minilm"] == "not here: install raft again"
    assert lines["datasets"] == "not installed" and lines["mini"] == "present"


@pytest.mark.parametrize("error", ["ImportError", "OSError", "AttributeError"])
def test_where_torch_cannot_be_imported_that_is_said(error: str, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(f"raise {error}('broken')")
    # In a process of its own: here torch is loaded already, and so is what needs it.
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    command = [sys.executable, "-m", "raft.cli", "env", "--json"]
    child = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert found["device"] == f"torch cannot be imported ({error})" and found["fast_bfloat16"] is None
    assert found["models"]["mini"] is True


def test_cores_and_memory_limits_that_a_system_does_not_know_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1
    monkeypatch.delattr(resource, "RLIMIT_AS", raising=False)
    limits: list[int] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, values: limits.append(kind))
    worker.limit_itself()
    assert limits == [resource.RLIMIT_CORE]
