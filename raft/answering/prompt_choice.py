"""Which prompt an untuned model is asked with: the one asked for, the one chosen for it, or the shipped default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from raft.artifacts import Stage, stage_of, verified
from raft.errors import ArtifactError, InputError, ModelError
from raft.models.names import MINI, adapter_base, is_endpoint, public_name
from raft.models.weights import weights_fingerprint
from raft.prompts import PromptStyle, PromptVariant

# The folder beside an index in which `raft run` leaves its choice, and the file in it.
PROMPTS, CHOICE = "prompts", "prompts.json"
# Validation questions: enough to tell a prompt that suits a model from one that does not, in a minute or two.
MOST_QUESTIONS = 60


@dataclass(frozen=True, slots=True)
class TriedPrompt:
    """One prompt as it did on the validation questions, 0 to 1, and as it reads around placeholders."""

    f1: float
    exact_match: float
    squad_f1: float
    with_passages: str
    from_memory: str


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """The contents of `prompts.json`: how an untuned model did with each prompt, and the one that suits it best.

    questions: how many it was asked with each; none where the validation split has none, and then nothing was tried.
    """

    base_model: str
    chosen: PromptVariant
    questions: int
    tried: Mapping[PromptVariant, TriedPrompt]


@dataclass(frozen=True, slots=True)
class FoundChoice:
    """A choice with the folder that holds it and the digest of that folder's manifest."""

    choice: PromptChoice
    folder: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Wording:
    """The prompt of one model; why: what decided that, empty for a model that knows no other."""

    variant: PromptVariant = PromptVariant.QUOTE
    why: str = ""


# Of tuned models, and of those of the compact style.
ONLY = Wording()
_CHOICE = TypeAdapter(PromptChoice)


def variants_of(model: str) -> tuple[PromptVariant, ...]:
    """The prompts that an untuned model can be asked with, the shipped default first; none where it has one wording, as
    an adapter has that of its training.

    Loads the tokenizer of a model on this machine. One that cannot be read has none either: whoever loads it says why,
    unless it comes from a loader of the user's own.
    """
    if model == MINI or adapter_base(model):
        return ()
    if is_endpoint(model):
        # A server may take an assistant's last message for a finished one.
        return _first(PromptVariant.QUOTE, [one for one in PromptVariant if one is not PromptVariant.BEGUN])
    from raft.models.tokens import load_codec

    try:
        codec, _ = load_codec(model)
    except ModelError:
        return ()
    if codec.style is PromptStyle.COMPACT:
        return ()
    if codec.tokenizer.chat_template:
        return _first(PromptVariant.BEGUN, tuple(PromptVariant))
    # A model that only goes on with texts follows examples; one that turns one text into another, an instruction.
    return _first(PromptVariant.SHORT if codec.seq2seq else PromptVariant.WORKED, tuple(PromptVariant))


def _first(default: PromptVariant, others: Sequence[PromptVariant]) -> tuple[PromptVariant, ...]:
    return (default, *(one for one in others if one is not default))


def wording_of(model: str, asked: str, found: FoundChoice | None) -> Wording:
    """How an untuned model is asked. asked: `answer.prompt`. found: what was chosen for this model.

    Raises InputError where the model cannot be asked so.
    """
    variants = variants_of(model)
    if not variants:
        return ONLY
    if asked:
        if asked not in variants:
            raise InputError(
                f"answer.prompt is '{asked}', but the reply of {model} cannot be begun behind its endpoint: set it to "
                f"{' or '.join(variants)}"
            )
        return Wording(PromptVariant(asked), "as answer.prompt says")
    if found is not None and found.choice.questions:
        count = found.choice.questions
        return Wording(found.choice.chosen, f"chosen on {count} validation question{'s' * (count != 1)}")
    return Wording(variants[0], "the default")


def find_choice(
    asked: Path | None, index_dir: Path, index_digest: str, model: str, weights: str = ""
) -> FoundChoice | None:
    """The choice for this index and this untuned model: in the folder asked for, else in one beside the index.

    weights: the fingerprint of the model's, where that is known; of a large model it takes a while. Raises
    ArtifactError where a choice is damaged, or the folder asked for holds none for this index and this model; one that
    nobody asked for is then left alone.
    """
    folder = asked or index_dir.absolute().parent / PROMPTS
    if asked is None and (model == MINI or stage_of(folder) is not Stage.PROMPTS):
        return None
    manifest = verified(folder, Stage.PROMPTS)
    try:
        choice = _CHOICE.validate_json((folder / CHOICE).read_bytes())
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{folder / CHOICE} names no prompt ({reason}): run `raft run` again") from error
    weights = weights or weights_fingerprint(model)
    if manifest.inputs["index"] != index_digest:
        made_for = f"for index {manifest.inputs['index'][:8]}, but this index is {index_digest[:8]}"
    elif manifest.inputs["base model"] != weights:
        made_for = (
            f"for {choice.base_model} ({manifest.inputs['base model'][:8]}), but the untuned model is "
            f"{public_name(model)} ({weights[:8]})"
        )
    else:
        return FoundChoice(choice, folder, manifest.digest)
    if asked is None:
        return None
    raise ArtifactError(
        f"{folder} was made {made_for}: give the prompts that were chosen for it, or leave out --prompts"
    )
