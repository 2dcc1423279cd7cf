"""Held quotes: whatever a model would say, an open quote is words of its passage, and there is an answer in the end."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from raft.citations import check_citations
from raft.models.forms import AnswerForm, Spelling
from raft.models.pieces import Pieces
from raft.models.tokens import encode_segments
from raft.outputs import parse_answer
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, PromptStyle, Segment, passages_prompt
from raft.types import ShownPassage

TEXTS = [
    "The Merrow 45 stops at 36 bar. It moves 120 litres a minute\non the wash deck.",
    "Élan & Søn charge €5 a day; the lamp at [2] burns at -5 °C.",
    "ポンプは36バールで止まる。",
]
PASSAGES = [ShownPassage(str(n), "d", "", text, False) for n, text in enumerate(TEXTS)]
END = 1


def vocabulary(pieces: list[str], decoder: decoders.Decoder, splits: bool = True) -> PreTrainedTokenizerBase:
    """A tokenizer of these pieces behind a pad and an end token."""
    words = ["<pad>", "</s>", *pieces]
    ids = {piece: number for number, piece in enumerate(words)}
    backend = Tokenizer(models.BPE(vocab=ids, merges=[], byte_fallback=not splits))
    if splits:
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoder
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="</s>")


BYTES = vocabulary(pre_tokenizers.ByteLevel.alphabet(), decoders.ByteLevel())


def outputs(tokenizer: PreTrainedTokenizerBase, room: int, seed: int, begun: str = "") -> tuple[str, list[int]]:
    """What random scores write to a prompt with the passages, in the form; its text and its tokens."""
    prompt = passages_prompt("Which?", PASSAGES, PromptStyle.CHAT)
    form = AnswerForm(Spelling(tokenizer, [END]), prompt, room, stops_at_answer=False)
    written = encode_segments(tokenizer, [Segment(begun, content=True)])
    for token in written:
        form.advance(token)
    drawn = torch.Generator().manual_seed(seed)
    while len(written) < room:
        scores = torch.randn(len(tokenizer), generator=drawn)
        form.hold(scores)
        token = int(scores.argmax())
        if token == END:
            break
        written.append(token)
        form.advance(token)
    return str(tokenizer.decode(written)), written


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_an_open_quote_is_words_of_the_passage_that_it_names(seed: int, number: int) -> None:
    text, _ = outputs(BYTES, 300, seed, f"so [{number}] {BEGIN_QUOTE}")
    parsed = parse_answer(text)
    assert parsed.quotes and parsed.quotes[0].number == number
    checked = check_citations(parsed, PASSAGES)
    assert not checked.unverified
    assert checked.quotes[0].passage_id == str(number - 1)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_quote_under_way_when_room_runs_out_is_closed_and_an_answer_follows(seed: int) -> None:
    text, written = outputs(BYTES, 110, seed, f"[1] {BEGIN_QUOTE}")
    assert END_QUOTE in text and ANSWER in text.partition(END_QUOTE)[2]
    assert len(written) <= 110


def test_an_output_that_owes_an_answer_begins_it_where_it_would_end() -> None:
    begun = encode_segments(BYTES, [Segment(f"[1] {BEGIN_QUOTE} The Merrow {END_QUOTE}", content=True)])
    for stops, said in ((True, []), (False, begun)):
        prompt = passages_prompt("Which?", PASSAGES, PromptStyle.CHAT)
        form = AnswerForm(Spelling(BYTES, [END]), prompt, 90, stops_at_answer=stops)
        for token in said:
            form.advance(token)
        written = []
        for _ in range(len(ANSWER)):
            scores = torch.zeros(len(BYTES)).index_fill(0, torch.tensor([END]), 1.0)
            form.hold(scores)
            written.append(int(scores.argmax()))
            form.advance(written[-1])
        assert BYTES.decode(written) == ANSWER
        assert form.answered == len(said) + len(ANSWER)
        # Only what ends it may follow where somebody else gives the answer, and else anything but that.
        scores = torch.zeros(len(BYTES))
        form.hold(scores)
        assert (scores[END] == 0) == stops and (scores[END + 1] == 0) != stops


def form_behind(begun: str, passage: str, tokenizer: PreTrainedTokenizerBase = BYTES, room: int = 120) -> AnswerForm:
    """A form to which this was written, of a prompt with one passage."""
    prompt = passages_prompt("Which?", [ShownPassage("0", "d", "", passage, False)], PromptStyle.CHAT)
    form = AnswerForm(Spelling(tokenizer, [END]), prompt, room, stops_at_answer=False)
    for token in encode_segments(tokenizer, [Segment(begun, content=True)]):
        form.advance(token)
    return form


def test_what_has_no_quote_may_end_without_a_mark_and_what_has_one_may_not() -> None:
    for begun, may_end in (("36 bar.", True), (f"[1] {BEGIN_QUOTE} 36 bar {END_QUOTE} ", False)):
        form = form_behind(begun, "It stops at 36 bar")
        scores = torch.zeros(len(BYTES)).index_fill(0, torch.tensor([END]), 1.0)
        form.hold(scores)
        assert (int(scores.argmax()) == END) == may_end


def test_something_follows_the_mark() -> None:
    form = form_behind(f"{ANSWER} ", "It stops at 36 bar")
    scores = torch.zeros(len(BYTES))
    form.hold(scores)
    assert scores[END] == -torch.inf
    form.advance(encode_segments(BYTES, [Segment("3", content=True)])[0])
    scores = torch.zeros(len(BYTES))
    form.hold(scores)
    assert scores[END] == 0


@pytest.mark.parametrize(
    "passage",
    [",", "]\n\u2028", "h" * 400, "\N{ZERO WIDTH JOINER}", "\ufeff"],
    ids=["mark", "end", "long", "joiner", "bom"],
)
@pytest.mark.parametrize("liked", [" ", "h", "\n"])
def test_a_quote_that_cannot_be_closed_is_left_for_the_answer(passage: str, liked: str) -> None:
    form = form_behind(f"[1] {BEGIN_QUOTE}", passage)
    (favourite,) = encode_segments(BYTES, [Segment(liked, content=True)])
    written = []
    while form.answered is None and len(written) < 120:
        scores = torch.zeros(len(BYTES)).index_fill(0, torch.tensor([favourite]), 1.0)
        form.hold(scores)
        written.append(int(scores.argmax()))
        form.advance(written[-1])
    assert BYTES.decode(written).endswith(ANSWER)


def test_a_word_that_the_vocabulary_cannot_spell_ends_a_quote() -> None:
    decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse()])
    letters = [*"abcdefghijklmnopqrstuvwxyzZ#_[]<>:0123456789ANSWERQUTION", "\u2581"]
    tokenizer = vocabulary(list(dict.fromkeys(letters)), decoder, splits=False)
    pieces = Pieces.of(tokenizer)
    assert pieces is not None
    form = AnswerForm(
        Spelling(tokenizer, [END]),
        passages_prompt("Which?", [ShownPassage("0", "d", "", "Zürich", False)], PromptStyle.CHAT),
        120,
        stops_at_answer=False,
    )
    ids = {pieces.written(token): token for token in range(2, len(tokenizer))}
    for letter in f"[1]{BEGIN_QUOTE}":
        form.advance(ids[letter.encode()])
    said = ""
    for _ in range(1 + len(ANSWER)):
        scores = torch.zeros(len(tokenizer))
        form.hold(scores)
        token = int(scores.argmax())
        said += pieces.written(token).decode()
        form.advance(token)
    assert said == "Z" + ANSWER


def test_a_sentence_that_begins_with_a_mark_may_be_quoted() -> None:
    for text in (".NET 8 is asked for. It is old.", "\u201990s pumps leak.", "\u00bbHalt\u00ab hei\u00dft es."):
        form = form_behind(f"[1] {BEGIN_QUOTE}", text)
        for token in encode_segments(BYTES, [Segment(text[:6], content=True)]):
            scores = torch.zeros(len(BYTES))
            form.hold(scores)
            assert scores[token] == 0
            form.advance(token)


def test_numbers_of_passages_that_are_not_shown_cannot_be_written() -> None:
    prompt = passages_prompt("Which?", [PASSAGES[n % 3] for n in range(12)], PromptStyle.CHAT)

    def may_follow(begun: str) -> str:
        form = AnswerForm(Spelling(BYTES, [END]), prompt, 200, stops_at_answer=False)
        for token in encode_segments(BYTES, [Segment(begun, content=True)]):
            form.advance(token)
        scores = torch.zeros(len(BYTES))
        form.hold(scores)
        finite = scores.isfinite()
        return "".join(d for d in "0123456789" if finite[encode_segments(BYTES, [Segment(d, content=True)])[0]])

    assert may_follow("[") == "123456789"
    assert may_follow("as [1") == "012"
    assert may_follow("as [2") == ""
    assert may_follow("in 19") == "0123456789"


@given(st.integers(0, 10_000))
@example(3)  # would end within the second mark
@settings(max_examples=10, deadline=None)
def test_the_number_of_a_passage_opens_a_quote_at_the_beginning_and_behind_another(seed: int) -> None:
    for begun, quotes in (("[2]", 1), ("[3] ##", 1), (f"[1] {BEGIN_QUOTE} The Merrow {END_QUOTE}\n[2]", 2)):
        text, _ = outputs(BYTES, 300, seed, begun)
        parsed = parse_answer(text)
        assert len(parsed.quotes) >= quotes and not check_citations(parsed, PASSAGES).unverified


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_a_quote_behind_the_answer_is_words_of_its_passage_too(seed: int, number: int) -> None:
    text, _ = outputs(BYTES, 300, seed, f"{ANSWER} 36 bar [{number}] {BEGIN_QUOTE}")
    parsed = parse_answer(text)
    assert parsed.answer == "36 bar" and parsed.quotes[0].number == number
    assert not check_citations(parsed, PASSAGES).unverified


def test_behind_the_answer_an_output_may_end_and_a_number_alone_opens_no_quote() -> None:
    for begun in (f"{ANSWER} 36 bar", f"{ANSWER} 36 bar [1]", f"{ANSWER} 36 bar [1] {BEGIN_QUOTE} 36 bar {END_QUOTE}"):
        scores = torch.zeros(len(BYTES))
        form_behind(begun, "It stops at 36 bar").hold(scores)
        assert bool(scores.isfinite().all()), begun


def test_a_number_amid_words_opens_no_quote() -> None:
    for begun in ("as [1]", "[1] says", f"[1] {BEGIN_QUOTE} The Merrow {END_QUOTE} and [2]"):
        form = form_behind(begun, "The Merrow stops at 36 bar. 2")
        scores = torch.zeros(len(BYTES))
        form.hold(scores)
        assert scores[encode_segments(BYTES, [Segment("x", content=True)])[0]] == 0


def test_quotes_of_a_line_that_is_wrapped_may_be_written_with_a_blank() -> None:
    prompt = passages_prompt("Which?", PASSAGES, PromptStyle.CHAT)
    for joint in ("\n", " "):
        form = AnswerForm(Spelling(BYTES, [END]), prompt, 300, stops_at_answer=False)
        for token in encode_segments(BYTES, [Segment(f"[1] {BEGIN_QUOTE} a minute{joint}on the", content=True)]):
            scores = torch.zeros(len(BYTES))
            form.hold(scores)
            assert scores[token] == 0
            form.advance(token)
        assert form.quoting


def test_what_a_token_writes_is_known_of_byte_level_and_of_sentencepiece_vocabularies() -> None:
    pieces = Pieces.of(BYTES)
    assert pieces is not None
    written = b"".join(pieces.written(token) for token in encode_segments(BYTES, [Segment("ø €\n", content=True)]))
    assert written == "ø €\n".encode()
    assert pieces.written(END) == b""
    decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    other = vocabulary(["\u2581a", "b", "<0xC3>", "12"], decoder, splits=False)
    found = Pieces.of(other)
    assert found is not None
    assert [found.written(token) for token in range(2, 6)] == [b" a", b"b", b"\xc3", b"12"]
    assert sorted(found.beginning(b"x ab", 1)) == [2]
    assert list(found.digits) == [5]


def test_word_pieces_do_not_tell_what_they_write(tiny_mini: Path) -> None:
    from raft.models.tokens import load_tokenizer

    assert Pieces.of(load_tokenizer(str(tiny_mini))) is None


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_random_weights_quote_word_for_word(kind: str, tiny_chat: Callable[[str], Path]) -> None:
    from raft.models.generator import Decoding
    from raft.models.loading import load_generator

    model = load_generator(str(tiny_chat(kind)))
    prompts = [passages_prompt(f"Is it {n}?", PASSAGES, model.style) for n in range(4)]
    for one in model.generate(prompts, Decoding(max_new_tokens=160)):
        parsed = parse_answer(one.text)
        assert not check_citations(parsed, PASSAGES).unverified
