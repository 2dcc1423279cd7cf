"""Questions without people: a span that occurs again is asked for by the sentence that it was taken out of.

After recurring-span selection (Ram et al. 2021), made into rows with a question word, so that they train what questions
of people train.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bs4 import BeautifulSoup
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from articles import Row
from raft.text import locate, normalise_answer, sentences

# Names of one to four words, and numbers with what follows a unit or a month.
_NAME = re.compile(r"\b[A-Z][\w'-]+(?: (?:of |the |de )?[A-Z][\w'-]+){0,3}")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d+\b")
_YEAR = re.compile(r"[12]\d{3}")
UNKNOWN = "<unk>"
_HEADING = re.compile(r"^ = ([^=].*?) = \s*$")
SHORTEST_PARAGRAPH, LONGEST_PARAGRAPH, LONGEST_QUESTION = 250, 1100, 26
# Words that a question sentence must share with the sentence that answers it, besides the span.
SHARED_WORDS = 2


def load_articles(path: Path, keep_unknown: bool = False) -> dict[str, list[str]]:
    """Paragraphs by title of a text in WikiText's form; unknown words are left out, paragraphs full of them too."""
    articles: dict[str, list[str]] = {}
    title = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.match(line):
            title = " ".join(heading[1].replace(UNKNOWN, "").split()) or "untitled"
        elif title and line.strip() and not line.startswith(" ="):
            unknown, words = line.count(UNKNOWN), len(line.split())
            text = " ".join((line if keep_unknown else line.replace(UNKNOWN, "")).split())
            if unknown <= words / 20 and len(text) >= SHORTEST_PARAGRAPH:
                articles.setdefault(title, []).extend(_cut(text))
    return articles


def load_pages(folders: Iterable[Path]) -> dict[str, list[str]]:
    """Paragraphs by title of the HTML pages in folders, such as those of Debian's documentation packages."""
    articles: dict[str, list[str]] = {}
    for page in sorted(page for folder in folders for page in folder.rglob("*.html")):
        soup = BeautifulSoup(page.read_bytes(), "html.parser")
        title = " ".join(soup.title.get_text().split()) if soup.title else page.stem
        # DocBook's pages have paragraphs as divisions of this class.
        for part in soup.select("p, div.para"):
            text = " ".join(part.get_text().split())
            if len(text) >= SHORTEST_PARAGRAPH:
                articles.setdefault(title, []).extend(_cut(text))
    return articles


def _cut(text: str) -> Iterator[str]:
    """Runs of whole sentences of at most LONGEST_PARAGRAPH characters, each long enough to be a paragraph."""
    start = end = 0
    for _, stop in sentences(text):
        if stop - start > LONGEST_PARAGRAPH and end > start:
            yield text[start:end].strip()
            start = end
        end = stop
    if end - start >= SHORTEST_PARAGRAPH:
        yield text[start:end].strip()


def cloze_rows(articles: Mapping[str, Sequence[str]], rng: random.Random, most_of_paragraph: int = 6) -> list[Row]:
    """Rows whose context is a paragraph without the sentence that became the question."""
    rows = []
    for title, paragraphs in articles.items():
        for text in paragraphs:
            made = list(_clozes(title, text, rng))
            rows += rng.sample(made, min(most_of_paragraph, len(made)))
    return rows


def _clozes(title: str, text: str, rng: random.Random) -> Iterator[Row]:
    spans = list(sentences(text))
    if len(spans) < 3:
        return
    words = [_content(text[slice(*span)]) for span in spans]
    for number, (start, end) in enumerate(spans):
        sentence = text[start:end].strip()
        context = " ".join(part for part in (text[:start].strip(), text[end:].strip()) if part)
        for asked in spans_of_interest(sentence):
            rest = words[number] - _content(asked)
            others = [
                len(rest & words[other])
                for other, span in enumerate(spans)
                if other != number and locate(asked, text[slice(*span)])
            ]
            question = _question(sentence, asked, rng)
            if question and others and max(others) >= SHARED_WORDS and not locate(asked, question):
                yield Row(title, context, question, (asked,))


def spans_of_interest(sentence: str) -> list[str]:
    """Names and numbers of a sentence; its first word is a name only where a second one follows."""
    names = [found[0] for found in _NAME.finditer(sentence) if found.start() > 0 or " " in found[0]]
    numbers = [found[0] for found in _NUMBER.finditer(sentence)]
    return [span for span in dict.fromkeys([*names, *numbers]) if len(span) > 1]


def _question(sentence: str, asked: str, rng: random.Random) -> str | None:
    """The sentence with a question word in the place of the span, cut to the words around it."""
    before, _, after = sentence.partition(asked)
    if _YEAR.fullmatch(asked):
        word = rng.choice(("what year", "when"))
    elif asked[0].isdigit():
        word = rng.choice(("how many", "what number"))
    else:
        word = rng.choice(("who", "what", "which", "where"))
    left, right = before.split(), after.rstrip(" .").split()
    room = LONGEST_QUESTION - len(word.split())
    kept_left = left[-min(len(left), max(room // 2, room - len(right))) :] if left else []
    kept_right = right[: room - len(kept_left)]
    if len(kept_left) + len(kept_right) < 4:
        return None
    return " ".join([*kept_left, word, *kept_right]) + "?"


def _content(text: str) -> set[str]:
    return set(normalise_answer(text).split()) - ENGLISH_STOP_WORDS
