"""A quote must be a quote."""

from raft.citations import check_citations
from raft.outputs import parse_answer
from raft.prompts import CitedQuote, joined, plain_target, reasoned_target
from raft.types import Quote, ShownPassage

PUMP = ShownPassage("pump", "d1", "", "The Merrow 45 stops at 36 bar.", True)
WINCH = ShownPassage("winch", "d2", "", "The Grappel G3 lifts 1.5 t.", False)


def checked(quotes: list[CitedQuote], answer: str) -> tuple[str, tuple[Quote, ...], int]:
    result = check_citations(parse_answer(joined(reasoned_target(quotes, answer))), [WINCH, PUMP])
    return result.answer, result.quotes, len(result.unverified)


def test_quote_and_answer_take_the_spelling_of_their_source() -> None:
    answer, quotes, unverified = checked([CitedQuote(2, "the merrow 45 stops at 36 bar")], "merrow 45")
    assert answer == "Merrow 45"
    assert quotes == (Quote("pump", 0, 29, "The Merrow 45 stops at 36 bar"),)
    assert unverified == 0


def test_a_quote_that_stands_in_another_passage_than_it_names_is_not_verified() -> None:
    assert checked([CitedQuote(1, "stops at 36 bar")], "36 bar")[1:] == ((), 1)


def test_a_quote_of_a_passage_that_was_not_shown_is_not_verified() -> None:
    assert checked([CitedQuote(3, "36 bar"), CitedQuote(0, "36 bar")], "36 bar")[1:] == ((), 2)


def test_an_answer_that_no_passage_holds_is_left_as_it_is() -> None:
    result = check_citations(parse_answer(joined(plain_target("forty bar"))), [WINCH])
    assert (result.answer, result.quotes) == ("forty bar", ())
