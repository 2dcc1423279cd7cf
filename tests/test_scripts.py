"""Scripts that measure are run by hand and rarely: what they take from the package has to be there all the same."""

import ast
import json
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def in_python(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".py" or path.read_bytes().startswith(b"#!/usr/bin/env python3"))


@pytest.mark.parametrize("script", sorted(filter(in_python, SCRIPTS.iterdir())), ids=lambda path: path.name)
def test_a_script_names_only_what_the_package_has(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module is not None]
    lost = [
        f"{node.module}.{name.name}"
        for node in taken
        if node.module.partition(".")[0] == "raft"
        for name in node.names
        if not hasattr(import_module(node.module), name.name) and find_spec(f"{node.module}.{name.name}") is None
    ]
    assert lost == []


def loaded(name: str) -> Any:
    """A script as a module."""
    loader = SourceFileLoader(name, str(SCRIPTS / name))
    module = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def test_tuning_is_held_against_the_plain_trainer_step_by_step(tiny_chat: Callable[[str], Path]) -> None:
    bench, model = loaded("bench_tune"), str(tiny_chat("llama"))
    # 17 rows are three steps.
    found = {way: bench.run(way, model, 17, float32=True) for way in ("raft", "trainer")}
    result = bench.compared(found)
    assert len(result["raft"]["losses"]) == 3
    # A hundredth is what the script allows; on so small a model a wrong loss shows sooner.
    assert result["trainer"]["loss_difference"] < 0.0001
    assert result["raft"]["of_rate"] > 0 < result["trainer"]["speedup"]
    found["trainer"]["losses"][1] *= 1.5
    again = {name: {**one, "weights": 1, "rate": 1.0} for name, one in found.items()}
    assert bench.compared(again)["trainer"]["loss_difference"] == pytest.approx(1 / 3, abs=0.001)
    shares = bench.run("raft", model, 9, float32=True, profile=True)["profile"]
    assert len(shares) == 12 and 0 < sum(shares.values()) <= 1


def test_two_readers_agree_by_more_than_chance_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The script imports its neighbour.
    monkeypatch.syspath_prepend(str(SCRIPTS))
    check = loaded("check_writer")

    def reading(name: str, verdicts: str) -> Path:
        path = tmp_path / name
        rows = [json.dumps({"id": str(n), "good": verdict == "+"}) + "\n" for n, verdict in enumerate(verdicts)]
        path.write_text("".join(rows))
        return path

    one, other = reading("one", "++++----"), reading("other", "+++-+---")
    # Six of eight are equal, where half would be by chance.
    assert check.agreement(one, other) == {
        "questions": 8,
        "good_percent": [50.0, 50.0],
        "both_good_percent": 37.5,
        "equal_verdicts_percent": 75.0,
        "kappa": 0.5,
    }
    assert check.agreement(one, one)["kappa"] == 1.0
    with pytest.raises(SystemExit, match="do not hold the same questions"):
        check.agreement(one, reading("short", "++"))
