"""Models that run on this machine through transformers: causal, seq2seq and the embedded default, with adapters."""

from __future__ import annotations

import base64
import copy
import hashlib
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from raft.artifacts import hash_json, versions
from raft.errors import ModelError, TooLongError
from raft.models.calls import Calls, Tokens
from raft.models.choice_scoring import Chooser
from raft.models.engine import Engine, Row, can_run
from raft.models.forms import AnswerForm
from raft.models.generator import Decoding, Generation
from raft.models.hardware import pick_device, pick_dtype, random_state, set_random_state
from raft.models.mini.grammar import Grammar, Output
from raft.models.mini.pointing import Pointing
from raft.models.names import adapter_base, adapter_folder, is_writer
from raft.models.padded import Forms, write_padded
from raft.models.tokens import Codec, codec_of, context_of
from raft.models.tuned import describe_tuned
from raft.models.weights import folder_fingerprint, source_of, weights_fingerprint
from raft.progress import Advance
from raft.prompts import Prompt, PromptStyle

# Padded tokens in one forward pass of the prompt: large enough to keep the cores busy, small enough for 6 GiB.
_BATCH_TOKENS = 12_288
_BATCH_ROWS = 48
# Prompts that the engine is given at once, between two entries in a journal.
_CHUNK = 144


@dataclass
class LoadedModel:
    """Weights with their codec, before or after an adapter was put on."""

    name: str
    model: Any  # a PreTrainedModel, whose own types do not cover what its mixins add
    codec: Codec
    context_tokens: int

    @property
    def attention(self) -> str:
        """By which of transformers' implementations it attends: sdpa or eager."""
        return str(self.model.config._attn_implementation)


def load_model(name: str, dtype: torch.dtype | None = None) -> LoadedModel:
    """Load weights and tokenizer by name. Raises ModelError where there is no such model."""
    import transformers

    # Its configuration is of a class of ours, which transformers knows once it is imported.
    import raft.models.mini.modeling  # noqa: F401

    # Its bars for a second of loading would stand between those of our own display.
    transformers.utils.logging.disable_progress_bar()
    if base := adapter_base(name):
        if is_writer(name):
            raise ModelError(f"{name} writes questions and nothing else: give {base!r} or another model")
        raise ModelError(f"{name} is an adapter: to train it further give it as tune.start and {base!r} as tune.model")
    source = source_of(name)
    device = pick_device()
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
        model: Any = kind.from_pretrained(
            source,
            dtype=dtype or _exact_dtype(config, device),
            # torch's own attention (sdpa), or eager for a class without it: never what a configuration asks for, since
            # whether that is installed would decide what comes out.
            attn_implementation=None,
            # No other format than safetensors, and no code of the model's own: both can run anything when loaded.
            trust_remote_code=False,
            use_safetensors=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model {name!r} cannot be loaded ({reason}): give 'mini', 'smollm2', a local folder, a GGUF file, a hub "
            "name or openai:MODEL@URL"
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return LoadedModel(name, model.to(device).eval(), codec_of(tokenizer, config), context_of(config))


def _exact_dtype(config: Any, device: torch.device) -> torch.dtype:
    """float32 for the embedded model, which is small enough to be held in the fast format beside it."""
    from raft.models.mini.modeling import MiniConfig

    return torch.float32 if isinstance(config, MiniConfig) else pick_dtype(device)


def _with_adapter(name: str, adapter: Path, called: str = "") -> LoadedModel:
    """A model with LoRA matrices merged into its weights, which answers as fast as without them; by another name."""
    from peft import PeftModel

    device = pick_device()
    # On a CPU they are added in float32, where nothing is lost.
    loaded = load_model(name, torch.float32 if device.type == "cpu" else None)
    with without_peft_noise():
        merged = PeftModel.from_pretrained(loaded.model, str(adapter)).merge_and_unload()
    merged.to(_exact_dtype(merged.config, device))
    return LoadedModel(called or name, merged, loaded.codec, loaded.context_tokens)


def _in_format(model: Any, dtype: torch.dtype) -> Any:
    """The model itself where it has this format, else a copy."""
    return model if model.dtype == dtype else copy.deepcopy(model).to(dtype)


@contextmanager
def without_peft_noise() -> Iterator[None]:
    """Hides one warning: peft 0.21 asks transformers for an attribute by its old name, which no user could mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield


class LocalGenerator:
    """A loaded model as a Generator, with an adapter merged in if there is one."""

    def __init__(
        self,
        loaded: LoadedModel,
        variant: str = "",
        calls: Calls | None = None,
        identity: Sequence[str] = (),
    ) -> None:
        """variant: what it was tuned as, such as dsf-cot, which quotes from memory, or raft-no-cot, which never does.

        identity: names the bytes of the weights in the journal of the calls.
        """
        self.name = loaded.name
        self._calls, self._identity = calls or Calls(), identity
        self._chooser = Chooser(loaded.model, loaded.codec.tokenizer)
        self.style = loaded.codec.style
        self._loaded = loaded
        self._grammar = None
        self._fast = loaded.model
        self._pointing: Pointing | None = None
        if self.style is PromptStyle.COMPACT:
            self._fast = _in_format(loaded.model, pick_dtype(loaded.model.device))
            self._pointing = Pointing(loaded.model, self._fast, loaded.codec.tokenizer, cites=variant != "raft-no-cot")
            self._grammar = Grammar(loaded.codec.tokenizer, recalls_quotes=variant == "dsf-cot")
        engine = self.style is not PromptStyle.COMPACT and can_run(loaded.model)
        self._engine = Engine(loaded.model, self._chooser.spelling) if engine else None

    @classmethod
    def load(cls, name: str, adapter: Path | None = None, calls: Calls | None = None) -> LocalGenerator:
        """The model `name`, changed by what `raft tune` left in the folder `adapter`: LoRA matrices or all weights."""
        identity: list[str] = []
        if calls is not None and calls.journal is not None:
            known = [calls.identity] if calls.identity else []
            identity = known or [weights_fingerprint(name), folder_fingerprint(adapter) if adapter else ""]
        if (trained := adapter_folder(name)) and (base := adapter_base(name)):
            return cls(_with_adapter(base, trained, name), calls=calls, identity=identity)
        if adapter is None:
            return cls(load_model(name), calls=calls, identity=identity)
        variant = describe_tuned(adapter).variant
        if not (adapter / "adapter_config.json").exists():
            loaded = load_model(str(adapter))
            return cls(LoadedModel(name, loaded.model, loaded.codec, loaded.context_tokens), variant, calls, identity)
        return cls(_with_adapter(name, adapter), variant, calls, identity)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        encoded = [tuple(self._loaded.codec.prompt_ids(prompt)) for prompt in prompts]
        self._check_lengths(prompts, encoded, decoding)
        made: list[Generation | None] = [None] * len(encoded)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(decoding.seed)
            for batch in self._batches(prompts, encoded, decoding):
                told = _Told(advance)
                written = self._kept(batch, [prompts[group.rows[0]] for group in batch], decoding, told)
                for group, generation in zip(batch, written, strict=True):
                    for row in group.rows:
                        made[row] = generation
                told(sum(len(group.rows) for group in batch) - told.count)
        return [generation for generation in made if generation is not None]

    def _batches(
        self, prompts: Sequence[Prompt], encoded: Sequence[tuple[int, ...]], decoding: Decoding
    ) -> Iterator[list[_Group]]:
        """Equal prompts once, those of like length together; what is read by pointing apart from what is written."""
        choices = [prompt.choices for prompt in prompts]
        groups = _grouped(encoded, choices, merge_equal=decoding.temperature == 0)
        if self._engine is not None:
            yield from (groups[at : at + _CHUNK] for at in range(0, len(groups), _CHUNK))
            return
        for read in (True, False):
            yield from _batches([group for group in groups if self._reads(prompts[group.rows[0]]) == read])

    def _reads(self, prompt: Prompt) -> bool:
        return self._pointing is not None and self._pointing.reads(prompt)

    def _check_lengths(self, prompts: Sequence[Prompt], encoded: Sequence[tuple[int, ...]], decoding: Decoding) -> None:
        written = 0 if self._loaded.codec.seq2seq else decoding.max_new_tokens
        for prompt, ids in zip(prompts, encoded, strict=True):
            length, room = len(ids), self._loaded.context_tokens - written
            # Passages that are read apart only have to fit one by one; labels are weighed behind all of them.
            if self._pointing is not None and self._pointing.reads(prompt) and not prompt.choices:
                length, room = self._pointing.longest_read(ids), self._loaded.context_tokens
            if length > room:
                raise TooLongError(
                    f"a prompt of {length} tokens does not fit {self.name!r}, which has room for {room}: "
                    "show fewer passages (top_k, num_distractors) or index smaller ones (passage_tokens)"
                )

    def _kept(
        self, groups: Sequence[_Group], prompts: Sequence[Prompt], decoding: Decoding, told: Advance
    ) -> list[Generation]:
        """What is written for a batch, or was by an earlier run.

        Sampled words depend on all that was drawn before, and rounding on what stands in the batch: both are part of
        the key, so that a run goes on to the same bits.
        """
        calls, device = self._calls, self._loaded.model.device
        if calls.journal is None:
            return self._paid(groups, prompts, decoding, told)
        asked = [[group.turn, *group.ids] for group in groups]
        before = random_state(device).numpy().tobytes() if decoding.temperature > 0 else b""
        work = [*self._identity, versions(), decoding.recorded, asked, hashlib.sha256(before).hexdigest()]
        if any(prompt.choices for prompt in prompts):
            work.append([prompt.choices for prompt in prompts])
        key = hash_json(work)
        known = calls.known(key, len(groups))
        if known is not None:
            if before:
                drawn = bytearray(base64.b64decode(known["random_state"]))
                set_random_state(device, torch.frombuffer(drawn, dtype=torch.uint8))
            return [Generation.restored(one) for one in known["written"]]
        written = self._paid(groups, prompts, decoding, told)
        after = random_state(device).numpy().tobytes() if before else b""
        calls.keep(key, {"written": [asdict(one) for one in written], "random_state": base64.b64encode(after).decode()})
        return written

    def _paid(
        self, groups: Sequence[_Group], prompts: Sequence[Prompt], decoding: Decoding, told: Advance
    ) -> list[Generation]:
        """One batch within the limits of the calls."""
        read = sum(len(group.ids) for group in groups)
        most = Tokens(read, len(groups) * decoding.max_new_tokens)
        self._calls.spending.reserve(len(groups), most)
        used = most
        try:
            written = self._write(groups, prompts, decoding, told)
            used = Tokens(read, sum(one.completion_tokens or 0 for one in written))
            return written
        finally:
            self._calls.spending.pay(most, used)

    def _write(
        self, groups: Sequence[_Group], prompts: Sequence[Prompt], decoding: Decoding, told: Advance
    ) -> list[Generation]:
        if self._pointing is not None and self._pointing.reads(prompts[0]):
            pointed = self._pointing.answer(prompts, [group.ids for group in groups], decoding.max_new_tokens)
            rows = zip(pointed, groups, prompts, strict=True)
            return [self._chooser.behind_quote(one, group.ids, prompt.choices) for one, group, prompt in rows]
        return self._continue(groups, prompts, decoding, told)

    def _continue(
        self, groups: Sequence[_Group], prompts: Sequence[Prompt], decoding: Decoding, told: Advance
    ) -> list[Generation]:
        began = time.perf_counter()
        codec, forms = self._loaded.codec, self._forms(groups, prompts, decoding)
        if self._engine is not None:
            rows = [
                Row(group.ids, form if isinstance(form, AnswerForm) else None, _draws(group, decoding), stop)
                for group, form, stop in zip(groups, forms, map(self._stop, prompts), strict=True)
            ]
            self._engine.write(rows, decoding, told)
            written = [row.result for row in rows]
        else:
            # Drafts are drawn by chance and checked; an answer must not hang on the machine that it is given on.
            model = self._fast if decoding.temperature > 0 else self._loaded.model
            written = write_padded(model, codec, [group.ids for group in groups], decoding, forms)
        seconds = (time.perf_counter() - began) / len(groups)
        made = []
        for group, prompt, form, one in zip(groups, prompts, forms, written, strict=True):
            text, count = codec.decode(one.tokens), len(one.tokens)
            lines = codec.lines_of(one.tokens, one.logs) if prompt.listed and one.logs else ()
            said = Generation(text, seconds, len(group.ids), count, one.likelihood, lines=lines)
            if prompt.choices:
                before = None if one.answered is None else one.tokens[: one.answered]
                cites = isinstance(form, Output) and form.must_cite
                offered = self._chooser.offered(prompt.choices, may_refuse=not cites)
                said = self._chooser.chosen(said, group.ids, before, offered, one.answered or 0)
            made.append(said)
        return made

    def _stop(self, prompt: Prompt) -> Callable[[Sequence[int]], bool] | None:
        """What tells that a reply is complete before the model ends it; a choice may stand behind the first line."""
        return self._loaded.codec.line_ended if prompt.one_line and not prompt.choices else None

    def _forms(self, groups: Sequence[_Group], prompts: Sequence[Prompt], decoding: Decoding) -> Forms:
        """What is known of each output while it is written: its form, for `mini`, or how it quotes and answers."""
        room, spelling = decoding.max_new_tokens, self._chooser.spelling
        held = [self._chooser.spelt(prompt.choices) is not None for prompt in prompts]
        if self._grammar is not None:
            said = [prompt if one else replace(prompt, choices=()) for prompt, one in zip(prompts, held, strict=True)]
            spare = room - Decoding().max_new_tokens
            pairs = zip(said, groups, strict=True)
            return [self._grammar.output(prompt, group.turn, spare) for prompt, group in pairs]
        return [
            AnswerForm(spelling, prompt, room, stops_at_answer=one)
            if one or (prompt.passages and spelling.can_mark)
            else None
            for prompt, one in zip(prompts, held, strict=True)
        ]


def _draws(group: _Group, decoding: Decoding) -> torch.Generator | None:
    """The random numbers of one text, by its prompt and turn alone."""
    if decoding.temperature == 0:
        return None
    seed = hashlib.sha256(repr((decoding.seed, group.turn, group.ids)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(seed[:8], "big") >> 1)


class _Told:
    """Passes on how much is done, and counts it."""

    def __init__(self, advance: Advance | None) -> None:
        self._advance, self.count = advance, 0

    def __call__(self, done: int) -> None:
        self.count += done
        if self._advance is not None and done:
            self._advance(done)


@dataclass(frozen=True)
class _Group:
    """One encoded prompt, the rows that asked for it, and how often it is written to anew before."""

    ids: tuple[int, ...]
    turn: int = 0
    rows: list[int] = field(default_factory=list)


def _grouped(
    encoded: Sequence[tuple[int, ...]], choices: Sequence[tuple[str, ...]], *, merge_equal: bool
) -> list[_Group]:
    """Prompts by length, equal ones with equal choices once where the answer must be the same."""
    groups: dict[tuple[tuple[int, ...], tuple[str, ...], int], _Group] = {}
    given: Counter[tuple[tuple[int, ...], tuple[str, ...]]] = Counter()
    for row, asked in enumerate(zip(encoded, choices, strict=True)):
        turn = 0 if merge_equal else given[asked]
        given[asked] += 1
        groups.setdefault((*asked, turn), _Group(asked[0], turn)).rows.append(row)
    return sorted(groups.values(), key=lambda group: (len(group.ids), group.ids, group.rows))


def _batches(groups: Sequence[_Group]) -> Iterator[list[_Group]]:
    """Runs of like length under the padded-token budget; `groups` come shortest first."""
    batch: list[_Group] = []
    for group in groups:
        if batch and (len(batch) == _BATCH_ROWS or len(group.ids) * (len(batch) + 1) > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch
