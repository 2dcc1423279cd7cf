"""Writes `squad.jsonl`: exact match and F1 as torchmetrics' port of SQuAD's official scorer gives them; run by hand.

python -m pip install torchmetrics==1.8.2 && python tests/evaluate/squad_table.py
"""

import json
import random
from pathlib import Path

from rouge_table import CORPUS, HERE, ODD, changed
from torchmetrics.functional.text import squad

ROWS = 1000


def pairs(rng: random.Random) -> list[tuple[str, list[str]]]:
    """Answers with what is accepted: changed, among words of the documents, of other questions, and odd ones."""
    lines = (CORPUS / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    accepted = [answers for line in lines if (answers := json.loads(line)["answers"])]
    prose = " ".join(path.read_text(encoding="utf-8") for path in sorted((CORPUS / "documents").rglob("*.md"))).split()
    made = [(rng.choice(ODD), rng.sample(ODD, rng.randrange(1, 4))) for _ in range(150)]
    while len(made) < ROWS:
        answers, start = rng.choice(accepted), rng.randrange(len(prose) - 10)
        one = rng.choice(answers)
        said = (" ".join(changed(one.split(), rng)), " ".join([*prose[start : start + rng.randrange(6)], one]))
        other = rng.choice(rng.choice(accepted))
        made.append((rng.choice([one, one.upper(), f"The {one}.", *said, *said, other]), answers))
    return made


def main() -> None:
    rows = []
    for answer, accepted in pairs(random.Random(0)):
        target = {"answers": {"answer_start": [0] * len(accepted), "text": accepted}, "id": "0"}
        found = squad([{"prediction_text": answer, "id": "0"}], [target])
        scores = {name: round(float(value) / 100, 6) for name, value in found.items()}
        rows.append(json.dumps({"answer": answer, "accepted": accepted, **scores}, ensure_ascii=False) + "\n")
    Path(HERE / "squad.jsonl").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
