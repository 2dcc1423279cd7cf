"""The arms of an evaluation: the same questions, the same retrieved passages and the same decoding for each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from raft.answering.cases import Case
from raft.errors import InputError
from raft.prompts import WorkedExample
from raft.types import Arm, Context, Passage, Question

BASE = "base"
# The adapter that tuning went on from, where it did: what practice on other documents is worth by itself.
GENERAL = "general"
# In the order in which people compare them; an arm takes part if its model is given (Zhang et al. 2024, section 4).
ARMS = (
    Arm("base", BASE, Context.NONE),
    Arm("rag", BASE, Context.RETRIEVED),
    Arm("general", GENERAL, Context.RETRIEVED),
    Arm("dsf", "dsf", Context.NONE),
    Arm("dsf+rag", "dsf", Context.RETRIEVED),
    Arm("dsf-cot", "dsf-cot", Context.NONE),
    Arm("raft-no-cot", "raft-no-cot", Context.RETRIEVED),
    Arm("raft", "raft", Context.RETRIEVED),
)
# Those that need no further model, and take part when they are asked for.
ORACLE, FEW_SHOT = Arm("oracle", BASE, Context.ORACLE), Arm("few-shot", BASE, Context.RETRIEVED, worked=True)
MEANINGS = {
    "base": "untuned, from memory",
    "rag": "untuned, with passages",
    "general": "the reader that tuning starts from, with passages",
    "dsf": "plain fine-tuning, from memory",
    "dsf+rag": "plain fine-tuning, with passages",
    "dsf-cot": "plain fine-tuning on reasoned targets, from memory",
    "raft-no-cot": "RAFT tuning on answers alone, with passages",
    "raft": "RAFT tuning, with passages",
    "oracle": "untuned, with the one passage that answers, where it is known",
    "few-shot": "untuned, with passages, after worked examples",
}
_CONTEXTS = {
    Context.NONE: "from memory",
    Context.RETRIEVED: "with passages",
    Context.ORACLE: "with the one passage that answers, where it is known",
}


def arms_for(models: Iterable[str], further: Iterable[Arm] = ()) -> tuple[Arm, ...]:
    """The arms that these tuned models allow, then the further ones; the untuned ones always take part."""
    known = {BASE, *models}
    return (*(arm for arm in ARMS if arm.model in known), *further)


def read_arm(text: str, taken: Collection[str]) -> Arm:
    """An arm as a setting names it: 'oracle', 'few-shot', or NAME=MODEL,CONTEXT. taken: names that are not free.

    Raises InputError where it is neither.
    """
    name, equals, rest = text.partition("=")
    model, comma, context = rest.rpartition(",")
    if not equals:
        found = [arm for arm in (ORACLE, FEW_SHOT) if arm.name == name]
        if not found:
            raise InputError(f"there is no arm {text!r}: give oracle, few-shot or NAME=MODEL,CONTEXT")
        arm = found[0]
    elif not (name.strip() and model and comma) or context not in set(Context):
        raise InputError(
            f"arm {text!r} is not NAME=MODEL,CONTEXT with {', '.join(Context)} as the context: "
            "write it as ours=models/ours,retrieved"
        )
    elif name in MEANINGS:
        raise InputError(f"arm {text!r} has the name of one of raft's own arms: give it another")
    else:
        arm = Arm(name, model, Context(context))
    if name in taken:
        raise InputError(f"two arms are called {name!r}: give each a name of its own")
    return arm


def meaning(arm: Arm, model: str) -> str:
    """What an arm is, in a few words. model: how its model is called in what is shared."""
    return MEANINGS.get(arm.name) or f"{model}, {_CONTEXTS[arm.context]}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the arms of one evaluation can show: passages and oracles by question id, and worked examples."""

    retrieved: Mapping[str, tuple[Passage, ...]]
    oracles: Mapping[str, Passage] = field(default_factory=dict)
    worked: tuple[WorkedExample, ...] = ()


def cases_for(arm: Arm, questions: Sequence[Question], shown: Shown) -> list[Case]:
    """The questions as this arm is asked them; one that shows the oracle leaves out those whose oracle is unknown."""
    if arm.context is Context.NONE:
        return [Case(question, None) for question in questions]
    if arm.context is Context.ORACLE:
        known = [question for question in questions if question.id in shown.oracles]
        return [Case(question, (shown.oracles[question.id],)) for question in known]
    worked = shown.worked if arm.worked else ()
    return [Case(question, shown.retrieved[question.id], worked) for question in questions]
