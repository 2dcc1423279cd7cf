"""The arms of an evaluation: the same questions, the same retrieved passages and the same decoding for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from raft.citations import check_citations
from raft.models.generator import Decoding, Generator
from raft.progress import Progress
from raft.prompts import closed_book_prompt, parse_answer, passages_prompt
from raft.types import Arm, Context, Passage, Prediction, Question, ScoredPassage

BASE = "base"
# In the order in which people compare them; an arm takes part if its model is given (Zhang et al. 2024, section 4).
ARMS = (
    Arm("base", BASE, Context.NONE),
    Arm("rag", BASE, Context.RETRIEVED),
    Arm("dsf", "dsf", Context.NONE),
    Arm("dsf+rag", "dsf", Context.RETRIEVED),
    Arm("raft", "raft", Context.RETRIEVED),
)
MEANINGS = {
    "base": "untuned, from memory",
    "rag": "untuned, with passages",
    "dsf": "plain fine-tuning, from memory",
    "dsf+rag": "plain fine-tuning, with passages",
    "raft": "RAFT tuning, with passages",
}


def arms_for(models: Iterable[str]) -> tuple[Arm, ...]:
    """The arms that these tuned models allow; the untuned ones always take part."""
    known = {BASE, *models}
    return tuple(arm for arm in ARMS if arm.model in known)


def predict(
    arms: Sequence[Arm],
    questions: Sequence[Question],
    retrieved: Sequence[Sequence[ScoredPassage]],
    generators: Mapping[str, Generator],
    decoding: Decoding,
    progress: Progress,
) -> list[Prediction]:
    """What each arm says to each question, arm by arm.

    retrieved: one list of passages a question, in the order shown. generators: by the name of the arm's model. Raises
    ModelError where a prompt does not fit a model, since nothing is ever cut.
    """
    predictions: list[Prediction] = []
    for arm in arms:
        shown = [_shown(arm, scored) for scored in retrieved]
        with progress.task(f"Answer as {arm.name}", len(questions)) as advance:
            generator = generators[arm.model]
            prompts = [
                passages_prompt(question.text, passages, generator.style)
                if arm.context is Context.RETRIEVED
                else closed_book_prompt(question.text, generator.style)
                for question, passages in zip(questions, shown, strict=True)
            ]
            written = generator.generate(prompts, decoding, advance)
        for question, passages, prompt, generation in zip(questions, shown, prompts, written, strict=True):
            parsed = parse_answer(generation.text)
            checked = check_citations(parsed, passages)
            predictions.append(
                Prediction(
                    question_id=question.id,
                    arm=arm.name,
                    passage_ids=tuple(passage.id for passage in passages),
                    prompt=prompt.text,
                    text=generation.text,
                    answer=checked.answer,
                    quotes=checked.quotes,
                    abstained=parsed.abstained,
                    seconds=generation.seconds,
                )
            )
    return predictions


def _shown(arm: Arm, scored: Sequence[ScoredPassage]) -> list[Passage]:
    return [one.passage for one in scored] if arm.context is Context.RETRIEVED else []
