"""Plain text in every script: words, sentences, what counts in comparing, and finding words in their source."""

from raft.text.finding import Source, contains_answer, locate, locate_nearly, may_contain_answer
from raft.text.folding import fold, typed
from raft.text.scoring import (
    VERDICTS,
    exact_match,
    normalise_answer,
    squad_exact_match,
    squad_f1,
    squad_normalise,
    token_f1,
)
from raft.text.sentences import Span, ends_sentence, sentences
from raft.text.words import length, search_terms, words

__all__ = [
    "VERDICTS",
    "Source",
    "Span",
    "contains_answer",
    "ends_sentence",
    "exact_match",
    "fold",
    "length",
    "locate",
    "locate_nearly",
    "may_contain_answer",
    "normalise_answer",
    "search_terms",
    "sentences",
    "squad_exact_match",
    "squad_f1",
    "squad_normalise",
    "token_f1",
    "typed",
    "words",
]
