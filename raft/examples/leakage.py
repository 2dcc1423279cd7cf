"""Find what stands on two sides of the splits: questions that say the same, and passages that are shown on both."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from raft.examples.splits import Split
from raft.text import normalise_answer
from raft.types import Example, ShownPassage

# Of the words of two questions, the share that both have: "Who founded the yard?" and "Who was it that founded the
# yard?" are told apart below it.
SAME_QUESTION = 0.8
_PERMUTATIONS = 128
_NUMBER = re.compile(r"\d")


class LeakKind(StrEnum):
    """How something stands on two sides."""

    QUESTION = "near-duplicate questions"
    ORACLE = "oracle of one split shown in another"
    UNSEEN = "passage of an unseen document shown"


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing on two sides: the questions that stand on each, and the passage that they show, if it is one.

    `question_ids` are those of `split`: of two questions alike each stands on its own side; an oracle is that of
    `split` and shown in `other_split`; nothing is asked about an unseen document. similarity: 0 to 1, of two questions.
    """

    kind: LeakKind
    split: Split
    other_split: Split
    question_ids: tuple[str, ...]
    other_question_ids: tuple[str, ...]
    text: str
    other_text: str | None = None
    similarity: float | None = None
    passage_id: str | None = None
    document_id: str | None = None


def find_leaks(rows: Mapping[Split, Sequence[Example]], splits: Mapping[str, Split]) -> list[Leak]:
    """Every leak between the splits, in the order of `LeakKind`.

    rows: the examples of each split. splits: the side of each document. A distractor that two splits show, and that is
    oracle in neither, is no leak: distractors come from the whole index, as they do in serving.
    """
    return [*_like_questions(rows), *_shown_oracles(rows), *_shown_unseen(rows, splits)]


def leak_counts(leaks: Sequence[Leak]) -> dict[str, int]:
    """How many leaks of each kind there are, under the names of the manifest."""
    counts = Counter(leak.kind for leak in leaks)
    return {
        "leaked_questions": counts[LeakKind.QUESTION],
        "leaked_oracles": counts[LeakKind.ORACLE],
        "unseen_passages_shown": counts[LeakKind.UNSEEN],
    }


def _like_questions(rows: Mapping[Split, Sequence[Example]]) -> Iterator[Leak]:
    """Pairs of questions in different splits with nearly the same words and the same numbers, each pair once.

    Found by MinHash over their words (Broder 1997) and confirmed by the Jaccard similarity of these.
    """
    from datasketch import MinHash, MinHashLSH

    asked = {(split, row.question_id): row.question for split, examples in rows.items() for row in examples}
    words = {key: frozenset(_words(text)) for key, text in asked.items()}
    keys = [key for key, own in words.items() if own]
    sketches = list(
        MinHash.bulk([[word.encode() for word in sorted(words[key])] for key in keys], num_perm=_PERMUTATIONS)
    )
    # A little lower than what is wanted: candidates are confirmed, and what is not found is lost.
    search = MinHashLSH(threshold=SAME_QUESTION - 0.2, num_perm=_PERMUTATIONS)
    for place, (key, sketch) in enumerate(zip(keys, sketches, strict=True)):
        for other in sorted(search.query(sketch)):
            earlier, similarity = keys[other], _similarity(words[keys[other]], words[key])
            if earlier[0] is not key[0] and similarity >= SAME_QUESTION:
                yield Leak(
                    LeakKind.QUESTION,
                    earlier[0],
                    key[0],
                    (earlier[1],),
                    (key[1],),
                    asked[earlier],
                    asked[key],
                    round(similarity, 3),
                )
        search.insert(place, sketch)


def _words(question: str) -> list[str]:
    # A question of signs alone says nothing after normalisation, but two of them may be the same.
    return normalise_answer(question).split() or question.split()


def _similarity(ours: frozenset[str], theirs: frozenset[str]) -> float:
    """The share of words that are common; 0 where the numbers differ: another number is another question."""
    if any(_NUMBER.search(word) for word in ours ^ theirs):
        return 0.0
    return len(ours & theirs) / len(ours | theirs)


def _shown_oracles(rows: Mapping[Split, Sequence[Example]]) -> Iterator[Leak]:
    """Passages, by their words, that are the oracle of questions of one split and shown in another in whatever part."""
    first: dict[str, ShownPassage] = {}
    asked: dict[str, dict[Split, list[str]]] = {}
    shown: dict[str, dict[Split, list[str]]] = {}
    for split, examples in rows.items():
        for row in examples:
            for passage in row.passages:
                key = " ".join(passage.text.casefold().split())
                first.setdefault(key, passage)
                shown.setdefault(key, {}).setdefault(split, []).append(row.question_id)
                if passage.oracle:
                    asked.setdefault(key, {}).setdefault(split, []).append(row.question_id)
    for key, sides in asked.items():
        for split, question_ids in sides.items():
            for other_split, other_ids in shown[key].items():
                if other_split is not split:
                    yield _of_passage(LeakKind.ORACLE, (split, question_ids), (other_split, other_ids), first[key])


def _shown_unseen(rows: Mapping[Split, Sequence[Example]], splits: Mapping[str, Split]) -> Iterator[Leak]:
    """Passages of unseen documents that the rows show as distractors: nobody is asked about them, but they are read."""
    shown: dict[tuple[str, Split], tuple[ShownPassage, list[str]]] = {}
    for split, examples in rows.items():
        for row in examples:
            for passage in row.passages:
                if splits.get(passage.document_id) is Split.UNSEEN:
                    shown.setdefault((passage.id, split), (passage, []))[1].append(row.question_id)
    for (_, split), (passage, question_ids) in shown.items():
        yield _of_passage(LeakKind.UNSEEN, (Split.UNSEEN, []), (split, question_ids), passage)


def _of_passage(
    kind: LeakKind, side: tuple[Split, list[str]], other: tuple[Split, list[str]], passage: ShownPassage
) -> Leak:
    return Leak(
        kind,
        side[0],
        other[0],
        tuple(dict.fromkeys(side[1])),
        tuple(dict.fromkeys(other[1])),
        passage.text,
        passage_id=passage.id,
        document_id=passage.document_id,
    )
