"""Build an index: read the documents, split them, embed the passages, and commit all of it as one artefact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raft.artifacts import Ledger, Manifest, Stage, check_output, fingerprint, hash_file, write_jsonl, writing
from raft.corpus import Reading, read_documents, searchable_text, split_documents
from raft.corpus.reading import find_files
from raft.models.embedder import Embedder, embedder_fingerprint, load_embedder
from raft.progress import Progress, Silent
from raft.recipe import IndexSettings

DOCUMENTS, PASSAGES, SKIPPED = "documents.jsonl", "passages.jsonl", "skipped.jsonl"
_SILENT = Silent()


def build_index(
    paths: Sequence[Path],
    out: Path,
    settings: IndexSettings,
    seed: int = 0,
    progress: Progress = _SILENT,
    embedder: Embedder | None = None,
) -> Manifest:
    """Index the documents in `paths` and commit the result as folder `out`.

    seed: taken so that all verbs are called alike; nothing here is random. embedder: one that is already loaded.
    Raises InputError where nothing can be read, ModelError for an embedder that cannot be used, ArtifactError where
    `out` holds something else.
    """
    check_output(out, Stage.INDEX)
    with progress.task("Reading documents", len(find_files(paths).files)) as advance:
        reading = read_documents(paths, advance)
    for lost in reading.skipped:
        progress.note(f"skipped {lost.source}: {lost.reason}")
    embedder = embedder or load_embedder(settings.embedder)
    passages = split_documents(reading.documents, embedder.count_tokens, embedder.window, settings)
    texts = [searchable_text(passage.title, passage.text) for passage in passages]
    with progress.task("Embedding passages", len(passages)) as advance:
        vectors = embedder.encode(texts, advance)

    from raft.index.store import VECTORS, WORDS, WordStore, save_vectors

    with writing(out, Stage.INDEX) as draft:
        write_jsonl(draft.path / DOCUMENTS, map(asdict, reading.documents))
        write_jsonl(draft.path / PASSAGES, map(asdict, passages))
        write_jsonl(draft.path / SKIPPED, map(asdict, reading.skipped))
        save_vectors(draft.path / VECTORS, vectors)
        WordStore.build(texts).save(draft.path / WORDS)
        counts = {
            "files": len(reading.files),
            "documents": len(reading.documents),
            "passages": len(passages),
            "skipped": len(reading.skipped),
        }
        work = _recorded(settings, embedder.fingerprint)
        draft.finish(Stage.INDEX, work, reading.files, counts, _ledger(reading))
    assert draft.manifest is not None
    return draft.manifest


def index_fingerprint(paths: Sequence[Path], settings: IndexSettings) -> str:
    """What the manifest of an index of these files and settings has as its fingerprint, without making it.

    Raises InputError and ModelError as `build_index` does.
    """
    files = {}
    for source, path in find_files(paths).files.items():
        # A file that cannot be opened is skipped when it is read, too.
        with suppress(OSError):
            files[source] = hash_file(path)
    return fingerprint(Stage.INDEX, _recorded(settings, embedder_fingerprint(settings.embedder)), files)


def _recorded(settings: IndexSettings, embedder: str) -> Mapping[str, Any]:
    return {**settings.model_dump(mode="json"), "embedder_fingerprint": embedder}


def _ledger(reading: Reading) -> Ledger:
    """Documents found = indexed + skipped; a file that gave no document counts as one."""
    rejected = Counter(lost.reason for lost in reading.skipped)
    return Ledger(len(reading.documents) + len(reading.skipped), len(reading.documents), dict(rejected))
