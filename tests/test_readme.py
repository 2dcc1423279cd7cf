"""What the README tells people to type can be typed, and what it links to is there."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from raft import __version__
from raft.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")] + sorted(
    ROOT.glob("docs/*.md")
)


def commands() -> list[str]:
    lines = [
        line.partition("#")[0].strip()
        for page in PAGES
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]
    return list(dict.fromkeys(line for line in lines if line))


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("raft ")])
def test_every_raft_command_shown_is_understood(line: str) -> None:
    _, verb, *arguments = shlex.split(line)
    group = typer.main.get_command(app)
    group.commands[verb].make_context(verb, arguments)  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith(("scripts/", ".ci/"))])
def test_every_script_shown_can_be_run(line: str) -> None:
    path = ROOT / line.split()[0]
    assert path.stat().st_mode & 0o111


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_citation_names_the_version_that_is_here() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["cff-version"], cited["version"], cited["license"]) == ("1.2.0", __version__, "Apache-2.0")
