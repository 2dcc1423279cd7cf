"""The embedded model's reader: one distribution over spans and none, learnt from rows, the same in any order."""

import copy
import math
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
import torch

from raft.models.generator import Decoding
from raft.models.local import LoadedModel, LocalGenerator, load_model
from raft.models.mini import pointing
from raft.models.mini.pointing import Pointing
from raft.models.mini.span_reading import (
    Bounds,
    Form,
    Lesson,
    Pair,
    Scores,
    Span,
    best_reading,
    lesson_of,
    pairs_of,
    reading_loss,
)
from raft.outputs import parse_answer
from raft.prompts import (
    REFUSAL,
    CitedQuote,
    WorkedExample,
    few_shot_prompt,
    passages_prompt,
    plain_target,
    reasoned_target,
)
from raft.tune.encoding import Collator, EncodedRow
from raft.types import ShownPassage

FORM = Form(read=1, begin_quote=2, end_quote=3, answer=4, passages=(5, 6, 7), refusal=(90, 91), verdicts=(32,))
END = 9
# <READ> what ? [1] a b a c [2] d e
PROMPT = [1, 20, 21, 5, 30, 31, 30, 32, 6, 40, 41]


@pytest.fixture(scope="module")
def loaded(tiny_mini: Path) -> LoadedModel:
    return load_model(str(tiny_mini), torch.float32)


def shown(*texts: str) -> list[ShownPassage]:
    return [ShownPassage(str(n), "d", "A title" if n % 2 else "", text, False) for n, text in enumerate(texts)]


def scores(length: int, seed: int) -> Scores:
    made = torch.Generator().manual_seed(seed)
    return Scores(*(torch.randn(length, generator=made) for _ in range(4)))


def bounds(length: int, longest: int = 100) -> Bounds:
    everywhere = torch.ones(length, dtype=torch.bool)
    return Bounds(everywhere, everywhere, longest, 100)


def test_each_passage_stands_with_the_question_alone_and_as_the_first() -> None:
    assert pairs_of(PROMPT, FORM) == [Pair([1, 20, 21, 5, 30, 31, 30, 32], 4), Pair([1, 20, 21, 5, 40, 41], 4)]
    assert pairs_of([8, 20, 5, 30], FORM) == []
    assert pairs_of([1, 20, 21], FORM) == []


def test_of_worked_examples_the_last_question_is_read() -> None:
    assert pairs_of([1, 50, 5, 60, 4, 60, *PROMPT], FORM) == pairs_of(PROMPT, FORM)


def test_a_row_teaches_the_answer_inside_its_quote() -> None:
    quoted = [5, 2, 31, 30, 32, 3, 4, 30, END]
    assert lesson_of(PROMPT, quoted, FORM) == Lesson(pairs_of(PROMPT, FORM), [Span(0, 6, 6)], Span(0, 5, 7))


def test_without_a_quote_any_place_will_do() -> None:
    lesson = lesson_of(PROMPT, [4, 30, END], FORM)
    assert lesson is not None
    assert lesson.answers == [Span(0, 4, 4), Span(0, 6, 6)] and lesson.quote is None


@pytest.mark.parametrize(
    "quoted",
    [[7, 2, 31, 3], [6, 2, 30, 3], [5, 2, 31, 31, 3], [5, 2, 31], [2, 31, 3]],
    ids=["no such passage", "words of another", "words of none", "not closed", "not named"],
)
def test_a_quote_that_is_none_is_passed_over(quoted: list[int]) -> None:
    lesson = lesson_of(PROMPT, [*quoted, 4, 31, END], FORM)
    assert lesson is not None
    assert lesson.answers == [Span(0, 5, 5)] and lesson.quote is None


def test_a_refusal_is_learnt_and_what_cannot_be_pointed_at_is_not() -> None:
    refusal = lesson_of(PROMPT, [4, 90, 91, END], FORM)
    assert refusal is not None and refusal.answers == []
    assert lesson_of(PROMPT, [4, 77, END], FORM) is None
    assert lesson_of([1, 20, 21], [4, 30, END], FORM) is None
    assert lesson_of(PROMPT, [4, 32, END], FORM) is None


def test_the_choices_are_one_distribution() -> None:
    """The chances of all spans of all passages and of refusing add up to one, by the loss of teaching each."""
    both = [scores(5, 0), scores(3, 1)]
    pairs = [Pair([0] * len(one.first), 0) for one in both]
    spans = [
        Span(n, a, b) for n, one in enumerate(both) for a in range(len(one.first)) for b in range(a, len(one.first))
    ]
    losses = [reading_loss(both, Lesson(pairs, [span], None)) for span in spans]
    losses.append(reading_loss(both, Lesson(pairs, [], None)))
    assert float(torch.stack(losses).neg().exp().sum()) == pytest.approx(1.0, abs=1e-5)
    together = reading_loss(both, Lesson(pairs, spans, None))
    assert float(together) == pytest.approx(-math.log1p(-math.exp(-float(losses[-1]))), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_likeliest_span_is_said_with_its_chance(seed: int) -> None:
    both = [scores(6, seed), scores(4, seed + 50)]
    pairs = [Pair([0] * len(one.first), 0) for one in both]
    reading = best_reading(both, [bounds(6), bounds(4)], refusal_bias=-100.0)
    spans = [
        Span(n, a, b) for n, one in enumerate(both) for a in range(len(one.first)) for b in range(a, len(one.first))
    ]
    losses = {span: float(reading_loss(both, Lesson(pairs, [span], None))) for span in spans}
    assert reading.answer == min(losses, key=lambda span: losses[span])
    assert reading.log_probability == pytest.approx(-min(losses.values()), abs=1e-5)
    assert reading.quote is not None and reading.answer is not None
    assert reading.quote.first <= reading.answer.first and reading.answer.last <= reading.quote.last
    best, second = sorted(losses.values())[:2]
    assert 0 <= reading.margin <= second - best + 1e-5


def test_the_margin_is_that_of_the_closest_decision() -> None:
    one = Scores(*torch.tensor([[3.0, -9, -9], [0, 5, 0], [2, 0, 0], [0, 4, 1]]))
    everywhere = bounds(3)
    # Refusing at the log-odds of answering less a tenth; then another answer, and another end of the quote.
    answering = float(one.first.logsumexp(0))
    assert best_reading([one], [everywhere], answering - 0.1).margin == pytest.approx(0.1, abs=1e-4)
    assert best_reading([one], [everywhere], answering + 0.2).margin == pytest.approx(0.2, abs=1e-4)
    assert best_reading([one], [everywhere], -50.0).margin == pytest.approx(3.0, abs=1e-4)
    unsure = one._replace(last=torch.tensor([0.0, 5.0, 4.5]))
    assert best_reading([unsure], [everywhere], -50.0).margin == pytest.approx(0.5, abs=1e-4)


def test_it_refuses_where_none_is_likelier_than_any() -> None:
    low = Scores(torch.full((4,), -5.0), *scores(4, 3)[1:])
    refused = best_reading([low], [bounds(4)], refusal_bias=0.0)
    assert refused.answer is None
    assert refused.log_probability == pytest.approx(-math.log1p(4 * math.exp(-5)), abs=1e-5)
    assert best_reading([low], [bounds(4)], refusal_bias=-10.0).answer is not None


def test_what_little_chance_many_passages_have_does_not_add_up_to_an_answer() -> None:
    """Each passage alone is answered from at these odds, and eight alike are refused, as the best of eight is luck."""
    little = Scores(torch.full((4,), -1.3), *scores(4, 3)[1:])
    assert best_reading([little], [bounds(4)], refusal_bias=0.0).answer is not None
    assert best_reading([little] * 8, [bounds(4)] * 8, refusal_bias=0.0).answer is None
    clear = Scores(torch.full((4,), math.log(8 / 4) + 0.1), *scores(4, 3)[1:])
    assert best_reading([*[little] * 7, clear], [bounds(4)] * 8, refusal_bias=0.0).answer is not None
    barely = clear._replace(first=clear.first - 0.2)
    assert best_reading([*[little] * 7, barely], [bounds(4)] * 8, refusal_bias=0.0).answer is None


def test_spans_keep_to_their_bounds() -> None:
    begins, ends = torch.tensor([True, False, False, False]), torch.tensor([False, False, True, True])
    reading = best_reading([scores(4, 4)], [Bounds(begins, ends, 3, 4)], refusal_bias=-100.0)
    assert reading.answer == Span(0, 0, 2)
    nothing = best_reading([scores(4, 4)], [Bounds(begins, ~ends & begins, 0, 4)], refusal_bias=-100.0)
    assert nothing.answer is None


def test_the_order_of_passages_changes_nothing(loaded: LoadedModel) -> None:
    reader = LocalGenerator(loaded)
    texts = ["Bolts are steel.", "The pump stops at 45 bar.", "Paint dries in two days in the sun."]
    said = {
        (parse_answer(made.text).answer, round(made.likelihood or 0.0, 4))
        for order in permutations(texts)
        for made in reader.generate(
            [passages_prompt("When?", [ShownPassage("p", "d", "", text, False) for text in order], reader.style)],
            Decoding(logprobs=True),
        )
    }
    assert len(said) == 1


def test_words_are_said_as_the_passage_has_them(loaded: LoadedModel) -> None:
    reader = LocalGenerator(loaded)
    text = "Café Zürich opened on 1,200 days; Ms. O'Neill-Smith paid €45.50."
    [made] = reader.generate([passages_prompt("Who?", shown(text), reader.style)], Decoding())
    parsed = parse_answer(made.text)
    assert parsed.answer in text and parsed.answer and parsed.quotes[0].text in text
    assert parsed.answer in parsed.quotes[0].text


def test_a_model_tuned_to_plain_answers_writes_no_quote(loaded: LoadedModel) -> None:
    prompt = passages_prompt("Who?", shown("Ann paid."), LocalGenerator(loaded).style)
    [cited] = LocalGenerator(loaded).generate([prompt], Decoding())
    [plain] = LocalGenerator(loaded, "raft-no-cot").generate([prompt], Decoding())
    assert parse_answer(cited.text).quotes and not parse_answer(plain.text).quotes
    assert parse_answer(cited.text).answer == parse_answer(plain.text).answer


def test_worked_examples_are_not_read(loaded: LoadedModel) -> None:
    reader = LocalGenerator(loaded)
    asked = passages_prompt("Who?", shown("Ann paid."), reader.style)
    worked = WorkedExample("When?", shown("On Monday."), plain_target("Monday"), "Monday")
    shot = few_shot_prompt([worked], "Who?", shown("Ann paid."), reader.style)
    assert [one.text for one in reader.generate([asked, shot], Decoding())] == [
        reader.generate([asked], Decoding())[0].text
    ] * 2


def test_rows_are_learnt_through_the_collator(tiny_mini: Path) -> None:
    """Reading, refusing and writing rows in one batch: each gets likelier, and reading comes out right."""
    loaded = load_model(str(tiny_mini), torch.float32)
    style, codec, model = loaded.codec.style, loaded.codec, loaded.model
    passages = shown("Bolts are steel.", "The pump stops at 45 bar.")
    asked = passages_prompt("When does it stop?", passages, style)
    rows = [
        (asked, reasoned_target([CitedQuote(2, "stops at 45 bar")], "45 bar")),
        (passages_prompt("Who paints?", passages[:1], style), plain_target(REFUSAL)),
        (passages_prompt("Is it steel?", passages[:1], style), plain_target("yes")),
    ]
    encoded = [EncodedRow(codec.prompt_ids(prompt), codec.target_ids(target)) for prompt, target in rows]
    batch = Collator(loaded)(encoded)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    torch.manual_seed(0)
    first = model(**batch).loss.item()
    for _ in range(30):
        optimiser.zero_grad()
        loss = model(**batch, num_items_in_batch=int((batch["labels"] != -100).sum())).loss
        loss.backward()
        optimiser.step()
    model.eval()
    assert model(**batch).loss.item() < first / 4
    said = LocalGenerator(loaded).generate([asked, rows[1][0]], Decoding())
    assert parse_answer(said[0].text).answer == "45 bar" and parse_answer(said[0].text).quotes[0].number == 2
    assert parse_answer(said[1].text).abstained


def test_what_a_rough_format_leaves_in_doubt_is_read_again(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["bolts", "pumps", "paint", "steel", "water", "rope", "yard", "stops", "dries", "holds", "at", "of", "two"]
    draw = Random(0)
    texts = [" ".join(draw.choices(words, k=60)).capitalize() + "." for _ in range(40)]
    prompts = [
        passages_prompt("What stops the pump?", shown(*texts[at : at + 2]), loaded.codec.style) for at in range(39)
    ]
    ids = [loaded.codec.prompt_ids(prompt) for prompt in prompts]

    def said(rough: torch.dtype) -> list[str]:
        fast = copy.deepcopy(loaded.model).to(rough)
        reader = Pointing(loaded.model, loaded.model if rough == torch.float32 else fast, loaded.codec.tokenizer)
        return [one.text for one in reader.answer(prompts, ids, 64)]

    exact = said(torch.float32)
    assert said(torch.bfloat16) == exact
    monkeypatch.setattr(pointing, "_SURE", 0.0)
    assert said(torch.bfloat16) != exact
