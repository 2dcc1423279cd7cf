"""What a person sees of work under way: how far it is, how long it takes, and its details of this moment."""

from io import StringIO

import pytest
from rich.console import Console

from raft.display import Bars, Lines
from raft.progress import Progress


def worked(progress: Progress) -> None:
    """Half of the work, of which the last part has details."""
    with progress.task("tune raft-no-cot", 300) as advance:
        advance(100)
        advance(50, "loss 1.23, 318 tokens/s, 4.4 GiB")


def test_lines_tell_the_details_beside_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("raft.display._LINE_SECONDS", 0)
    worked(Lines())
    first, second, last = capsys.readouterr().err.splitlines()
    assert first == "tune raft-no-cot: 100 of 300, 0 s left"
    assert second == "tune raft-no-cot: 150 of 300, 0 s left, loss 1.23, 318 tokens/s, 4.4 GiB"
    assert last.startswith("tune raft-no-cot: 150 of 300 in ")


def test_bars_and_their_details_fit_a_terminal_of_80_columns() -> None:
    bars, screen = Bars(), StringIO()
    bars._console = Console(file=screen, width=80)
    worked(bars)
    bar, details = screen.getvalue().splitlines()
    assert bar.startswith("tune raft-no-cot ") and " 150/300 " in bar and "…" not in bar
    assert details.strip() == "loss 1.23, 318 tokens/s, 4.4 GiB"
