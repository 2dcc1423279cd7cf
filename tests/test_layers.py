"""Imports point one way, heavy libraries have one home each, and the front door stays light."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

RAFT = Path(__file__).parents[1] / "raft"
# From left to right; modules of one layer may import each other, and nobody imports to the right.
LAYERS = [
    {"errors", "lazy", "swap"},
    {"types", "processor"},
    {"wrapping"},
    {"text"},
    {"prompts", "outputs", "choices"},
    {"citations", "artifacts", "journal", "recipe", "progress", "questions", "quality"},
    {"models"},
    {"corpus"},
    {"index"},
    {"examples"},
    {"audit"},
    {"tune"},
    {"answering"},
    {"evaluate"},
    {"query"},
    {"display", "remaining", "run", "environment", "commands", "cli"},
]
HOMES = {
    "faiss": {"index/approximate.py"},
    "peft": {"tune/", "models/local.py"},
    "fsspec": {"corpus/remote.py"},
}
# What `import raft` and `raft --help` must not pay for.
HEAVY = ["torch", "transformers", "sentence_transformers", "datasets", "peft", "faiss", "scipy", "matplotlib"]
HEAVY += ["bs4", "fastapi", "openai", "pydantic_settings", "fsspec"]


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(RAFT.rglob("*.py")):
        yield path.relative_to(RAFT).as_posix(), ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(name: str, tree: ast.Module) -> Iterator[str]:
    """Full names of everything that a file imports anywhere in it, `raft.x` for both forms of import."""
    package = ["raft", *Path(name).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            # `from raft import text` names a module, `from raft.text import locate` does not.
            names = [alias.name for alias in node.names if alias.name != "__version__"]
            yield from (f"raft.{name}" for name in names) if origin == "raft" else [origin]


def layer(part: str) -> int:
    found = [index for index, names in enumerate(LAYERS) if part in names]
    assert found, f"raft/{part} has no place in LAYERS: say what it may import"
    return found[0]


def part_of(name: str) -> str:
    return Path(name).parts[0].removesuffix(".py")


def test_nobody_imports_to_the_right() -> None:
    wrong = []
    for name, tree in modules():
        # The front door names everything, lazily; that it is light is tested below.
        if name == "__init__.py":
            continue
        for target in imported(name, tree):
            parts = target.split(".")
            if parts[0] == "raft" and len(parts) > 1 and layer(parts[1]) > layer(part_of(name)):
                wrong.append(f"raft/{name} imports {target}")
    assert wrong == []


def test_no_files_import_each_other_in_a_circle() -> None:
    trees = {name_of(name): (name, tree) for name, tree in modules()}
    graph = {}
    for module, (name, tree) in trees.items():
        if name.endswith("__init__.py"):
            # What a package imports for the type checker alone are its public names, which load on first use.
            tree = ast.Module([node for node in tree.body if not isinstance(node, ast.If)], [])
        graph[module] = {target for target in imported(name, tree) if target in trees}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def name_of(file: str) -> str:
    return ".".join(["raft", *Path(file).with_suffix("").parts]).removesuffix(".__init__")


def test_no_two_files_share_a_name() -> None:
    names = Counter(path.name for path in RAFT.rglob("*.py") if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("library", HOMES)
def test_each_heavy_library_is_imported_in_its_home_only(library: str) -> None:
    importers = {
        name for name, tree in modules() if library in {target.split(".")[0] for target in imported(name, tree)}
    }
    assert {name for name in importers if not any(name.startswith(home) for home in HOMES[library])} == set()


def test_nothing_unpickles_or_runs_remote_code() -> None:
    found = []
    for name, tree in modules():
        found += [
            f"raft/{name} imports {t}" for t in imported(name, tree) if t.split(".")[0] in ("pickle", "dill", "joblib")
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code" and ast.unparse(node.value) != "False":
                found.append(f"raft/{name} sets trust_remote_code in line {node.value.lineno}")
    assert found == []


@pytest.mark.parametrize("module", ["raft", "raft.cli", "raft.recipe", "raft.query", "raft.answering"])
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == []


def test_every_file_says_in_its_first_line_what_it_is_for() -> None:
    silent = [name for name, tree in modules() if not (ast.get_docstring(tree) or "").strip()]
    assert silent == []
