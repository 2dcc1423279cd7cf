"""Questions of several kinds, as several people and in several wordings, by models that follow instructions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from random import Random
from typing import NamedTuple

from raft.errors import InputError
from raft.examples.asking import Rejected, check_form, said_as, why_lost
from raft.examples.composing import Candidate, Reason
from raft.examples.distractors import NEAR_DUPLICATE, overlap
from raft.examples.splits import Split
from raft.index import Index
from raft.models.generator import Decoding, Generator
from raft.models.names import is_writer, public_name
from raft.outputs import parse_json_question
from raft.progress import Progress
from raft.prompts import PARAPHRASE_SCHEMA, QUESTION_SCHEMA, PromptStyle, ask_kind_prompt, paraphrase_prompt
from raft.quality.phrasing import is_date, is_number
from raft.recipe import ExampleSettings
from raft.text import normalise_answer
from raft.types import Passage, Question, QuestionKind, RetrievalMode

# JSON takes more tokens than a line, and an instruction more than a name.
INSTRUCTED_TOKENS = 160
# Models that follow instructions keep to the passage when warm; at 0 several questions of one kind would be the same.
_TEMPERATURE, _TOP_P = 0.7, 0.95
_NEIGHBOUR_DEPTH = 8
_LONGEST_ANSWER, _LONGEST_INSTRUCTION = 14, 30
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|except|cannot|unless)\b|n['\u2019]t\b", re.I
)


class _Asked(NamedTuple):
    """What one question is asked for."""

    passage: Passage
    further: tuple[Passage, ...]
    kind: QuestionKind
    persona: str


def needs_instructions(settings: ExampleSettings) -> list[str]:
    """The settings that ask for what `ask_prompt` has no words for, by name."""
    return [name for name in ("kinds", "personas", "paraphrases") if getattr(settings, name)]


def follows_instructions(settings: ExampleSettings, writer: Generator) -> bool:
    """Whether the settings ask for what `ask_prompt` has no words for.

    Raises InputError where they do and the writer has one form only.
    """
    asked = needs_instructions(settings)
    if asked and (writer.style is PromptStyle.COMPACT or is_writer(writer.name)):
        raise InputError(
            f"generate.{asked[0]} needs a model that follows instructions, but '{public_name(writer.name)}' writes in "
            "one form: name another as generate.model, or leave that setting out"
        )
    return bool(asked)


def neighbours(
    passages: Sequence[Passage], index: Index, splits: Mapping[str, Split], settings: ExampleSettings
) -> Mapping[str, Passage]:
    """For each passage by its id, the one of the same split that shares most of its words, for comparisons to be over.

    Empty where no comparisons are asked for; a passage without such a neighbour near the top is left out.
    """
    if QuestionKind.COMPARISON not in settings.question_kinds:
        return {}
    # By words alone: an embedder would refuse a passage that is longer than its questions may be.
    retrieved = index.retrieve([passage.text for passage in passages], _NEIGHBOUR_DEPTH, RetrievalMode.LEXICAL)
    near: dict[str, Passage] = {}
    for passage, scored in zip(passages, retrieved, strict=True):
        for hit in scored:
            other = hit.passage
            alike = overlap(other.text, passage.text) > NEAR_DUPLICATE
            if other.id != passage.id and not alike and splits[other.document_id] is splits[passage.document_id]:
                near[passage.id] = other
                break
    return near


def write_kinds(
    passages: Sequence[Passage],
    near: Mapping[str, Passage],
    writer: Generator,
    settings: ExampleSettings,
    seed: int,
    progress: Progress,
) -> tuple[list[Candidate], list[Rejected]]:
    """`questions_per_passage` questions for each passage, the kinds in turn; everything written ends in one list.

    near: what comparisons are over (see `neighbours`). Each passage's prompts follow each other and begin alike, so
    that servers can reuse the prefix. `provenance` says kind and persona.
    """
    rng = Random(f"personas {seed}")
    kinds = cycle(settings.question_kinds or (QuestionKind.FACT,))
    personas = settings.who_asks or ("",)
    plan: list[_Asked] = []
    rejected: list[Rejected] = []
    for passage in passages:
        for kind in islice(kinds, settings.questions_per_passage):
            persona = rng.choice(personas)
            further = (near[passage.id],) if kind is QuestionKind.COMPARISON and passage.id in near else ()
            if kind is QuestionKind.COMPARISON and not further:
                rejected.append((passage, "", Reason.NO_NEIGHBOUR))
            else:
                plan.append(_Asked(passage, further, kind, persona))
    prompts = [ask_kind_prompt([asked.passage, *asked.further], asked.kind, asked.persona) for asked in plan]
    decoding = Decoding(INSTRUCTED_TOKENS, _TEMPERATURE, _TOP_P, seed, schema=QUESTION_SCHEMA)
    with progress.task("write questions", len(prompts)) as advance:
        written = writer.generate(prompts, decoding, advance)
    if any(generation.structured is False for generation in written):
        progress.note(f"{public_name(writer.name)} takes no JSON Schema: it was asked for JSON in words alone")
    kept: list[Candidate] = []
    seen: set[tuple[str, str]] = set()
    for asked, generation in zip(plan, written, strict=True):
        checked = _check_kind(asked.passage, generation.text, asked.kind, seen)
        if isinstance(checked, Reason):
            rejected.append((asked.passage, generation.text, why_lost(generation, checked)))
            continue
        seen.add(said_as(checked))
        documents = dict.fromkeys([*checked.document_ids, *(passage.document_id for passage in asked.further)])
        provenance = {"source": "written", "model": public_name(writer.name), "kind": str(asked.kind)}
        provenance |= {"persona": asked.persona} if asked.persona else {}
        question = replace(checked, document_ids=tuple(documents))
        kept.append(Candidate(question, asked.passage, provenance, asked.further))
    return kept, rejected


def _check_kind(passage: Passage, written: str, kind: QuestionKind, seen: set[tuple[str, str]]) -> Question | Reason:
    """The question that was written, or why it is none of its kind."""
    longest = _LONGEST_INSTRUCTION if kind is QuestionKind.PROCEDURE else _LONGEST_ANSWER
    checked = check_form(passage, parse_json_question(written), seen, longest)
    if isinstance(checked, Reason):
        return checked
    fits = True
    if kind is QuestionKind.NUMBER:
        fits = is_number(checked.answers[0]) or is_date(checked.answers[0])
    elif kind is QuestionKind.NEGATION:
        fits = _NEGATION.search(checked.text) is not None
    return checked if fits else Reason.NOT_OF_KIND


def paraphrase(
    candidates: Sequence[Candidate], writer: Generator, settings: ExampleSettings, seed: int, progress: Progress
) -> tuple[list[Candidate], list[Rejected]]:
    """`paraphrases` other wordings of each question, with its answer and oracle; `provenance` names the first one."""
    asked = [candidate for candidate in candidates for _ in range(settings.paraphrases)]
    if not asked:
        return [], []
    prompts = [paraphrase_prompt(candidate.question.text) for candidate in asked]
    decoding = Decoding(INSTRUCTED_TOKENS, _TEMPERATURE, _TOP_P, seed, schema=PARAPHRASE_SCHEMA)
    with progress.task("write paraphrases", len(prompts)) as advance:
        written = writer.generate(prompts, decoding, advance)
    kept: list[Candidate] = []
    rejected: list[Rejected] = []
    seen = {normalise_answer(candidate.question.text) for candidate in candidates}
    for candidate, generation in zip(asked, written, strict=True):
        question, passage = candidate.question, candidate.oracle
        assert passage is not None
        parsed = parse_json_question(generation.text, question.answers[0])
        checked = check_form(passage, parsed, (), _LONGEST_INSTRUCTION)
        if not isinstance(checked, Reason) and normalise_answer(checked.text) in seen:
            checked = Reason.DUPLICATE
        if isinstance(checked, Reason):
            rejected.append((passage, generation.text, why_lost(generation, checked)))
            continue
        seen.add(normalise_answer(checked.text))
        provenance = candidate.provenance | {"paraphrase_of": question.id}
        said = replace(checked, document_ids=question.document_ids)
        kept.append(replace(candidate, question=said, provenance=provenance))
    return kept, rejected
