"""Which line breaks only wrap a line, and that nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.wrapping import unwrapped

PROSE = """The harbour of Inver was enlarged in the spring of 1921 by Moira Bain, who
had been the keeper of the light for eleven years. Vessels longer than
Dunmarra's ferry announce their arrival on channel nine.

- Boats without an engine of their own pay half of the fee for a night, and
  those of the rescue service nothing.
- The crane may be used until dusk."""

words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=24)
texts = st.lists(st.lists(words, max_size=14).map(" ".join), max_size=12).map("\n".join)


@given(texts)
def test_only_line_breaks_become_spaces(text: str) -> None:
    made = unwrapped(text)
    assert len(made) == len(text)
    assert all(old == new or (old, new) == ("\n", " ") for old, new in zip(text, made, strict=True))


def test_wrapped_lines_flow_and_paragraphs_and_items_stay_apart() -> None:
    assert [" ".join(line.split()) for line in unwrapped(PROSE).split("\n")] == [
        "The harbour of Inver was enlarged in the spring of 1921 by Moira Bain, who had been the keeper of the light "
        "for eleven years. Vessels longer than Dunmarra's ferry announce their arrival on channel nine.",
        "",
        "- Boats without an engine of their own pay half of the fee for a night, and those of the rescue service "
        "nothing.",
        "- The crane may be used until dusk.",
    ]


def test_a_paragraph_without_a_long_line_goes_by_the_others() -> None:
    short = "Wind is measured at the head of the pier by the\nharbour master."
    assert unwrapped(short) == short
    assert "by the harbour master" in unwrapped(f"{PROSE}\n\n{short}")


@pytest.mark.parametrize(
    "lines",
    [
        ["Keeper: Moira Bain of Inver", "Deputy: Ewan Roe"],
        ["apples", "pears", "plums"],
        ["a boat without an engine of its own", "a boat of the rescue service"],
        ["Annual report of the harbour board of Inver for 1921", "Moira Bain, keeper of the light"],
        ["Timetable", "https://example.org/harbour-of-inver/timetable/spring-2021.html", "Fees"],
        ["HARBOUR", "SECRET_KEY_OF_THE_HARBOUR_" + "a" * 50, "PORT"],
        ["    return harbour.fee(night, length_in_metres) + pier_of_inver.crane.fee", "    of_all_boats = 7"],
        ["```", "$ raft index build manuals of the harbour --embedder mini --passage-tokens 120", "more", "```"],
        ["2024-05-01 12:00:00 INFO worker 0 finished the job after so many seconds and sleeps"] * 3,
        ["10:30 the ferry of Dunmarra leaves the pier with all of its passengers and the mail", "10:45 the bus"],
        ["(a) the tenant shall pay the rent on the first day of every calendar month and not later", "(b) he pays"],
        ["a) the tenant shall pay the rent on the first day of every calendar month and not later", "b) he pays"],
        ["1.1 The tenant shall pay the rent on the first day of every calendar month and not later", "1.2 He pays"],
        ["1 Of the harbour of Inver ................................................. 1", "2 Of the crane .... 7"],
        ["  -A, --all  do not ignore entries of the harbour that begin with a dot and so on and on", "  -B  some"],
        [":param x: the number of vessels that may be moored at the pier of the harbour of Inver", ":param y: cranes"],
        ["> Do you agree that the harbour of Inver shall be enlarged in the spring by all of us", "Yes, I do."],
        ["Emergency button          none              orange, on top of it", "Stored messages           none"],
        ["At the end of it all you choose a trade: the deck, the kelp or engineering", "**Year 2** is the trade's."],
        [
            "-" * 64,
            "A. LIMITS OF WIND",
            "**Dr Wenna Ashgrove, with Jory Mabb, who holds the slate and the camera**",
            "At sea",
        ],
        ["code: K-180; product: Kelp soap; pack: box of 36 bars; remarks: Made by Hedda Mure", "code: T-001; Terms"],
        ["Here: Grell (in the chair), Aldane, Dorrow, Kemmer, Osk, Rehl, Steen, Vorn = 8", "Not here: Halle"],
        ["Ruud    - letter to the island council about its third, by the tenth of April", "Wick    - timetable"],
        ["# The rules of the harbour of Inver as the council of the island made them", "Every vessel is announced"],
        [
            "- Boats without an engine pay half of the fee for a night at the pier of Inver",
            "- the others pay all of it",
        ],
        ["| a night at the pier of Inver for a boat without an engine of its own | 7 |", "| a week | 40 |"],
        ["What the council of the island decided for the harbour in the year of 1921:", "vessels are announced"],
        ["A line that was broken on purpose, for it ends in two spaces and no full stop  ", "and its second half"],
        ["Der Hafen von Inver wurde im Frühjahr des Jahres 1921 erweitert und auch bezahlt.", "Ältere Schiffe zahlen."],
        ["那座港口在一九二一年由莫伊拉扩建了", "渔船须在第九频道报告到达"],
        ["The minutes of the harbour board of Inver for the spring of the year of 1921", "", "and what came of them"],
    ],
)
def test_lines_of_their_own_stay(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert unwrapped(text) == text
