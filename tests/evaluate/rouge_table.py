"""Writes `rouge_l.jsonl`, which holds ROUGE-L as Google's package gives it: run by hand where that is installed.

    python -m pip install rouge-score==0.1.2 && python tests/evaluate/rouge_table.py

The package knows the letters a to z alone and drops all others, so texts with others are split for it by `Words`.
"""

import json
import random
import re
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE.parents[1] / "corpora" / "skerrivane"
ODD = [
    "", " ", "—", "a", "A a", "_", "under_score", "rock'n'roll", "don't", "1,200", "1200", "1 200", "-5 °C", "3.14",
    "12:30 pm", "e-mail", "E-Mail", "C++", "50%", "£3", "[1] ##begin_quote## x ##end_quote##", "yes\tno\nmaybe", "½",
    "²", "The the THE", "Café Zürich", "Ærø, Åland", "Straße", "İstanbul", "Москва на реке", "東京 is far",
    "naïve e\u0301",
]  # fmt: skip


class Words:
    """Runs of letters and digits of any script, in lower case."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", text.lower())


def changed(words: list[str], rng: random.Random) -> list[str]:
    """Some words dropped, doubled, moved or replaced by others of the same text."""
    words = [one for one in words if rng.random() > 0.2]
    for _ in range(rng.randrange(4)):
        if words:
            place, other = rng.randrange(len(words)), rng.randrange(len(words))
            change = rng.choice(("double", "swap", "replace", "case"))
            if change == "double":
                words.insert(place, words[other])
            elif change == "swap":
                words[place], words[other] = words[other], words[place]
            elif change == "replace":
                words[place] = words[other]
            else:
                words[place] = words[place].upper() + rng.choice(".,;!?")
    return words


def pairs(rng: random.Random) -> list[tuple[str, list[str]]]:
    lines = (CORPUS / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    accepted = [answers for line in lines if (answers := json.loads(line)["answers"])]
    prose = " ".join(path.read_text(encoding="utf-8") for path in sorted((CORPUS / "documents").rglob("*.md"))).split()
    made: list[tuple[str, list[str]]] = []
    for answers in rng.sample(accepted, 90):
        made.append((" ".join(changed(rng.choice(answers).split(), rng)), answers))
        start = rng.randrange(len(prose) - 80)
        made.append((" ".join([*prose[start : start + 6], rng.choice(answers)]), answers))
    for _ in range(120):
        start, length = rng.randrange(len(prose) - 80), rng.randrange(1, 60)
        text = prose[start : start + length]
        made.append((" ".join(changed(text, rng)), [" ".join(text)]))
    made += [(rng.choice(ODD), rng.sample(ODD, rng.randrange(1, 4))) for _ in range(80)]
    return made + [(one, [one]) for one in ODD]


def main() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    own, wide = RougeScorer(["rougeL"]), RougeScorer(["rougeL"], tokenizer=Words())
    rows = []
    for answer, accepted in pairs(random.Random(0)):
        scorer = own if "".join([answer, *accepted]).isascii() else wide
        value = scorer.score_multi(accepted, answer)["rougeL"].fmeasure
        rows.append(json.dumps({"answer": answer, "accepted": accepted, "rouge_l": value}, ensure_ascii=False) + "\n")
    (HERE / "rouge_l.jsonl").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
