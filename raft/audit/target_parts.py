"""Take anyone's target apart: reasoning with quotes between marks, then the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from raft.outputs import parse_answer
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE
from raft.quality.telltales import refuses

# How public tools mark the answer; the last two are those of the paper's own prompt and of models that drift from it.
_ANSWER_MARK = re.compile(r"<ANSWER>\s*:?|##\s*Answer\s*:", re.I)
_MARK = re.compile(f"{BEGIN_QUOTE}|{END_QUOTE}")
_ANY_MARK = re.compile(r"(?:begin|end)[_ ]quote", re.I)
_QUOTED = re.compile(rf"(?:\[(\d+)\]\s*)?{BEGIN_QUOTE}(.*?){END_QUOTE}", re.DOTALL)
_SPEAKER = re.compile(r"\s*assistant\s*:\s*", re.I)
_SENTENCE_END = (".", "!", "?", '"', "'", ")", "]", "\u201d", "\u3002", END_QUOTE)


@dataclass(frozen=True, slots=True)
class Said:
    """quotes: the number of the passage, from 1, where the target names it, and the words. marked: whether an answer
    mark stands in the target; without one all that is no quote counts as the answer."""

    quotes: tuple[tuple[int | None, str], ...]
    answer: str
    marked: bool
    quote_marks: tuple[str, ...]
    misspelt: bool
    abstains: bool
    refuses: bool
    ends: bool

    @property
    def balanced(self) -> bool:
        """Whether every quote mark that opens is closed before the next opens."""
        pairs = len(self.quote_marks) // 2
        return self.quote_marks == (BEGIN_QUOTE, END_QUOTE) * pairs

    @property
    def cut(self) -> bool:
        """Whether it stops where nobody ends a text: within a quote, or without answer and full stop."""
        return not self.marked and ((self.quote_marks[-1:] == (BEGIN_QUOTE,)) or not self.ends)


def read_target(target: str) -> Said:
    """A target as the known tools write it."""
    text = _ANSWER_MARK.sub(ANSWER, _SPEAKER.sub("", target, count=1) if _SPEAKER.match(target) else target)
    parsed = parse_answer(text)
    answer = " ".join(_MARK.sub(" ", _QUOTED.sub(" ", parsed.answer) if ANSWER not in text else parsed.answer).split())
    marks = tuple(_MARK.findall(text))
    return Said(
        quotes=tuple((int(number) if number else None, words.strip()) for number, words in _QUOTED.findall(text)),
        answer=answer,
        marked=ANSWER in text,
        quote_marks=marks,
        misspelt=len(_ANY_MARK.findall(text)) != len(marks),
        abstains=parsed.abstained,
        refuses=parsed.abstained or refuses(answer),
        ends=text.rstrip().endswith(_SENTENCE_END),
    )
