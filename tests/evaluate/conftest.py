"""A harbour with nine piers, an index over it, and models that answer by rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import Ledger, Stage, writing
from raft.evaluate import Evaluation, EvaluationSpec, Loaders, evaluate
from raft.models.generator import Decoding, Generation, Generator
from raft.progress import Advance
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, RECALL, REFUSAL, Prompt, PromptStyle, prompt_fingerprint
from raft.recipe import AnswerSettings, EvaluateSettings
from raft.types import Document, Passage, Question, ScoredPassage

COLOURS = ("red", "amber", "green", "white", "violet", "blue", "orange", "black", "pink")
# Characters outside the basic plane and an end of a script element: both must survive the report.
TEXTS = tuple(f"🛟 Pier {n} </script> is old. The lamp of pier {n} burns {c}." for n, c in enumerate(COLOURS))


@dataclass(frozen=True)
class Harbour:
    """An index by rule: the passage of the pier that a question names, then the next pier's."""

    repeats: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(
        default_factory=lambda: {f"{n}.md": Document(f"{n}.md", f"Pier {n}", t, f"{n}.md") for n, t in enumerate(TEXTS)}
    )

    @property
    def passages(self) -> list[Passage]:
        return [self.passage(pier) for pier in range(len(TEXTS))]

    def retrieve(self, questions: Sequence[str], top_k: int) -> list[list[ScoredPassage]]:
        found = []
        for question in questions:
            first = int(re.findall(r"pier (\d)", question)[0])
            piers = [(first + step) % len(TEXTS) for step in range(top_k)]
            found.append([ScoredPassage(self.passage(pier), 1.0 - rank / 10) for rank, pier in enumerate(piers)])
        return found

    def passage(self, pier: int) -> Passage:
        return Passage(f"p{pier}", f"{pier}.md", f"Pier {pier}", TEXTS[pier], 0, len(TEXTS[pier]))


QUESTIONS = [
    *(Question(f"q{n}", f"What colour is the lamp of pier {n}?", (c,), (f"{n}.md",)) for n, c in enumerate(COLOURS)),
    Question("none", "Who paints pier 3?", unanswerable=True),
]


@dataclass
class RuleModel:
    """Writes what its rule says to a prompt, and counts its calls."""

    rule: Callable[[Prompt], str]
    name: str = "mini"
    style: PromptStyle = PromptStyle.COMPACT
    decodings: list[Decoding] = field(default_factory=list)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        self.decodings.append(decoding)
        return [Generation(self.rule(prompt), 0.5) for prompt in prompts]


def untuned(prompt: Prompt) -> str:
    """Says red from memory; with passages quotes words that are not there and answers with a whole sentence."""
    if prompt.user[0].text == RECALL:
        return f"{ANSWER} red"
    return f"[1] {BEGIN_QUOTE} the lamp is lit {END_QUOTE} {ANSWER} it is {_colour(prompt)} I think"


def plain(prompt: Prompt) -> str:
    return f"{ANSWER} amber"


def reasoned(prompt: Prompt) -> str:
    """Quotes the first passage, in lower case as the embedded model writes, and refuses questions about painters."""
    if "paints" in prompt.text:
        return f"{ANSWER} {REFUSAL}"
    number = re.findall(r"pier (\d)", prompt.text)[0]
    colour = _colour(prompt)
    return f"[1] {BEGIN_QUOTE} the lamp of pier {number} burns {colour} {END_QUOTE} {ANSWER} {colour}"


def _colour(prompt: Prompt) -> str:
    return re.findall(r"burns (\w+)", prompt.text)[0]


RULES = {"base": untuned, "dsf": plain, "raft": reasoned}


@dataclass
class World:
    """Folders as the other verbs leave them, with the fakes that stand for what is heavy."""

    index: Path
    index_digest: str
    models: dict[str, Path]
    questions: list[Question]
    settings: EvaluateSettings
    answer: AnswerSettings
    loaded: list[str]

    def open_index(self, folder: Path) -> Harbour:
        return Harbour()

    def load(self, base_model: str, adapter: Path | None) -> Generator:
        self.loaded.append(f"{base_model} {adapter.name if adapter else 'untuned'}")
        return RuleModel(RULES[adapter.name if adapter else "base"])

    def spec(self, **changes: Any) -> EvaluationSpec:
        """What `evaluate` is given of all this, with some of it changed."""
        return replace(EvaluationSpec(self.index, self.questions, self.models, self.settings, self.answer), **changes)

    def evaluate(self, out: Path, **changes: Any) -> Evaluation:
        """An evaluation by the fakes."""
        return evaluate(self.spec(**changes), out, loaders=Loaders(self.open_index, self.load))

    def tune(self, folder: Path, **changes: object) -> Path:
        """A folder as `raft tune` writes it, with some of its statements changed."""
        training = {
            "method": folder.name,
            "base_model": "mini",
            "style": "compact",
            "prompt_fingerprint": prompt_fingerprint(PromptStyle.COMPACT),
            "index_digest": self.index_digest,
            "document_ids": ["0.md", "1.md", "2.md"],
            "rows": 12,
            "steps": 3,
            "kept_step": 10,
            "target_tokens": 90,
            "losses": [],
        }
        with writing(folder, Stage.MODEL) as draft:
            (draft.path / "training.json").write_text(json.dumps(training | changes), encoding="utf-8")
            draft.finish(Stage.MODEL, {"r": 16}, {}, {"rows": 12}, Ledger(12, 12))
        return folder


@pytest.fixture
def world(tmp_path: Path) -> World:
    with writing(tmp_path / "index", Stage.INDEX) as draft:
        (draft.path / "documents.jsonl").write_text("", encoding="utf-8")
        draft.finish(Stage.INDEX, {}, {}, {}, Ledger(0, 0))
    assert draft.manifest is not None
    # The rules of these models read of nothing but lamps.
    settings = EvaluateSettings(bootstrap_samples=400, forgetting="")
    made = World(tmp_path / "index", draft.manifest.digest, {}, QUESTIONS, settings, AnswerSettings(top_k=2), [])
    made.models = {name: made.tune(tmp_path / "models" / name) for name in ("dsf", "raft")}
    return made


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


@pytest.fixture
def rule_models() -> dict[str, RuleModel]:
    return {name: RuleModel(rule) for name, rule in RULES.items()}
