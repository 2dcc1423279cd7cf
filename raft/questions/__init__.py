"""Questions that somebody brings along: read from the usual formats, written as JSON Lines, tied to an index."""

from raft.questions.evidence import settle_evidence
from raft.questions.reading import QuestionFile, read_question_file, read_questions
from raft.questions.rows import LeftOut, question_row

__all__ = ["LeftOut", "QuestionFile", "question_row", "read_question_file", "read_questions", "settle_evidence"]
