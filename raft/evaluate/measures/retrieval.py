"""Retrieval measured by itself: recall, reciprocal rank and discounted gain of each way to search, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from raft.evaluate.statistics.means import Interval, Ruler
from raft.types import Question, RetrievalMode, ScoredPassage

# A list of passages for each question, best first, by the mode that found them.
Rankings: TypeAlias = Mapping[RetrievalMode, Sequence[Sequence[ScoredPassage]]]
CUTOFFS = (1, 3, 5, 10)
CONSIDERED = max(CUTOFFS)


@runtime_checkable
class SearchedInWays(Protocol):
    """An index that can be searched in every mode, whatever it was made for; `raft.index.Index` is one."""

    def rankings(
        self, questions: Sequence[str], k: int, /
    ) -> Mapping[RetrievalMode, Sequence[Sequence[ScoredPassage]]]:
        """The `k` best passages for each question by each mode, best first."""
        ...


def documents_in_order(found: Sequence[ScoredPassage]) -> list[str]:
    """The documents of a ranking of passages, each at its best passage."""
    return list(dict.fromkeys(one.passage.document_id for one in found))


def recall(ranking: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """The share of the relevant among the first `k` (Manning et al. 2008, section 8.4)."""
    return len(relevant & set(ranking[:k])) / len(relevant)


def reciprocal_rank(ranking: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """One by the place of the first relevant one among the first `k`, from 1; 0 where there is none (Voorhees 1999)."""
    return next((1 / place for place, one in enumerate(ranking[:k], 1) if one in relevant), 0.0)


def discounted_gain(ranking: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """nDCG of the first `k` with relevance 0 or 1 and the logarithm to base 2 (Järvelin and Kekäläinen 2002)."""
    gain = sum(1 / math.log2(place + 1) for place, one in enumerate(ranking[:k], 1) if one in relevant)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(k, len(relevant)) + 1))


def ranking_score(question: Question, found: Sequence[ScoredPassage]) -> dict[str, float]:
    """All of these for one question, by documents: `recall@k`, `mrr@10` and `ndcg@10`.

    found: the ten best passages, best first; of these each document counts once, at the place where it comes among
    documents. Empty for a question whose evidence is not known.
    """
    relevant = frozenset(question.document_ids)
    if not relevant:
        return {}
    ranking = documents_in_order(found)
    scores = {f"recall@{k}": recall(documents_in_order(found[:k]), relevant, k) for k in CUTOFFS}
    scores[f"mrr@{CONSIDERED}"] = reciprocal_rank(ranking, relevant, CONSIDERED)
    scores[f"ndcg@{CONSIDERED}"] = discounted_gain(ranking, relevant, CONSIDERED)
    return scores


def side_by_side(
    questions: Sequence[Question],
    rankings: Rankings,
    clusters: Mapping[str, str],
    ruler: Ruler,
) -> dict[str, dict[str, Interval]]:
    """Each mode with each measure, over the questions whose evidence is known."""
    measured: dict[str, dict[str, Interval]] = {}
    for mode, found in rankings.items():
        scores = {one.id: ranking_score(one, hits) for one, hits in zip(questions, found, strict=True)}
        known = {one: values for one, values in sorted(scores.items()) if values}
        names = next(iter(known.values()), {})
        measured[str(mode)] = {
            name: ruler.interval({one: values[name] for one, values in known.items()}, clusters) for name in names
        }
    return {mode: values for mode, values in measured.items() if values}
