"""What an index that stands already spares the next one: files that are as they were, their passages, their vectors.

Nothing is embedded twice for the same text and model, nor compared by a new sketch with the other texts; the result is
that of a build from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raft.artifacts import Manifest, Stage, of_one_generation, read_jsonl, verified
from raft.corpus import searchable_text
from raft.corpus.parsing import Skipped
from raft.corpus.sandbox import Results
from raft.corpus.sketches import SKETCHES, KeptSketches, load_sketches
from raft.errors import ArtifactError
from raft.models.embedder import Embedder
from raft.progress import Advance
from raft.recipe import IndexSettings
from raft.types import Document, Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of what an index writes down; counted up when a file of it changes its form, so that older indexes are made anew.
STORE_FORMAT = 2
DOCUMENTS, PASSAGES, SKIPPED, FILES = "documents.jsonl", "passages.jsonl", "skipped.jsonl", "files.jsonl"


def standing_manifest(folder: Path) -> Manifest | None:
    """The manifest of the index in a folder, whose files are as it says; None where there is none of this version."""
    try:
        return of_one_generation(folder, _manifest)
    except ArtifactError:
        return None


def _manifest(folder: Path) -> Manifest | None:
    from importlib import metadata

    manifest = verified(folder, Stage.INDEX)
    ours = manifest.versions["raft-tuning"] == metadata.version("raft-tuning")
    return manifest if ours and manifest.settings.get("store_format") == STORE_FORMAT else None


class Standing:
    """An index as it stands; empty where there is none, or none whose parts could be used."""

    def __init__(self) -> None:
        self.manifest: Manifest | None = None
        self.sketches = KeptSketches()
        self._documents: dict[str, Document] = {}
        self._passages: dict[str, list[Passage]] = {}
        self._results: dict[str, tuple[str, Results]] = {}
        self._vectors: Mapping[str, NDArray[np.float32]] = {}

    @classmethod
    def load(cls, folder: Path) -> Standing:
        """The index in a folder, checked against its manifest; an empty one where it is none or is damaged."""
        try:
            return of_one_generation(folder, cls._load)
        except ArtifactError:
            return cls()  # it will be made anew

    @classmethod
    def _load(cls, folder: Path) -> Standing:
        standing, manifest = cls(), _manifest(folder)
        if manifest is None:
            return standing
        standing.manifest = manifest
        standing._documents = {row["id"]: Document(**row) for _, row in read_jsonl(folder / DOCUMENTS)}
        passages = [Passage(**row) for _, row in read_jsonl(folder / PASSAGES)]
        for passage in passages:
            standing._passages.setdefault(passage.document_id, []).append(passage)
        # Vectors made elsewhere need not be what the embedder would give.
        if not manifest.settings["vectors_given"]:
            standing._vectors = _vectors(folder, passages)
        # Indexes of earlier versions have none.
        if SKETCHES in manifest.outputs:
            standing.sketches = load_sketches(folder / SKETCHES)
        # Documents that were masked, or put together from rows, are not what their files gave.
        if not (manifest.settings["redact"] or manifest.settings["passages"]):
            standing._results = _results(folder, standing._documents)
        return standing

    def results(self, file: str, digest: str) -> Results | None:
        """What a file gave when it was read; None where it changed or was not read."""
        then, results = self._results.get(file, ("", None))
        return results if then == digest else None

    def passages(self, document: Document, settings: IndexSettings, embedder: Embedder) -> list[Passage] | None:
        """The passages of a document that is as it was, where it was split so and for this embedder; else None."""
        if self.manifest is None or self._documents.get(document.id) != document:
            return None
        names = ("embedder", "passage_tokens", "overlap_tokens", "passages")
        same = all(self.manifest.settings[name] == getattr(settings, name) for name in names)
        # Another model of the same name may count tokens otherwise, or have less room beside a longer prompt.
        same = same and self.manifest.settings["embedder_fingerprint"] == embedder.fingerprint
        return self._passages.get(document.id, []) if same else None

    def encode(self, texts: Sequence[str], embedder: Embedder, advance: Advance) -> NDArray[np.float32]:
        """A unit vector for each text, shape (number of texts, dimension): those at hand, and the others embedded."""
        import numpy as np

        from raft.index.store import unit

        known = self._vectors
        if self.manifest is None or self.manifest.settings["embedder_fingerprint"] != embedder.fingerprint:
            known = {}
        missing = list(dict.fromkeys(text for text in texts if text not in known))
        advance(sum(text in known for text in texts))
        # Those at hand were scaled once; scaled again, their last bits would change.
        vectors = unit(embedder.encode(missing, advance, repeatable=True)) if missing else ()
        fresh = dict(zip(missing, vectors, strict=True))
        return np.stack([fresh[text] if text in fresh else known[text] for text in texts])


def _vectors(folder: Path, passages: Sequence[Passage]) -> Mapping[str, NDArray[np.float32]]:
    from raft.index.vectors import VECTORS, map_rows

    texts = (searchable_text(passage.title, passage.text, passage.section) for passage in passages)
    return dict(zip(texts, map_rows(folder / VECTORS, len(passages)), strict=True))


def _results(folder: Path, documents: Mapping[str, Document]) -> dict[str, tuple[str, Results]]:
    """What each file gave, for those of which nothing was left out since as a repeat."""
    found: dict[str, tuple[str, Results]] = {}
    for _, row in read_jsonl(folder / FILES):
        if all(id_ in documents for id_ in row["documents"]):
            given: Results = [documents[id_] for id_ in row["documents"]]
            found[row["file"]] = row["sha256"], given + [Skipped(**lost) for lost in row["skipped"]]
    return found
