"""`raft export --index`: a search index in a form that LangChain and LlamaIndex open, without a pickle.

The folder holds the vectors as one FAISS file, the passages in the same order, and the Python that puts both together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raft.artifacts import Ledger, Manifest, Stage, write_jsonl, writing
from raft.index.index import Index
from raft.index.vectors import save_flat
from raft.types import StoreFormat

VECTORS, PASSAGES, LOADER = "index.faiss", "passages.jsonl", "load.py"
_LOADERS = Path(__file__).parent / "loaders"


def export_index(index_dir: Path, out: Path, layout: StoreFormat) -> Manifest:
    """Write passages and vectors of an index to `out`, with a `load.py` that opens them in the library `layout`.

    Vector n of `index.faiss` belongs to line n of `passages.jsonl`. Vectors have length 1 and are compared by inner
    product, all of them, so that the ranking is that of the exact dense search, whatever search the index was made for.
    Raises ArtifactError where the folder is no undamaged index, or `out` holds something else.
    """
    with writing(out, Stage.EXPORT) as draft:
        index = Index.open(index_dir)
        save_flat(draft.path / VECTORS, index.vectors())
        count = write_jsonl(draft.path / PASSAGES, _rows(index))
        loader = (_LOADERS / f"{layout}.py.txt").read_text(encoding="utf-8")
        (draft.path / LOADER).write_text(loader, encoding="utf-8")
        made_with = {name: index.manifest.settings[name] for name in ("embedder", "embedder_fingerprint")}
        settings = {"format": str(layout), **made_with}
        draft.finish(
            Stage.EXPORT, settings, {"index": index.manifest.digest}, {"passages": count}, Ledger(count, count)
        )
    assert draft.manifest is not None
    return draft.manifest


def _rows(index: Index) -> Iterator[dict[str, Any]]:
    """Each passage with what can be filtered by or shown as its source; what it does not have is left out."""
    for passage in index.passages:
        document = index.documents[passage.document_id]
        metadata = {
            **document.metadata,
            "document_id": passage.document_id,
            "title": passage.title,
            "section": passage.section,
            "source": document.source,
            "page": passage.page,
            "start": passage.start,
            "end": passage.end,
            "place": passage.place,
        }
        known = {name: value for name, value in metadata.items() if value not in ("", None)}
        yield {"id": passage.id, "text": passage.text, "metadata": known}
