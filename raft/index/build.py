"""Build an index: read the documents, split them, embed the passages, and commit all of it as one artefact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raft.artifacts import Ledger, Manifest, Stage, check_output, fingerprint, write_jsonl, writing
from raft.corpus import Reading, read_documents, searchable_text, split_documents
from raft.corpus.duplicates import without_duplicates
from raft.corpus.personal import count_personal, redacted
from raft.corpus.reading import find_files, hash_files
from raft.models.embedder import Embedder, embedder_fingerprint, load_embedder
from raft.progress import Progress, Silent
from raft.recipe import IndexSettings
from raft.types import Document

DOCUMENTS, PASSAGES, SKIPPED = "documents.jsonl", "passages.jsonl", "skipped.jsonl"
DUPLICATES, PERSONAL = "duplicates.jsonl", "personal.jsonl"
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
    personal = _personal(reading.documents) if settings.scan or settings.redact else None
    documents = tuple(map(redacted, reading.documents)) if settings.redact else reading.documents
    documents, duplicates = without_duplicates(documents, settings.duplicate_similarity)
    for double in duplicates:
        progress.note(f"skipped {double.id}: it says what {double.kept} says (likeness {double.similarity:.2f})")
    embedder = embedder or load_embedder(settings.embedder)
    passages = split_documents(documents, embedder.count_tokens, embedder.window, settings)
    texts = [searchable_text(passage.title, passage.text) for passage in passages]
    with progress.task("Embedding passages", len(passages)) as advance:
        vectors = embedder.encode(texts, advance)

    from raft.index.store import VECTORS, WORDS, WordStore, save_vectors

    with writing(out, Stage.INDEX) as draft:
        write_jsonl(draft.path / DOCUMENTS, map(asdict, documents))
        write_jsonl(draft.path / PASSAGES, map(asdict, passages))
        write_jsonl(draft.path / SKIPPED, map(asdict, reading.skipped))
        write_jsonl(draft.path / DUPLICATES, map(asdict, duplicates))
        if personal is not None:
            write_jsonl(draft.path / PERSONAL, personal)
        save_vectors(draft.path / VECTORS, vectors)
        WordStore.build(texts).save(draft.path / WORDS)
        counts = {
            "files": len(reading.files),
            "documents": len(documents),
            "passages": len(passages),
            "skipped": len(reading.skipped),
            "duplicates": len(duplicates),
            "personal": sum(sum(row["found"].values()) for row in personal or ()),
        }
        work = _recorded(settings, embedder.fingerprint)
        draft.finish(Stage.INDEX, work, reading.files, counts, _ledger(reading, documents))
    assert draft.manifest is not None
    return draft.manifest


def index_fingerprint(paths: Sequence[Path], settings: IndexSettings) -> str:
    """What the manifest of an index of these files and settings has as its fingerprint, without making it.

    Raises InputError and ModelError as `build_index` does.
    """
    files = hash_files(find_files(paths))
    return fingerprint(Stage.INDEX, _recorded(settings, embedder_fingerprint(settings.embedder)), files)


def _recorded(settings: IndexSettings, embedder: str) -> Mapping[str, Any]:
    return {**settings.model_dump(mode="json"), "embedder_fingerprint": embedder}


def _personal(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """A row for each file with personal data: how much of which kind."""
    found: dict[str, Counter[str]] = {}
    for document in documents:
        if counts := count_personal(document):
            found.setdefault(document.source, Counter()).update(counts)
    return [{"source": source, "found": dict(counts)} for source, counts in found.items()]


def _ledger(reading: Reading, documents: Sequence[Document]) -> Ledger:
    """Files found = indexed + skipped; a file is indexed where any document of it is."""
    kept = {document.id for document in documents}
    lost = [file for file, ids in reading.given.items() if not kept.intersection(ids)]
    repeats = "it says what another file says"
    rejected = Counter(repeats if reading.given[file] else reading.reasons[file] for file in lost)
    return Ledger(len(reading.given), len(reading.given) - len(lost), dict(rejected))
