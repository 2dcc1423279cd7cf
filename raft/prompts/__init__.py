"""The only place where questions and passages become text: for training, evaluation and serving alike.

A prompt is a sequence of segments. Template segments are ours and may hold control tokens; content segments come from
the user's documents and questions and are tokenised apart, so that nothing in them can become a control token.
"""

from raft.prompts.answers import (
    WorkedExample,
    closed_book_prompt,
    explain_prompt,
    few_shot_prompt,
    passages_prompt,
    prompt_fingerprint,
    read_passages_prompt,
    shown_texts,
)
from raft.prompts.form import (
    ANSWER,
    ASK,
    BEGIN_QUOTE,
    CONTROL_TOKENS,
    END_QUOTE,
    PASSAGE_NUMBERS,
    QUESTION,
    READ,
    RECALL,
    REFUSAL,
    Prompt,
    PromptStyle,
    Segment,
    Showable,
    Turn,
    joined,
)
from raft.prompts.questions import (
    PARAPHRASE_SCHEMA,
    QUESTION_SCHEMA,
    ask_kind_prompt,
    ask_prompt,
    judge_prompt,
    paraphrase_prompt,
)
from raft.prompts.targets import (
    CitedQuote,
    explained_target,
    plain_target,
    question_target,
    reasoned_target,
)
from raft.prompts.variants import PromptVariant

__all__ = [
    "ANSWER",
    "ASK",
    "BEGIN_QUOTE",
    "CONTROL_TOKENS",
    "END_QUOTE",
    "PARAPHRASE_SCHEMA",
    "PASSAGE_NUMBERS",
    "QUESTION",
    "QUESTION_SCHEMA",
    "READ",
    "RECALL",
    "REFUSAL",
    "CitedQuote",
    "Prompt",
    "PromptStyle",
    "PromptVariant",
    "Segment",
    "Showable",
    "Turn",
    "WorkedExample",
    "ask_kind_prompt",
    "ask_prompt",
    "closed_book_prompt",
    "explain_prompt",
    "explained_target",
    "few_shot_prompt",
    "joined",
    "judge_prompt",
    "paraphrase_prompt",
    "passages_prompt",
    "plain_target",
    "prompt_fingerprint",
    "question_target",
    "read_passages_prompt",
    "reasoned_target",
    "shown_texts",
]
