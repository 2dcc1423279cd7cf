"""What is found at a place with documents: files that can be read, or reasons to leave them out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

# A larger file is no document that a person reads.
LARGEST_FILE = 200 << 20
TOO_LARGE = f"it is larger than {LARGEST_FILE >> 20} MB: split it"

# A URL travels as text: a Path would make one slash of its two.
Location: TypeAlias = str | Path


class UnopenedError(Exception):
    """Why the bytes of a file were not read."""


class File(Protocol):
    """One file, wherever it lies; as text it is its path, without any secret of a URL."""

    def read(self, again: bool = False) -> bytes:
        """Its bytes. again: they will be asked for once more, so they are worth keeping where they came from far away.

        Raises UnopenedError where this file cannot be read, InputError where nothing can be at present.
        """
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at a given place: its name below that place, and the reason to leave it out, or "" to read it."""

    name: str
    file: File
    reason: str = ""
