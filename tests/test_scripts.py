"""Scripts that measure are run by hand and rarely: what they take from the package has to be there all the same."""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

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
