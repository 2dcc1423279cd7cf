"""Loaded models whose answers outlive a kill: a journal keeps what they said to each prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from raft.artifacts import hash_json, versions
from raft.journal import Journal
from raft.models.calls import Calls
from raft.models.generator import Decoding, Generation, Generator
from raft.models.loading import load_generator
from raft.models.names import is_endpoint
from raft.progress import Advance
from raft.prompts import Prompt, PromptStyle

# Prompts between two entries in the journal: three full batches of a model on this machine.
_CHUNK = 144


class JournaledModel:
    """One loaded model, its decoding, and the journal of its answers."""

    def __init__(self, generator: Generator, identity: str, decoding: Decoding, journal: Journal | None) -> None:
        """identity: sha256 of the weights.

        journal: for a generator that somebody brought along. None for those of the package, which keep their answers
        themselves (`Calls`).
        """
        self._generator, self._decoding, self._journal = generator, decoding, journal
        self._work = hash_json([identity, versions(), decoding.recorded])

    @property
    def name(self) -> str:
        """The name that the model was loaded by."""
        return self._generator.name

    @property
    def style(self) -> PromptStyle:
        """The wording of the prompts that it expects."""
        return self._generator.style

    @property
    def max_new_tokens(self) -> int:
        """The longest answer that it may give."""
        return self._decoding.max_new_tokens

    @property
    def must_be_told(self) -> bool:
        """Whether it knows of the choices of a prompt only what the prompt says: it is behind an endpoint."""
        return is_endpoint(self.name)

    def write(self, prompts: Sequence[Prompt], advance: Advance | None = None) -> dict[Prompt, Generation]:
        """What the model says to each of these different prompts, or said to it before a kill.

        A model that keeps its answers itself is given all prompts at once. For others, which prompts are written
        together depends on these alone and never on what the journal holds already, so that work that goes on after a
        kill ends with the answers of work that ran through. Raises ModelError where a prompt does not fit the model.
        """
        if self._journal is None:
            return dict(zip(prompts, self._generator.generate(prompts, self._decoding, advance), strict=True))
        said: dict[Prompt, Generation] = {}
        for chunk in _chunks(prompts):
            keys = [self._key(prompt) for prompt in chunk]
            if all(key in self._journal for key in keys):
                if advance is not None:
                    advance(len(chunk))
            else:
                written = self._generator.generate(chunk, self._decoding, advance)
                self._journal.add({key: asdict(one) for key, one in zip(keys, written, strict=True)})
            said |= {prompt: Generation.restored(self._journal[key]) for prompt, key in zip(chunk, keys, strict=True)}
        return said

    def _key(self, prompt: Prompt) -> str:
        # What only some prompts have comes last, so that the keys of the others stay as they were.
        further = [prompt.earlier, prompt.begun, prompt.one_line]
        said = [self._work, prompt.system, prompt.user, prompt.choices]
        return hash_json([*said, *(further if any(further) else ())])


@dataclass(frozen=True, slots=True)
class Models:
    """Where the models of an evaluation come from, and the journal that keeps what they say.

    load: brings other models than the package's own.
    """

    journal: Journal
    load: Callable[[str, Path | None], Generator] | None = None

    def open(self, name: str, folder: Path | None, identity: str, decoding: Decoding) -> JournaledModel:
        """Load one; identity: sha256 of its weights. Raises ModelError where there is no such model.

        The package's own keep their answers as in generation: models on this machine a batch at a time, endpoints each
        answer when it comes, so that many may be under way.
        """
        if self.load is not None:
            return JournaledModel(self.load(name, folder), identity, decoding, self.journal)
        return JournaledModel(
            load_generator(name, folder, Calls(self.journal, identity=identity)), identity, decoding, None
        )


def _chunks(prompts: Sequence[Prompt]) -> Iterator[list[Prompt]]:
    """Prompts of like length together, so that little of a batch is padding."""
    ordered = sorted(prompts, key=lambda prompt: (len(prompt.text), prompt.text))
    yield from (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))
