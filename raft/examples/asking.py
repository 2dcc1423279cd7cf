"""Have a model write questions for passages, and keep those that are well formed and that the round trip confirms."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from raft.errors import ModelError
from raft.examples.composing import Candidate, Reason
from raft.examples.reader import READ_TOKENS, SAME_ANSWER_F1
from raft.examples.spelling import respell
from raft.index import Index
from raft.models.generator import Decoding, Failure, Generation, Generator
from raft.models.names import is_writer, public_name
from raft.outputs import ParsedQuestion, parse_answer, parse_listed, parse_question
from raft.progress import Progress
from raft.prompts import Prompt, PromptStyle, ask_prompt, list_prompt, passages_prompt
from raft.quality.flaws import Flaw, question_flaws, text_flaws
from raft.quality.phrasing import is_closed, is_spliced
from raft.recipe import ExampleSettings
from raft.text import Source, Span, locate, normalise_answer, sentences, token_f1
from raft.types import Passage, Question

QUESTION_TOKENS = 56
# One list for each passage, written greedily: strict readers found 26 % of the surviving questions good, and 15 % of
# those that were drawn at a temperature of 0.7 (docs/log.md).
# The bound is in nats a token of the question: 22 of 62 drawn questions are likelier by their words alone, 7 of the
# 9 good ones among them.
_LIST_TOKENS, _LEAST_LIKELIHOOD_LISTED = 192, -0.55
# Little chance, since the turns of `mini` already speak of different places of a passage: of 160 questions on two
# articles that no evaluation uses, 23 % survived the checks below at 0.05 and 26 % at 0.4.
_TEMPERATURE, _TOP_P = 0.3, 0.9
# In nats a token. Of 964 drafts about two articles that no evaluation uses 50 questions are likelier than this; 34 of
# them survive the checks below, and about three of four of those are good by eye. Of the next 22 12 survive, half good.
_LEAST_LIKELIHOOD = -0.2
_MIN_WORDS, _MAX_WORDS, _MAX_ANSWER_WORDS = 4, 32, 14
# Any other flaw is one of form.
_REASONS = {Flaw.KIND: Reason.OTHER_KIND, Flaw.REFERS: Reason.REFERS_TO_PASSAGE, Flaw.LEANS: Reason.LEANS_ON_PASSAGE}

Rejected = tuple[Candidate | Passage, str, Reason]


def write_questions(
    passages: Sequence[Passage], writer: Generator, settings: ExampleSettings, seed: int, progress: Progress
) -> tuple[list[Candidate], list[Rejected]]:
    """At most `questions_per_passage` questions for each passage; everything written ends in one of the two lists."""
    way = way_of_asking(writer.name, writer.style, settings, seed)
    asked = [passage for passage in passages for _ in range(way.calls)]
    with progress.task("write questions", len(asked)) as advance:
        written = writer.generate([way.prompt(passage) for passage in asked], way.decoding, advance)
    kept: list[Candidate] = []
    rejected: list[Rejected] = []
    seen: set[tuple[str, str]] = set()
    put_forward: dict[str, set[str]] = defaultdict(set)
    for draft in _likeliest_first(asked, written, listed=way.listed):
        passage, checked = draft.passage, check_form(draft.passage, draft.parsed, seen)
        if not isinstance(checked, Reason):
            before = len(put_forward[passage.id] - {normalise_answer(checked.text)})
            checked = _why_held_back(draft, checked, way, before, settings) or checked
        if isinstance(checked, Reason):
            rejected.append((passage, draft.text, why_lost(draft.written, checked)))
        else:
            put_forward[passage.id].add(normalise_answer(checked.text))
            seen.add(said_as(checked))
            kept.append(Candidate(checked, passage, {"source": "written", "model": public_name(writer.name)}))
    return kept, rejected


@dataclass(frozen=True, slots=True)
class WayOfAsking:
    """How a writer is asked about a passage. calls: how often. least_likelihood: of a draft, in nats a token.

    listed: whether each reply is a list of questions.
    """

    prompt: Callable[[Passage], Prompt]
    calls: int
    decoding: Decoding
    least_likelihood: float = -math.inf
    listed: bool = False


def way_of_asking(model: str, style: PromptStyle, settings: ExampleSettings, seed: int) -> WayOfAsking:
    """How the model of this name and style is asked: it writes one question at a time, or a list of them."""
    if is_writer(model):
        decoding = Decoding(_LIST_TOKENS, seed=seed, logprobs=True)
        return WayOfAsking(list_prompt, 1, decoding, _LEAST_LIKELIHOOD_LISTED, listed=True)
    drafts = settings.drafts if style is PromptStyle.COMPACT else 1
    decoding = Decoding(QUESTION_TOKENS, _TEMPERATURE, _TOP_P, seed, logprobs=drafts > 1, thinking=settings.thinking)
    least = _LEAST_LIKELIHOOD if drafts > 1 else -math.inf
    calls = settings.questions_per_passage * drafts
    return WayOfAsking(lambda passage: ask_prompt(passage, style), calls, decoding, least)


def why_lost(generation: Generation, found: Reason) -> Reason:
    """Why nothing comes of what a model wrote. found: what is wrong with its text."""
    if generation.held_back:
        return Reason.HELD_BACK
    if generation.failure is None:
        return found
    cut = {Failure.CUT_OFF: Reason.CUT_OFF, Failure.STILL_THINKING: Reason.THINKING}
    return cut.get(generation.failure, Reason.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class _Draft:
    """One question as it was written, or what stands in its place. likelihood: mean log-probability, if it is known."""

    passage: Passage
    text: str
    parsed: ParsedQuestion | None
    likelihood: float | None
    written: Generation


def _likeliest_first(asked: Sequence[Passage], written: Sequence[Generation], *, listed: bool) -> Iterator[_Draft]:
    """The drafts of each passage, in the order of the passages, the likeliest first."""
    for _, replies in groupby(zip(asked, written, strict=True), key=lambda pair: pair[0].id):
        drafts = [draft for passage, reply in replies for draft in _drafts(passage, reply, listed=listed)]
        yield from sorted(drafts, key=lambda draft: -(draft.likelihood or 0.0))


def _drafts(passage: Passage, reply: Generation, *, listed: bool) -> Iterator[_Draft]:
    """What one reply holds: a draft that may not have the form of one, or those of a list."""
    if not listed:
        yield _Draft(passage, reply.text, parse_question(reply.text), reply.likelihood, reply)
        return
    found = parse_listed(reply.text)
    for line, parsed in found:
        likelihood = reply.lines[line] if line < len(reply.lines) else None
        yield _Draft(passage, f"{parsed.answer} - {parsed.question}", parsed, likelihood, reply)
    if not found:
        yield _Draft(passage, reply.text, None, reply.likelihood, reply)


def _why_held_back(
    draft: _Draft, question: Question, way: WayOfAsking, before: int, settings: ExampleSettings
) -> Reason | None:
    """Why a well-formed draft is not put forward. before: how many other questions of its passage are already.

    Only `mini`, which is weighed and writes one question at a time, is suspected of splicing: of 31 spliced drafts
    above the bound strict readers found 2 good, of 146 others 42 (docs/log.md).
    """
    if draft.likelihood is not None and not way.listed and is_spliced(question.text, draft.passage.text):
        return Reason.SPLICED
    likely = draft.likelihood is None or draft.likelihood >= way.least_likelihood
    return None if likely and before < settings.questions_per_passage else Reason.UNLIKELY


def check_form(
    passage: Passage, parsed: ParsedQuestion | None, seen: Container[tuple[str, str]], longest: int = _MAX_ANSWER_WORDS
) -> Question | Reason:
    """A written question in the spelling of its passage, or what is wrong with it.

    seen: questions with their answers that were put forward before (`said_as`). longest: words that its answer may
    have.
    """
    if parsed is None:
        return Reason.FORM
    span = _answer_span(parsed.answer, passage.text)
    words = parsed.question.rstrip("?").split()
    if span is None:
        return Reason.ANSWER_NOT_IN_PASSAGE
    if len(parsed.answer.split()) > longest:
        return Reason.ANSWER_TOO_LONG
    if not parsed.question.endswith("?") or not _MIN_WORDS <= len(words) <= _MAX_WORDS:
        return Reason.NOT_A_QUESTION
    if not _is_of_one_piece(span, passage.text):
        return Reason.TORN_ANSWER
    if locate(parsed.answer, parsed.question) is not None:
        return Reason.ANSWER_IN_QUESTION
    # Judged in the spelling of the passage: a model that writes in lower case gives no names.
    text, answer = respell(parsed.question, passage.text), passage.text[slice(*span)]
    if (flaw := next(question_flaws(text, answer, passage.text), None)) is not None:
        return _REASONS.get(flaw, Reason.NOT_A_QUESTION)
    # The answer is words of the passage, and "None" may be one.
    if next(text_flaws(text), None) is not None:
        return Reason.NOT_A_QUESTION
    digest = hashlib.sha256(f"{passage.id}\x00{parsed.question}\x00{answer}".encode()).hexdigest()[:16]
    question = Question(digest, text, (answer,), (passage.document_id,), kind="written")
    return Reason.DUPLICATE if said_as(question) in seen else question


def _answer_span(answer: str, text: str) -> Span | None:
    """Where a passage says an answer; one that was written without its unit or sign gets it back."""
    source = Source(text)
    whole = source.locate(answer)
    if whole is not None:
        return whole
    bare = source.locate(answer, bare=True)
    return None if bare is None else source.with_signs(bare)


def _is_of_one_piece(span: Span, text: str) -> bool:
    """Whether an answer stands within one sentence, or is whole sentences, with its brackets and quotes closed."""
    within = [(start, end) for start, end in sentences(text) if start < span[1] and span[0] < end]
    whole = bool(within) and span[0] <= within[0][0] and span[1] >= within[-1][1] - 1
    return (len(within) == 1 or whole) and is_closed(text[slice(*span)])


def said_as(question: Question) -> tuple[str, str]:
    """A written question and its answer without case and marks. One that was written with two answers stands twice:
    which of them is right the reader tells.
    """
    return normalise_answer(question.text), normalise_answer(question.answers[0])


def round_trip(
    candidates: Sequence[Candidate], index: Index, reader: Generator, settings: ExampleSettings, progress: Progress
) -> tuple[list[Candidate], list[Rejected]]:
    """Keep a question only if it retrieves its oracles and a reader of these gives the answer back.

    After SimRAG (Xu et al. 2025, section 3.3): both directions must hold, so that a vague question does not survive.
    """
    retrieved = index.retrieve([c.question.text for c in candidates], settings.round_trip_depth)
    found: list[Candidate] = []
    rejected: list[Rejected] = []
    for candidate, scored in zip(candidates, retrieved, strict=True):
        if candidate.oracle is None:
            raise ModelError("an unanswerable question cannot make a round trip")
        if {oracle.id for oracle in candidate.oracles} <= {hit.passage.id for hit in scored}:
            found.append(candidate)
        else:
            rejected.append((candidate, candidate.question.text, Reason.NOT_RETRIEVED))
    prompts = [passages_prompt(candidate.question.text, candidate.oracles, reader.style) for candidate in found]
    with progress.task("check by round trip", len(prompts)) as advance:
        answers = reader.generate(prompts, Decoding(READ_TOKENS), advance)
    kept: list[Candidate] = []
    asked: set[str] = set()
    for candidate, generation in zip(found, answers, strict=True):
        question = normalise_answer(candidate.question.text)
        same = token_f1(parse_answer(generation.text).answer, candidate.question.answers) >= SAME_ANSWER_F1
        if same and question in asked:
            rejected.append((candidate, candidate.question.text, Reason.DUPLICATE))
        elif same:
            asked.add(question)
            kept.append(candidate)
        else:
            rejected.append((candidate, candidate.question.text, why_lost(generation, Reason.READ_OTHERWISE)))
    return kept, rejected
