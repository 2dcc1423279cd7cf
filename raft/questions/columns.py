"""What the columns of a question file mean: raft's own names, those of evaluation tools, and which ones conflict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.rows import FIELDS

Row = tuple[str, Mapping[str, Any]]

# What evaluation tools call one accepted answer, or several.
_TRUTH = frozenset(
    {"ground_truth", "reference", "reference_answer", "expected_answer", "expected_output", "expected_response"}
    | {"gold_answer", "golden_answer"}
)
_TRUTHS = frozenset(
    {"ground_truths", "references", "reference_answers", "expected_answers", "gold_answers", "golden_answers"}
)
# These conflict with a model's answers too, but are not read: in a multiple-choice table they may hold a letter.
_OTHER_TRUTHS = frozenset({"correct_answer", "correct_answers", "ideal_answer", "true_answer", "gold"})
# Next to 'answers' these usually say where a question comes from.
_SOURCES = frozenset({"reference", "references"})
# What the evaluated system answered.
_SAID = frozenset(
    {"response", "responses", "prediction", "predictions", "predicted_answer", "model_answer", "model_response"}
    | {"model_output", "generated_answer", "generated_response", "generated_text", "generation", "actual_output"}
    | {"actual_answer", "llm_answer", "llm_response", "llm_output", "system_answer", "candidate_answer", "rag_answer"}
)
# In the results of an evaluation, 'answer' and 'contexts' come from the evaluated system.
_SIGNS_OF_A_RUN = frozenset(
    {"retrieved_contexts", "retrieval_context", "faithfulness", "answer_relevancy", "answer_relevance"}
    | {"response_relevancy", "context_precision", "context_recall", "answer_correctness", "answer_similarity"}
    | {"semantic_similarity", "factual_correctness"}
)
_ASKED = "user_input"
_EVIDENCE = "reference_contexts"

QUESTIONS = frozenset({"question", _ASKED})
# The columns that are read, and those that tell how to read them.
KNOWN = FIELDS | {"answer", _ASKED, _EVIDENCE} | _TRUTH | _TRUTHS | _OTHER_TRUTHS | _SAID | _SIGNS_OF_A_RUN


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows under raft's own names, and the names that were replaced."""

    rows: Sequence[Row]
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What messages about a row add, since they use raft's names and not those of the file."""
        said = ", ".join(f"'{name}' as '{meant}'" for name, meant in self.renamed.items())
        return f" ({said})" if said else ""


@lru_cache(maxsize=1 << 10)
def folded(name: str) -> str:
    """The known name that a header stands for, ignoring case, spaces and hyphens; any other name as it is."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("-", " ").replace("_", " ").lower().split()
    return known if (known := "_".join(words)) in KNOWN else name.strip()


def with_folded_names(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A row with its known names folded. Raises InputError if two of its names stand for the same one."""
    made: dict[str, Any] = {}
    for name, value in row.items():
        known = folded(name)
        if known in KNOWN and known in made:
            raise InputError(f"{where}: it has two fields '{known}': remove one of them")
        made[known if known in KNOWN else name] = value
    return made


def settled(rows: Sequence[Row], path: Path, *, parts_texts: bool) -> Settled:
    """Rows under raft's own names, without empty cells.

    parts_texts: whether a text may hold several answers, as in the cells of a table.

    The accepted answers may be called `ground_truth`, `reference` and the like, as in ragas. `contexts` next to them
    are what a system retrieved and so are not evidence; `reference_contexts` are. Raises InputError if two columns
    could hold the questions or the accepted answers, even if no row fills both: one may be a model's own answers.
    """
    first_in: dict[str, str] = {}
    for place, row in rows:
        for name, value in row.items():
            if name in KNOWN and name not in first_in and not is_nothing(value):
                first_in[name] = place
    renamed: dict[str, str] = {}
    if _ASKED in first_in:
        if "question" in first_in:
            raise _two_of(("question", _ASKED), first_in, path, "keep one of them, as 'question'")
        renamed[_ASKED] = "question"
    truth = _truth(first_in, path)
    if truth is not None:
        renamed[truth] = "answers" if truth in _TRUTHS and parts_texts else "answer"
    dropped = {"contexts"} if truth is not None or first_in.keys() & _SIGNS_OF_A_RUN else set()
    if _EVIDENCE in first_in and ("contexts" in dropped or "contexts" not in first_in):
        renamed[_EVIDENCE] = "contexts"
    return Settled([(place, _under_own_names(row, renamed, dropped)) for place, row in rows], renamed)


def _truth(first_in: Mapping[str, str], path: Path) -> str | None:
    """The column to read as the accepted answers if the file has neither `answer` nor `answers`."""
    found = list(first_in)
    truths = [name for name in found if name in _TRUTH | _TRUTHS]
    others = [name for name in found if name in _OTHER_TRUTHS]
    said = [name for name in found if name in _SAID]
    if "answers" in found:
        if clashing := [name for name in (*truths, *others) if name not in _SOURCES]:
            raise _two_of(("answers", clashing[0]), first_in, path, _remedy(found))
        return None
    own = ["answer"] if "answer" in found else said
    if own and (truths or others):
        raise _two_of((own[0], (truths or others)[0]), first_in, path, _remedy(found))
    if len(truths) > 1:
        raise _two_of((truths[0], truths[1]), first_in, path, _remedy(found))
    if "answer" in found and (signs := [name for name in found if name in _SIGNS_OF_A_RUN]):
        raise InputError(
            f"{path} has '{signs[0]}', as evaluation results do, so 'answer' may be a model's own: rename it to "
            "'answers' if it holds the accepted answers, or else add a column 'answers'"
        )
    return truths[0] if truths else None


def _remedy(found: Sequence[str]) -> str:
    contexts = "; remove 'contexts' too if a system retrieved them" if "contexts" in found else ""
    return f"rename the one with the accepted answers to 'answers' and remove the other{contexts}"


def _two_of(names: tuple[str, str], first_in: Mapping[str, str], path: Path, remedy: str) -> InputError:
    places = list(dict.fromkeys(first_in[name] for name in names))
    where = f" ({' and '.join(places)})" if len(places) > 1 else ""
    return InputError(f"{path} has both '{names[0]}' and '{names[1]}'{where}: {remedy}")


def _under_own_names(row: Mapping[str, Any], renamed: Mapping[str, str], dropped: set[str]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in row.items()
        if name not in renamed and name not in dropped and not (name in KNOWN and _is_null(value))
    }
    return kept | {meant: row[name] for name, meant in renamed.items() if not _is_null(row.get(name))}


def _is_null(value: Any) -> bool:
    """Not given; pandas writes NaN for an empty cell."""
    return value is None or (isinstance(value, float) and value != value)


def is_nothing(value: Any) -> bool:
    """Not given, or empty."""
    return _is_null(value) or value in ("", [])
