"""An evaluation made up by rule, of any size and with every part that a report can show."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

from raft.citations import check_citations
from raft.evaluate.measures.metrics import score_all
from raft.evaluate.plan.arms import MEANINGS
from raft.evaluate.report.browse import Record
from raft.evaluate.report.report import Provenance
from raft.evaluate.summary import Ruler, Summary, summarise
from raft.outputs import parse_answer
from raft.prompts import PromptStyle, closed_book_prompt, passages_prompt
from raft.recipe import EvaluateSettings
from raft.types import Passage, Prediction, Question, QuestionSource, ScoredPassage

PROVENANCE = Provenance({"seed": 0}, {"index": "0" * 64}, [], MEANINGS)
ARMS = ("base", "rag", "dsf", "dsf+rag", "raft")
_WORDS = ["".join(parts) for parts in product(("har", "kel", "mor", "tis", "ren"), ("bour", "den", "pier", "lock"))]


def record(questions: int, seed: int = 0) -> Record:
    """Five arms on so many questions, each with three passages of its own of about 110 tokens, in chat prompts."""
    rng = Random(seed)

    def words(count: int) -> str:
        return " ".join(rng.choices(_WORDS, k=count))

    asked, retrieved, predictions = [], [], []
    for number in range(questions):
        document = f"folder/document-{number % 40}.md"
        found = [
            Passage(f"{number:08x}-{place}-{rng.getrandbits(64):016x}", document, words(4), words(85), 0, 0)
            for place in range(3)
        ]
        answer = " ".join(found[0].text.split()[20:24])
        unanswerable = number % 8 == 7
        question = Question(
            f"question-{number}",
            f"{words(12).capitalize()}?",
            () if unanswerable else (answer, words(3)),
            () if unanswerable else (document,),
            unanswerable=unanswerable,
            kind=("number", "date", "reason")[number % 3],
        )
        asked.append(question)
        retrieved.append([ScoredPassage(passage, 1.0) for passage in found])
        for arm in ARMS:
            passages = found if arm in ("rag", "dsf+rag", "raft") else []
            style = PromptStyle.CHAT
            prompt = passages_prompt(question.text, passages, style) if passages else None
            said = answer if rng.random() < 0.2 + 0.1 * ARMS.index(arm) else words(5)
            quote = " ".join(found[0].text.split()[15:35])
            text = f"[1] ##begin_quote##{quote}##end_quote## <ANSWER>: {said}" if passages else f"<ANSWER>: {said}"
            parsed = parse_answer(text)
            checked = check_citations(parsed, passages)
            predictions.append(
                Prediction(
                    question.id,
                    arm,
                    tuple(passage.id for passage in passages),
                    (prompt or closed_book_prompt(question.text, style)).text,
                    text,
                    checked.answer,
                    checked.quotes,
                    parsed.abstained,
                    0.1,
                )
            )
    scores = score_all({one.id: one for one in asked}, predictions)
    seen = frozenset(f"folder/document-{n}.md" for n in range(25))
    names = ("correct", "wordy", "not_retrieved", "wrong_passage", "refused_wrongly")
    outcomes = {(one.question_id, one.arm): rng.choice(names) for one in predictions}
    return Record(asked, retrieved, predictions, scores, seen, outcomes=outcomes)


def summary(made: Record) -> Summary:
    """What an evaluation of just this says, without further parts."""
    ruler = Ruler(EvaluateSettings(bootstrap_samples=100), 0)
    retrieval = {one.id: {"recall": 1.0, "hit": 1.0} for one in made.questions if one.document_ids}
    return summarise(made.questions, made.predictions, made.scores, retrieval, made.seen, ruler, QuestionSource.GIVEN)


def further_parts() -> dict[str, Any]:
    """Every further part of a summary, as `summary.json` holds it."""

    def interval(mean: float) -> dict[str, Any]:
        return {"mean": mean, "low": max(0.0, mean - 0.05), "high": min(1.0, mean + 0.06), "n": 40}

    def probe(values: str, start: float) -> dict[str, Any]:
        return {
            value: {"f1": interval(start - 0.02 * place), "refused": interval(0.1), "attack_success": interval(0.3)}
            for place, value in enumerate(values.split(","))
        }

    def curve(steepness: float) -> list[dict[str, float]]:
        return [{"confidence": 1 - n / 20, "coverage": n / 20, "risk": steepness * n / 20} for n in range(1, 19)]

    passage_arms = ("rag", "dsf+rag", "raft")
    losses = [{"loss": 2.0 / step, "step": float(step)} for step in (10, 20, 30)]
    return {
        "kinds": {
            kind: {"questions": 40, "arms": {arm: {"f1": interval(0.1 * place)} for place, arm in enumerate(ARMS)}}
            for kind in ("date", "number", "reason")
        },
        "top_k": 3,
        "judge": {"model": "openai:judge", "asked": 40, "failed": 2},
        "outcomes": {arm: {"correct": 30 + place, "not_retrieved": 10, "format": 0} for place, arm in enumerate(ARMS)},
        "labels": [
            {
                "labels": ["no", "yes"],
                "arms": {
                    "raft": {"n": 9, "macro_f1": 0.75, "confusion": {"no": {"no": 4, "yes": 1}, "yes": {"yes": 4}}}
                },
            }
        ],
        "risk_coverage": {
            arm: {
                "n": 400,
                "area": 0.3,
                "area_at_random": 0.5,
                "curve": curve(0.5 + 0.1 * place),
                "min_confidence": 0.41 if place else None,
                "gain": interval(0.1),
            }
            for place, arm in enumerate(ARMS)
        },
        "rankings": {
            mode: {measure: interval(0.8) for measure in ("recall@1", "recall@10", "mrr@10", "ndcg@10")}
            for mode in ("dense", "lexical", "hybrid")
        },
        "robustness": {
            "questions": 60,
            "compared": 50,
            "scarce": {"same-document": 48, "counterfactual": 31},
            "kinds": [{"verdict": "raft beside hard distractors beats raft beside counterfactual distractors by 9.0"}],
            "left_out": {"rag": ["passages shown: 10"]},
            "arms": {
                arm: {
                    "passages shown": probe("1,2,3,4,6,8,10", 0.5 + 0.05 * place),
                    "position of the oracle": probe("1,2,3", 0.6),
                    "oracle absent": probe("absent", 0.2),
                    "kind of distractor": probe("none,random,hard,same-document,counterfactual", 0.6),
                    "injected instruction": probe("in a distractor,in the oracle", 0.4),
                }
                for place, arm in enumerate(passage_arms)
            },
            "attacks": [{"verdict": "instruction in the oracle: raft beats rag by 20.0 attack-resistance points"}],
        },
        "forgetting": {
            "source": "everyday",
            "questions": 60,
            "before": {name: interval(0.8) for name in ("f1", "exact_match", "refused")},
            "models": {
                name: {
                    "after": {name: interval(0.7) for name in ("f1", "exact_match", "refused")},
                    "difference": -0.1,
                    "low": -0.15,
                    "high": -0.04,
                    "corrected": 0.01,
                    "shown": True,
                    "smallest": 0.08,
                    "verdict": f"tuning {name} cost 10.0 F1 points on 60 questions that have nothing to do with the "
                    "documents, 95 % interval 4.0 to 15.0",
                }
                for name in ("dsf", "raft")
            },
        },
        "prompts": {
            "used": {"base": {"prompt": "begun", "why": "chosen on 60 validation questions"}},
            "chosen": "begun",
            "questions": 60,
            "tried": {
                name: {"f1": 0.14 - 0.02 * place, "exact_match": 0.03, "squad_f1": 0.15 - 0.02 * place}
                for place, name in enumerate(("begun", "short", "worked", "quote"))
            },
        },
        "training": {
            name: {
                "rows": 77,
                "target_tokens": 1865,
                "steps": 30,
                "kept_step": 20,
                "seconds": 36.0,
                "losses": [*losses, *({"eval_loss": 2.5 / one["step"], "step": one["step"]} for one in losses)],
            }
            for name in ("dsf", "raft")
        },
    }
