"""Questions that somebody brings along: read from the usual formats, written as JSON Lines, tied to an index."""

from raft.questions.evidence import settle_evidence
from raft.questions.oracles import (
    EvidencePools,
    evidence_pools,
    find_evidence,
    find_oracle,
    right_passages,
    says_answer,
)
from raft.questions.question_file import QuestionFile, read_question_file, read_questions
from raft.questions.rows import LeftOut, question_row
from raft.questions.stratified import stratified

__all__ = [
    "EvidencePools",
    "LeftOut",
    "QuestionFile",
    "evidence_pools",
    "find_evidence",
    "find_oracle",
    "question_row",
    "read_question_file",
    "read_questions",
    "right_passages",
    "says_answer",
    "settle_evidence",
    "stratified",
]
