"""What a user does not want is turned away, and nothing else."""

from pathlib import Path

import pytest

from raft.artifacts import read_jsonl
from raft.errors import InputError
from raft.examples.composing import Candidate, Reason
from raft.examples.content_filters import is_foreign, unwanted
from raft.recipe import ExampleSettings, Language
from raft.types import Passage, Question

SKERRIVANE = Path(__file__).parents[2] / "corpora" / "skerrivane"


def candidate(question: str, *answers: str, passage: str = "") -> Candidate:
    oracle = Passage("p", "d", "", passage, 0, len(passage)) if passage else None
    return Candidate(Question("q", question, answers), oracle, {})


def test_personal_data_in_question_or_answer_is_turned_away_on_request_only() -> None:
    mail = candidate("Whom do I write to?", "office@example.org")
    check = unwanted(ExampleSettings(drop_personal=True))
    assert check(mail) is Reason.PERSONAL
    assert check(candidate("Whose number is 4000 1234 5678 9010 or +44 20 7946 0123?", "the office")) is Reason.PERSONAL
    assert check(candidate("When does it open?", "at 10:30 on 3 May 2019")) is None
    assert unwanted(ExampleSettings())(mail) is None


def test_words_of_a_list_are_found_whole_whatever_their_case(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# not in our data\nnitwit\n\nold fool\n", encoding="utf-8")
    check = unwanted(ExampleSettings(blocked_words=str(path)))
    assert check(candidate("Who is the Nitwit?", "Ilse")) is Reason.BLOCKED
    assert check(candidate("Who is it?", "the Old  Fool")) is Reason.BLOCKED
    assert check(candidate("Who are the nitwits of old?", "fools")) is None


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read"), (b"# nothing\n", "holds no words"), (b"\xff\xfe\xff", "be read")]
)
def test_a_list_without_words_is_an_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        unwanted(ExampleSettings(blocked_words=str(path)))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Die Pumpe wird alle zwei Wochen von dem Lehrling geschmiert und danach nicht mehr benutzt.", "de"),
        ("La pompe est graissée toutes les deux semaines par l'apprenti et elle ne sert plus après.", "fr"),
        ("La bomba se engrasa cada dos semanas por el aprendiz y después no se usa más en el barco.", "es"),
        ("De pomp wordt om de twee weken door de leerling gesmeerd en daarna niet meer gebruikt.", "nl"),
        ("Насос смазывает ученик каждые две недели, и потом его больше не трогают.", "ru"),  # noqa: RUF001
        ("The pump is greased every two weeks by the apprentice and then it is not used any more.", "en"),
    ],
)
def test_a_sentence_is_foreign_in_every_language_but_its_own(text: str, language: str) -> None:
    others = [Language(name) for name in ("de", "fr", "es", "nl", "ru", "en") if name != language]
    assert not is_foreign(text, Language(language))
    assert all(is_foreign(text, other) for other in others)


def test_what_is_short_or_full_of_names_is_kept_and_another_script_is_not() -> None:
    for text in ("Die Welt?", "36 bar", "Who read Die Welt und Der Spiegel?", "La Boca?"):
        assert not is_foreign(text, Language.ENGLISH)
    assert is_foreign("ポンプはいつ止まりますか", Language.ENGLISH)


def test_no_question_of_our_english_corpus_is_foreign() -> None:
    questions = [row["question"] for _, row in read_jsonl(SKERRIVANE / "questions.jsonl")]
    assert [question for question in questions if is_foreign(question, Language.ENGLISH)] == []


def test_the_passage_is_looked_at_too_since_a_question_alone_is_short() -> None:
    check = unwanted(ExampleSettings(language=Language.ENGLISH))
    german = "Die Pumpe wird alle zwei Wochen von dem Lehrling geschmiert und danach nicht mehr benutzt."
    assert check(candidate("Merrow 45?", "Lehrling", passage=german)) is Reason.LANGUAGE
    assert check(candidate("Merrow 45?", "apprentice", passage="It is greased by the apprentice.")) is None
