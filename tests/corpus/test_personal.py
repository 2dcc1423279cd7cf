from __future__ import annotations

import pytest

from raft.corpus.personal import count_personal, find_personal, redacted
from raft.types import Document

FOUND = [
    ("Write to ida.dorne+ops@mail.example.co.uk today.", "email", "ida.dorne+ops@mail.example.co.uk"),
    ("Ring +44 20 7946 0958 at night.", "phone", "+44 20 7946 0958"),
    ("Ring (020) 7946 0958.", "phone", "(020) 7946 0958"),
    ("Ring 555-010-9999 now", "phone", "555-010-9999"),
    ("Card 4111 1111 1111 1111, please", "card", "4111 1111 1111 1111"),
    ("IBAN GB82 WEST 1234 5698 7654 32.", "iban", "GB82 WEST 1234 5698 7654 32"),
    ("key AKIAIOSFODNN7EXAMPLE in use", "key", "AKIAIOSFODNN7EXAMPLE"),
    ("OPENAI_KEY sk-proj-" + "a1B2" * 8, "key", "sk-proj-" + "a1B2" * 8),
    ('{"password": "hunter2hunter2"}', "key", "hunter2hunter2"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "key", None),
]
INNOCENT = [
    "The pump runs from 08:00 to 17:30 on 2024-05-03 at 40.5 bar.",
    "Part 4111 1111 1111 1112 is no card, nor is 0000 0000 0000 0000.",
    "Version 10.12.1, ISBN 978-3-16-148410-0, chapters 12-14, 1,200,000 crowns.",
    "The password is changed every month; the secret: nobody knows.",
    "Meet @ the quay. See section 3.1.4.",
]


@pytest.mark.parametrize(("text", "kind", "what"), FOUND)
def test_personal_data_is_found_whole(text: str, kind: str, what: str | None) -> None:
    (finding,) = find_personal(text)
    assert (finding.kind, text[finding.start : finding.end]) == (kind, what or text)


@pytest.mark.parametrize("text", INNOCENT)
def test_ordinary_numbers_and_words_are_left_alone(text: str) -> None:
    assert find_personal(text) == []


def test_redacting_masks_title_and_text_and_nothing_is_found_again() -> None:
    text = "\n".join(case[0] for case in FOUND)
    document = Document("a", "Mail of ida@example.org", text, "a")
    clean = redacted(document)
    assert (clean.title, find_personal(clean.text)) == ("Mail of [EMAIL]", [])
    assert clean.text.startswith("Write to [EMAIL] today.\nRing [PHONE] at night.")
    assert count_personal(document) == {"email": 1, "phone": 3, "card": 1, "iban": 1, "key": 4}
