"""The blocks of a report as Markdown, to be read in a terminal: what is drawn becomes a table of its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import singledispatch

from raft.evaluate.report.blocks import (
    Bars,
    Block,
    Cell,
    Difference,
    Forest,
    Grid,
    Lines,
    Listing,
    Section,
    Split,
    Splits,
    Words,
    number_text,
)

# As many rows of a long table as are read through in a terminal; a corpus may have thousands of documents.
_ROWS = 20
# A curve over more places than this is told by its ends: its table would be as long as the evaluation.
_PLACES = 12
# What would end a cell, or begin markup in it; the bold of a difference is set by whoever made the cell.
_MARKS = re.compile(r"[\\|<`]")


def section_markdown(section: Section) -> str:
    """A heading, the introduction, and every block below it."""
    blocks = (part for block in section.blocks for part in rendered(block))
    return "\n\n".join(part for part in (f"## {section.title}", section.note, *blocks) if part)


def table_markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the heading. What documents say, and names of files, are no Markdown."""
    lines = ["| " + " | ".join(_MARKS.sub(r"\\\g<0>", " ".join(cell.split())) for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])


@singledispatch
def rendered(block: Block) -> Iterator[str]:
    """A block as paragraphs of Markdown. Raises TypeError for one that nobody has told how to render."""
    raise TypeError(f"no Markdown for a block of type {type(block).__name__}")


@rendered.register
def _(block: Bars) -> Iterator[str]:
    arms = {bar.name: bar.about for _, bars in block.panels for bar in bars}
    panels = [{bar.name: bar for bar in bars} for _, bars in block.panels]
    rows = []
    for arm, about in arms.items():
        found = (panel.get(arm) for panel in panels)
        shown = (f"{bar.mean:.1f} ({bar.low:.1f} to {bar.high:.1f}), n {bar.n:,}" if bar else "" for bar in found)
        rows.append((arm, about, *shown))
    yield table_markdown([("Arm", "What it is", *(title for title, _ in block.panels)), *rows])


@rendered.register
def _(block: Forest) -> Iterator[str]:
    rows = [
        (metric, f"{a} less {b}", *(_difference(cell) if cell else "" for cell in cells))
        for metric, lines in block.metrics.items()
        for a, b, cells in lines
    ]
    yield table_markdown([("Metric", "Arms", *block.groups), *rows])


def _difference(one: Difference) -> str:
    mark = "" if one.outcome == "open" else "**"
    note = f", {one.note}" if one.note else ""
    return f"{mark}{one.mean:+.1f}{mark} ({one.low:+.1f} to {one.high:+.1f}){note}"


@rendered.register
def _(block: Splits) -> Iterator[str]:
    yield f"### {block.title}"
    if block.note:
        yield block.note
    for title, splits in block.panels:
        if title:
            yield f"{title}:"
        yield "\n".join(f"- {_split(one)}" for one in splits)


def _split(one: Split) -> str:
    shares = (
        f"{share.label} {share.text}" + (f" ({share.interval})" if share.interval else "") + f", n {share.n:,}"
        for share in one.shares
    )
    return f"{one.a} less {one.b} {one.text}: {'; '.join(shares)}"


@rendered.register
def _(block: Lines) -> Iterator[str]:
    yield f"### {block.title}"
    if len(block.columns) > _PLACES:
        yield f"{block.summary[:1].upper()}{block.summary[1:]}."
        return
    rows = [(number_text(x), *(block.text(name, x) for name in block.series)) for x in block.columns]
    yield table_markdown([(block.x.label, *block.series), *rows])


@rendered.register
def _(block: Grid) -> Iterator[str]:
    if block.title:
        yield f"### {block.title}"
    yield _grid(block)


@rendered.register
def _(block: Listing) -> Iterator[str]:
    yield f"### {block.summary}"
    yield _grid(block.grid, _ROWS)
    if len(block.grid.rows) > _ROWS:
        yield f"These are {_ROWS} of {len(block.grid.rows)}; report.html has all."


def _grid(grid: Grid, most: int | None = None) -> str:
    explained = any(about for _, about, _ in grid.rows)
    rows = [
        (label, *([about] if explained else []), *(_cell(cell) for cell in cells))
        for label, about, cells in grid.rows[:most]
    ]
    return table_markdown([(grid.corner, *(["About"] if explained else []), *grid.columns), *rows])


def _cell(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.text and cell.note else cell.text or cell.note


@rendered.register
def _(block: Words) -> Iterator[str]:
    yield from (text for term, text in block.entries.items() if not term)
    terms = [f"- {term}: {text}" for term, text in block.entries.items() if term]
    if terms:
        yield "\n".join(terms)
