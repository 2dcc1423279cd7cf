"""`raft audit`: a training file in, its faults by row out. Changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft.artifacts import MANIFEST, Stage, hash_file, of_one_generation, read_jsonl, read_manifest, stage_of, verified
from raft.audit.checks import Seen, row_faults, see, shortened
from raft.audit.faults import ABOUT, Fault, Finding
from raft.audit.layouts import AuditFile, Layout, read_file
from raft.audit.target_parts import read_target
from raft.audit.whole import Expected, file_faults, habits_of, oracle_places, with_oracle
from raft.errors import ArtifactError

# On one page; the JSON has them all.
_ROWS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a file: `places` counts the rows by the place of their oracle, from 1."""

    name: str
    layout: Layout
    rows: int
    oracle_shown: int
    oracle_known: int
    places: tuple[tuple[int, int], ...]
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything, with each finding by its row."""
        counts = Counter(finding.fault for finding in self.findings)
        return {
            "file": self.name,
            "layout": str(self.layout),
            "rows": self.rows,
            "rows_with_faults": len(self._faulty),
            "oracle_shown": self.oracle_shown,
            "oracle_known": self.oracle_known,
            "oracle_places": {str(place): count for place, count in self.places},
            "counts": {str(fault): counts[fault] for fault in Fault if counts[fault]},
            "faults": [
                {"fault": str(f.fault), "row": f.row, "about": ABOUT[f.fault], "detail": f.detail}
                for f in self.findings
            ],
        }

    def as_text(self) -> str:
        """One page for a person."""
        lines = [f"{self.name}: {self.layout}, {self.rows} rows"]
        if self.oracle_known:
            lines.append(f"{self.oracle_shown} of {self.oracle_known} rows show their oracle")
        if self.places:
            lines.append("oracle by place: " + ", ".join(f"{place}: {count}" for place, count in self.places))
        if not self.findings:
            return "\n".join([*lines, "no faults found"])
        lines.append(f"faults in {len(self._faulty)} of {self.rows} rows")
        for fault in Fault:
            found = [finding for finding in self.findings if finding.fault is fault]
            if found:
                lines += ["", *_described(fault, found)]
        return "\n".join(lines)

    @property
    def _faulty(self) -> set[int]:
        return {finding.row for finding in self.findings if finding.row is not None}


def _described(fault: Fault, found: Sequence[Finding]) -> Iterator[str]:
    yield f"{fault}: {ABOUT[fault]}"
    rows = sorted({finding.row for finding in found if finding.row is not None})
    if rows:
        more = f" and {len(rows) - _ROWS_SHOWN} more (--json names all)" if len(rows) > _ROWS_SHOWN else ""
        noun = "row" if len(rows) == 1 else f"{len(rows)} rows:"
        yield f"    {noun} {', '.join(map(str, rows[:_ROWS_SHOWN]))}{more}"
    whole = [finding for finding in found if finding.row is None]
    first = next((finding for finding in found if finding.row is not None), None)
    yield from (f"    {finding.detail}" for finding in whole)
    if first is not None:
        yield f"    row {first.row}: {first.detail}"


def audit_file(path: Path, index: Path | None = None, oracle_fraction: float | None = None) -> Report:
    """Every fault of a training file, of whatever known layout, by row.

    index: also look for each passage in the documents of this index. oracle_fraction: the share of rows that should
    show their oracle; for a file of ours the manifest beside it says so. Raises InputError where the file is none that
    can be read, ArtifactError where the index is none.
    """
    file = read_file(path)
    seen = [see(row, read_target(row.target)) for row in file.rows]
    expected, as_made = _expected(path, oracle_fraction)
    findings = [*file.unreadable, *as_made, *file_faults(seen, expected, len(file.rows) + len(file.unreadable))]
    habits = habits_of(seen, expected)
    for item in seen:
        findings += [Finding(fault, item.row.number, detail) for fault, detail in row_faults(item, habits)]
    if index is not None:
        findings += of_one_generation(index, lambda folder: list(_not_in_index(seen, folder)))
    return _report(path, file, seen, findings)


def _report(path: Path, file: AuditFile, seen: Sequence[Seen], findings: Sequence[Finding]) -> Report:
    order = {fault: place for place, fault in enumerate(Fault)}
    ordered = sorted(dict.fromkeys(findings), key=lambda f: (order[f.fault], f.row or 0))
    shown, known = with_oracle(seen)
    places = tuple(sorted(oracle_places(seen).items()))
    return Report(path.name, file.layout, len(file.rows), shown, known, places, tuple(ordered))


def _expected(path: Path, oracle_fraction: float | None) -> tuple[Expected, list[Finding]]:
    """What the manifest beside a file of ours says of it, and how the file differs; what the user says comes first."""
    folder = path.absolute().parent
    if not (folder / MANIFEST).is_file() or stage_of(folder) is not Stage.EXAMPLES:
        return Expected(oracle_fraction=oracle_fraction), []
    try:
        manifest = read_manifest(folder)
    except ArtifactError as error:
        return Expected(oracle_fraction=oracle_fraction), [Finding(Fault.NOT_AS_MADE, None, str(error))]
    if path.name not in manifest.outputs:
        return Expected(oracle_fraction=oracle_fraction), []
    changed = hash_file(path) != manifest.outputs[path.name]
    settings = manifest.settings
    made = 0.5 if settings.get("paired") else settings.get("oracle_fraction")
    distractors = settings.get("num_distractors")
    # A range, and several oracles, make rows of several sizes.
    several = settings.get("max_oracles", 1) > 1
    passages = distractors + 1 if isinstance(distractors, int) and not several else None
    asked = made if oracle_fraction is None else oracle_fraction
    expected = Expected(manifest.counts.get(path.stem), passages, asked)
    return expected, [Finding(Fault.NOT_AS_MADE, None, f"{path.name} was changed after it was made")] if changed else []


def _not_in_index(seen: Sequence[Seen], folder: Path) -> Iterator[Finding]:
    """Passages that no document of the index holds, with or without a title before them, whatever the white space."""
    from raft.index.reuse import DOCUMENTS

    verified(folder, Stage.INDEX)
    documents = [row for _, row in read_jsonl(folder / DOCUMENTS)]
    # No passage goes from one document over into the next: no text holds this sign.
    whole = "\x00".join(" ".join(row["text"].split()) for row in documents)
    titles = {" ".join(row["title"].split()) for row in documents}
    known: dict[str, bool] = {}
    for item in seen:
        for number, text in enumerate(item.row.passages, 1):
            if number - 1 in item.row.counterfactual:
                continue
            plain = " ".join(text.split())
            if plain not in known:
                known[plain] = any(said in whole for said in (plain, *_without_title(plain, titles)))
            if not known[plain]:
                yield Finding(Fault.NOT_IN_INDEX, item.row.number, f'passage {number}: "{shortened(text)}"')


def _without_title(text: str, titles: Container[str]) -> Iterator[str]:
    """What follows a title at the beginning of a text, as prompts write it; a title may hold a colon itself."""
    for colon in re.finditer(": ", text):
        if text[: colon.start()] in titles:
            yield text[colon.end() :]
