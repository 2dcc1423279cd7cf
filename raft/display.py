"""What the terminal shows: bars with time left for people, plain lines for logs, answers, and the table of arms."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from raft.progress import DetailedAdvance, Progress, Silent

if TYPE_CHECKING:
    from rich.console import RenderableType

    from raft.answering import Answer
    from raft.evaluate.summary import Summary

# A log wants a sign of life now and then, not a line a row.
_LINE_SECONDS = 15.0


def display(*, quiet: bool) -> Progress:
    """The display that suits standard error; results never go there."""
    if quiet:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


class Bars:
    """One rich progress bar a task, on standard error."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[DetailedAdvance]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class Detailed(RichProgress):
            """Has a line of its own below the bar for details: both would not fit in 80 columns."""

            def get_renderables(self) -> Iterator[RenderableType]:
                yield from super().get_renderables()
                yield from (Text(f"  {task.fields['detail']}") for task in self.tasks if task.fields["detail"])

        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Detailed(*columns, console=self._console) as bars:
            bar = bars.add_task(label, total=total, detail="")
            yield lambda count, detail="": bars.update(bar, advance=count, detail=detail)

    def note(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)


class Lines:
    """Plain lines on standard error."""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[DetailedAdvance]:
        began = told = time.monotonic()
        done = 0

        def advance(count: int, detail: str = "") -> None:
            nonlocal done, told
            done += count
            now = time.monotonic()
            if now - told >= _LINE_SECONDS and 0 < done < total:
                told = now
                left = (now - began) / done * (total - done)
                self.note(f"{label}: {done} of {total}, {left:.0f} s left" + (f", {detail}" if detail else ""))

        yield advance
        self.note(f"{label}: {done} of {total} in {time.monotonic() - began:.1f} s")

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def print_answer(answer: Answer) -> None:
    """An answer with its quotes and passages, for a person, on standard output."""
    print(answer.answer or "(the model wrote no answer)")
    for quote in answer.quotes:
        # A quote keeps the line breaks of its source; a terminal wraps by itself.
        print(f'  "{" ".join(quote.text.split())}"\n    {quote.source}, characters {quote.start} to {quote.end}')
    if answer.unverified:
        print(f"  ({answer.unverified} claimed quotes were not found in their passage and are not shown)")
    print("passages used:")
    for number, scored in enumerate(answer.passages, 1):
        print(f"  [{number}] {scored.passage.place}, score {scored.score:.3f}")


def print_summary(summary: Summary, folder: Path, *, as_json: bool) -> None:
    """The arms side by side and every verdict; as one JSON object where asked for."""
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from raft.evaluate import asked, comparison_table
    from raft.evaluate.measures.metrics import F1
    from raft.evaluate.statistics.decomposition import origin

    (arm, f1, *others), *rows = comparison_table(summary)
    # Without edges, and with headings of two lines, the widest numbers fit a terminal of 80 columns.
    title = f"{asked(summary)}, the same for every arm"
    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in (arm, f1, *(name.replace(" ", "\n", 1) for name in others)):
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    for comparison in summary["comparisons"]:
        console.print(f"- {comparison['verdict']}", highlight=False, markup=False, soft_wrap=True)
        if comparison["metric"] == F1.name and (where := origin(comparison)):
            console.print(f"  {where}", highlight=False, markup=False, soft_wrap=True)
    for cost in summary["forgetting"]["models"].values() if "forgetting" in summary else ():
        console.print(f"- {cost['verdict']}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
