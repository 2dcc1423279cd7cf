"""The peer of `scripts/bench_index`: LangChain's FAISS store over the same weights and the same texts.

python scripts/bench_peer.py build MODEL DOCUMENTS STORE            # embed and save
python scripts/bench_peer.py search MODEL STORE QUERY COUNT         # load and search; prints the texts found as JSON
python scripts/bench_peer.py answers MODEL STORE QUERIES COUNT OUT  # the same for many, and the vectors beside them

It runs in an interpreter of its own, whose packages are not among raft's, so it imports nothing of raft.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from langchain_community.vectorstores import FAISS
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEmbeddings


def build(embeddings: HuggingFaceEmbeddings, documents: str, store: str) -> None:
    with Path(documents).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    # What raft embeds of a passage: its title above its text.
    texts = [Document(page_content=f"{row['title']}\n{row['text']}") for row in rows]
    FAISS.from_documents(texts, embeddings).save_local(store)


def search(embeddings: HuggingFaceEmbeddings, store: str, query: str, count: str) -> None:
    print(json.dumps(_found(_load(embeddings, store), query, int(count))))


def answers(embeddings: HuggingFaceEmbeddings, store: str, queries: str, count: str, out: str) -> None:
    import numpy as np

    loaded = _load(embeddings, store)
    asked = json.loads(Path(queries).read_text(encoding="utf-8"))
    folder = Path(out)
    folder.mkdir()
    found = [_found(loaded, query, int(count)) for query in asked]
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")
    stored = [loaded.docstore.search(id_).page_content for _, id_ in sorted(loaded.index_to_docstore_id.items())]
    (folder / "texts.json").write_text(json.dumps(stored), encoding="utf-8")
    np.save(folder / "vectors.npy", loaded.index.reconstruct_n(0, loaded.index.ntotal))


def _load(embeddings: HuggingFaceEmbeddings, store: str) -> FAISS:
    # It keeps its texts as a pickle; this one was written a moment ago, by us.
    return FAISS.load_local(store, embeddings, allow_dangerous_deserialization=True)


def _found(store: FAISS, query: str, count: int) -> list[str]:
    return [document.page_content for document in store.similarity_search(query, count)]


def main() -> None:
    verb, model, *arguments = sys.argv[1:]
    {"build": build, "search": search, "answers": answers}[verb](HuggingFaceEmbeddings(model_name=model), *arguments)


if __name__ == "__main__":
    main()
