"""Build an index: read the documents, split them, embed the passages, and commit all of it as one artefact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft.artifacts import Ledger, Manifest, Stage, check_output, fingerprint, write_jsonl, writing
from raft.corpus import Reading, read_documents, searchable_text, split_documents
from raft.corpus.duplicates import Duplicate, without_duplicates
from raft.corpus.entries import Location
from raft.corpus.passages import as_passages
from raft.corpus.personal import count_personal, redacted
from raft.corpus.reading import Found, find_files, hash_files
from raft.corpus.sketches import SKETCHES, KeptSketches, Sketches, save_sketches
from raft.errors import InputError
from raft.index.reuse import DOCUMENTS, FILES, PASSAGES, SKIPPED, STORE_FORMAT, Standing, standing_manifest
from raft.models.embedder import Embedder, embedder_fingerprint, load_embedder
from raft.models.reranker import reranker_fingerprint
from raft.progress import Progress, Silent
from raft.recipe import IndexSettings, VectorSearch
from raft.swap import recover
from raft.types import Document, Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from raft.index.given import GivenVectors

DUPLICATES, PERSONAL = "duplicates.jsonl", "personal.jsonl"
_SILENT = Silent()


def build_index(
    paths: Sequence[Location] | Found,
    out: Path,
    settings: IndexSettings,
    seed: int = 0,
    progress: Progress = _SILENT,
    embedder: Embedder | None = None,
    vectors: Path | None = None,
) -> Manifest:
    """Index the documents in `paths` and commit the result as folder `out`.

    Where `out` is an index already, files that are as they were are not read again and no text is embedded twice; the
    result is that of a build from nothing. Where nothing changed at all, nothing is done.

    paths: files and folders, URLs of either as text, or what `find_files` found there. seed: taken so that all verbs
    are called alike; nothing here is random. embedder: one that is already loaded. vectors: a NumPy file with a vector
    for each row, where `settings.passages` takes rows as passages; nothing is embedded then but a few, to compare.
    Raises InputError where nothing can be read, ModelError for an embedder that cannot be used, ArtifactError where
    `out` holds something else.
    """
    check_output(out, Stage.INDEX)
    given = None if vectors is None else _given(vectors, settings)
    given_inputs = given.inputs if given else {}
    recover(out)
    before = standing_manifest(out)
    expected = embedder.fingerprint if embedder else embedder_fingerprint(settings.embedder)
    found = _found(paths)
    if before is not None and before.fingerprint == _fingerprint(found, settings, expected, given_inputs):
        progress.note("nothing has changed")
        return before
    standing = Standing.load(out)
    with progress.task("Reading documents", len(found.files)) as advance:
        # What was read before does not say which row gave what.
        reading = read_documents(found, advance) if given else read_documents(found, advance, standing.results)
    if given:
        given.check_count(reading.rows)
    for lost in reading.skipped:
        progress.note(f"skipped {lost.source}: {lost.reason}")
    embedder = embedder or load_embedder(settings.embedder)
    content = _content(reading, embedder, settings, standing)
    documents, passages = content.documents, content.passages
    for double in content.duplicates:
        progress.note(f"skipped {double.id}: it says what {double.kept} says (likeness {double.similarity:.2f})")
    texts = [searchable_text(passage.title, passage.text, passage.section) for passage in passages]

    from raft.index.store import WORDS, WordStore
    from raft.index.vectors import SMALLEST_IVFPQ, search_for

    kind = search_for(len(passages), settings.vector_search)
    if kind is VectorSearch.IVFPQ and len(passages) < SMALLEST_IVFPQ:
        raise InputError(
            f"vector_search is ivfpq, but {len(passages)} passages are too few to learn its codes from: set it to exact"
        )
    if given:
        from raft.index.given import check_embedder

        rows = given.take([reading.row_of[passage.id] for passage in passages])
        progress.note(check_embedder(given.path, rows, passages, embedder))
    else:
        with progress.task("Embedding passages", len(passages)) as advance:
            rows = standing.encode(texts, embedder, advance)
    with writing(out, Stage.INDEX) as draft:
        write_jsonl(draft.path / DOCUMENTS, documents)
        write_jsonl(draft.path / PASSAGES, passages)
        write_jsonl(draft.path / SKIPPED, reading.skipped)
        write_jsonl(draft.path / DUPLICATES, content.duplicates)
        write_jsonl(draft.path / FILES, _files(reading))
        save_sketches(draft.path / SKETCHES, content.sketches)
        if content.personal is not None:
            write_jsonl(draft.path / PERSONAL, content.personal)
        WordStore.build(texts).save(draft.path / WORDS)
        counts = _save_vectors(draft.path, rows, kind, progress)
        counts |= {
            "files": len(reading.files),
            "documents": len(documents),
            "passages": len(passages),
            "skipped": len(reading.skipped),
            "duplicates": len(content.duplicates),
            "personal": sum(sum(row["found"].values()) for row in content.personal or ()),
        }
        work = _recorded(settings, embedder.fingerprint, given_inputs)
        draft.finish(Stage.INDEX, work, {**reading.files, **given_inputs}, counts, _ledger(reading, content))
    assert draft.manifest is not None
    return draft.manifest


def index_fingerprint(paths: Sequence[Location] | Found, settings: IndexSettings) -> str:
    """What the manifest of an index of these files and settings has as its fingerprint, without making it.

    Raises InputError and ModelError as `build_index` does.
    """
    return _fingerprint(_found(paths), settings, embedder_fingerprint(settings.embedder), {})


def _found(paths: Sequence[Location] | Found) -> Found:
    return paths if isinstance(paths, Found) else find_files(paths)


def _fingerprint(found: Found, settings: IndexSettings, embedder: str, vectors: Mapping[str, str]) -> str:
    """vectors: the hash of those made elsewhere, by the name of their file; empty without."""
    return fingerprint(Stage.INDEX, _recorded(settings, embedder, vectors), {**hash_files(found), **vectors})


def _given(vectors: Path, settings: IndexSettings) -> GivenVectors:
    if not settings.passages:
        raise InputError(f"{vectors} holds a vector for each row, but documents are split: add --passages")
    if settings.redact:
        raise InputError(f"{vectors} was made from text that is not masked: leave out --vectors or --redact")
    from raft.index.given import GivenVectors

    return GivenVectors(vectors)


def _save_vectors(folder: Path, rows: NDArray[np.float32], kind: VectorSearch, progress: Progress) -> dict[str, int]:
    """Write the vectors in the type of FAISS index that the search needs; what is to be counted of it."""
    from raft.index.vectors import VECTORS, save_flat

    if kind is VectorSearch.EXACT:
        save_flat(folder / VECTORS, rows)
        return {}
    from raft.index.approximate import ApproximateStore, build_approximate, recall, save_approximate

    index = build_approximate(rows, kind)
    save_approximate(folder / VECTORS, index)
    share = recall(rows, ApproximateStore(index))
    progress.note(f"{kind} finds {100 * share:.1f} % of what the exact search has among the first 10")
    return {"recall_at_10_percent": round(100 * share)}


@dataclass(frozen=True, slots=True)
class _Content:
    """What becomes of the documents that were read; `personal` where it was to be counted."""

    documents: Sequence[Document]
    passages: Sequence[Passage]
    duplicates: Sequence[Duplicate]
    sketches: KeptSketches
    personal: Sequence[Mapping[str, Any]] | None


def _content(reading: Reading, embedder: Embedder, settings: IndexSettings, standing: Standing) -> _Content:
    personal = _personal(reading.documents) if settings.scan or settings.redact else None
    documents: Sequence[Document] = reading.documents
    if settings.redact:
        documents = [redacted(document) for document in documents]
    sketches = Sketches(settings.duplicate_similarity, standing.sketches)
    if settings.passages:
        documents, cut = as_passages(documents)
        documents, duplicates = without_duplicates(documents, sketches)
        kept = {document.id for document in documents}
        passages = [one for one in cut if one.document_id in kept]
    else:
        documents, duplicates = without_duplicates(documents, sketches)
        passages = _passages(documents, embedder, settings, standing)
    return _Content(documents, passages, duplicates, sketches.to_keep(), personal)


def _passages(
    documents: Sequence[Document], embedder: Embedder, settings: IndexSettings, standing: Standing
) -> list[Passage]:
    """The passages of all documents in order; those that are as they were are not split again."""
    passages: dict[str, list[Passage]] = {}
    changed = []
    for document in documents:
        kept = standing.passages(document, settings, embedder)
        passages[document.id] = kept or []
        if kept is None:
            changed.append(document)
    for passage in split_documents(changed, embedder.count_tokens, embedder.window, settings):
        passages[passage.document_id].append(passage)
    return [passage for document in documents for passage in passages[document.id]]


def _files(reading: Reading) -> list[dict[str, Any]]:
    """A row for each file that was opened: its hash, and all that it gave."""
    return [
        {
            "file": file,
            "sha256": digest,
            "documents": reading.given[file],
            "skipped": reading.lost.get(file, ()),
        }
        for file, digest in reading.files.items()
    ]


def _recorded(settings: IndexSettings, embedder: str, vectors: Mapping[str, str]) -> Mapping[str, Any]:
    further = {
        "embedder_fingerprint": embedder,
        "reranker_fingerprint": reranker_fingerprint(settings.retrieve.rerank),
        "vectors_given": bool(vectors),
        "store_format": STORE_FORMAT,
    }
    return {**settings.model_dump(mode="json"), **further}


def _personal(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """A row for each file with personal data: how much of which kind."""
    found: dict[str, Counter[str]] = {}
    for document in documents:
        if counts := count_personal(document):
            found.setdefault(document.source, Counter()).update(counts)
    return [{"source": source, "found": dict(counts)} for source, counts in found.items()]


def _ledger(reading: Reading, content: _Content) -> Ledger:
    """Files found = indexed + skipped; a file is indexed where any document, or row, of it is."""
    kept = {document.id for document in content.documents} | {passage.id for passage in content.passages}
    lost = [file for file, ids in reading.given.items() if not kept.intersection(ids)]
    repeats = "it says what another file says"
    rejected = Counter(repeats if reading.given[file] else reading.lost[file][0].reason for file in lost)
    return Ledger(len(reading.given), len(reading.given) - len(lost), dict(rejected))
