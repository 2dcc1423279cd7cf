"""A display that keeps what it is told."""

from raft.progress import Silent


class Listener(Silent):
    """Remembers the lines that stay."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)
