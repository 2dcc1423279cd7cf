"""Tuning: the right rows, loss on targets alone, equal budgets, adapters that answer when they are loaded again."""

import json
import re
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from listening import Listener
from peft import LoraConfig, PeftModel, get_peft_model

from raft.artifacts import Stage, read_jsonl, verified
from raft.errors import ArtifactError, InputError, ModelError
from raft.examples.training_rows import read_rows
from raft.models.generator import Decoding
from raft.models.loading import load_generator
from raft.models.local import load_model
from raft.models.tuned import read_tuned
from raft.prompts import BEGIN_QUOTE, PromptStyle, closed_book_prompt, joined
from raft.recipe import Targets, TuneSettings, TuningMethod
from raft.tune import model_fingerprint, tune
from raft.tune.encoding import IGNORED, Collator, encode_rows
from raft.tune.training import save_adapter
from raft.types import VARIANTS


@pytest.fixture(scope="module")
def settings(tiny_mini: Path) -> TuneSettings:
    return TuneSettings(
        model=str(tiny_mini), num_train_epochs=2, per_device_train_batch_size=4, learning_rate=0.01, r=4
    )


def test_both_methods_learn_from_the_same_questions(examples: Path) -> None:
    path = examples / "train.jsonl"
    raft, dsf = (read_rows(path, method, PromptStyle.COMPACT) for method in TuningMethod)
    assert [row.id for row in raft] == [row.id for row in dsf]
    for on_disk, with_passages, alone in zip(read_jsonl(path), raft, dsf, strict=True):
        row = on_disk[1]
        assert joined(with_passages.target) == row["target"]
        assert all(passage["text"] in with_passages.prompt.text for passage in row["passages"])
        assert alone.prompt == closed_book_prompt(row["question"], PromptStyle.COMPACT)
        assert not any(passage["text"] in alone.prompt.text for passage in row["passages"])


def test_the_ablations_swap_the_targets_and_nothing_else(examples: Path) -> None:
    path = examples / "train.jsonl"
    dsf, dsf_cot, raft_no_cot, raft = (read_rows(path, name, PromptStyle.COMPACT) for name in VARIANTS)
    assert [row.prompt for row in dsf_cot] == [row.prompt for row in dsf]
    assert [row.prompt for row in raft_no_cot] == [row.prompt for row in raft]
    quoted = [row for row in raft if BEGIN_QUOTE in joined(row.target)]
    assert quoted
    for plain, reasoned, bare, full in zip(dsf, dsf_cot, raft_no_cot, raft, strict=True):
        assert BEGIN_QUOTE not in joined(plain.target) + joined(bare.target)
        if full in quoted:
            assert reasoned.target == full.target
            assert bare.target == plain.target


@pytest.mark.parametrize(("method", "targets", "name"), [("dsf", "reasoned", "dsf-cot"), ("raft", "own", "raft")])
def test_a_model_says_which_targets_it_learnt(
    method: str, targets: str, name: str, examples: Path, settings: TuneSettings, tmp_path: Path
) -> None:
    chosen = settings.model_copy(update={"targets": Targets(targets), "num_train_epochs": 1})
    manifest = tune(examples, tmp_path / "model", TuningMethod(method), chosen)
    assert read_tuned(tmp_path / "model").variant == name
    assert manifest.settings["targets"] == targets


def test_a_row_whose_target_was_changed_by_hand_is_refused(examples: Path, tmp_path: Path) -> None:
    row = next(read_jsonl(examples / "train.jsonl"))[1]
    (tmp_path / "train.jsonl").write_text(json.dumps({**row, "target": "<ANSWER>: something else"}) + "\n")
    with pytest.raises(ArtifactError, match="line 1: the target does not follow"):
        read_rows(tmp_path / "train.jsonl", TuningMethod.RAFT, PromptStyle.COMPACT)


@pytest.mark.parametrize("method", TuningMethod)
def test_the_labels_are_the_whole_target_and_nothing_of_the_prompt(
    method: TuningMethod, examples: Path, tiny_mini: Path
) -> None:
    loaded = load_model(str(tiny_mini), torch.float32)
    rows = read_rows(examples / "train.jsonl", method, PromptStyle.COMPACT)
    batch = Collator(loaded)(encode_rows(rows, loaded))
    for row, ids, labels in zip(rows, batch["input_ids"], batch["labels"], strict=True):
        learnt = ids[labels != IGNORED]
        assert learnt.tolist() == loaded.codec.target_ids(row.target)
    assert torch.equal(batch["token_type_ids"], (batch["labels"] != IGNORED).long())


def test_a_row_that_does_not_fit_is_an_error_and_never_cut(examples: Path, tiny_mini: Path) -> None:
    loaded = load_model(str(tiny_mini), torch.float32)
    loaded.context_tokens = 20
    with pytest.raises(ModelError, match=r"and '.*tiny-mini' holds 20"):
        encode_rows(read_rows(examples / "train.jsonl", TuningMethod.RAFT, PromptStyle.COMPACT), loaded)


def test_both_methods_take_the_same_number_of_steps(examples: Path, settings: TuneSettings, tmp_path: Path) -> None:
    rows = sum(1 for _ in read_jsonl(examples / "train.jsonl"))
    for method in TuningMethod:
        tune(examples, tmp_path / method, method, settings)
    raft, dsf = (read_tuned(tmp_path / method) for method in TuningMethod)
    assert raft.steps == dsf.steps == -(-rows // 4) * 2
    assert raft.document_ids == dsf.document_ids


@pytest.mark.parametrize(("full", "rate"), [(False, 0.03), (True, 0.01)])
def test_training_lowers_the_loss_and_the_saved_model_answers_as_trained(
    full: bool, rate: float, unvalidated: Path, settings: TuneSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing keeps the models to the form here: what form there is, the weights have learnt.
    monkeypatch.setattr("raft.models.local.Grammar", lambda *arguments, **named: None)
    longer = {"full": full, "num_train_epochs": 100, "learning_rate": rate, "alpha": 32}
    listener = Listener()
    tune(unvalidated, tmp_path / "model", TuningMethod.DSF, settings.model_copy(update=longer), progress=listener)
    assert re.fullmatch(r"tune dsf: 8 rows, 200 steps, \d+ s, \d+ tokens/s, \d\.\d GiB", listener.notes[-1])
    tuned = read_tuned(tmp_path / "model")
    losses = [entry["loss"] for entry in tuned.losses if "loss" in entry]
    assert losses[-1] < 0.8 * losses[0]
    base = load_generator(settings.model)
    adapted = load_generator(settings.model, tmp_path / "model")
    rows = [row for _, row in read_jsonl(unvalidated / "train.jsonl") if row["answers"]]
    prompts = [closed_book_prompt(row["question"], base.style) for row in rows]
    before, after = (model.generate(prompts, Decoding(max_new_tokens=8)) for model in (base, adapted))
    assert not any(generation.text.startswith("<ANSWER>:") for generation in before)
    assert all(generation.text.startswith("<ANSWER>:") for generation in after)


def test_the_loss_on_validation_rows_is_told_from_before_the_first_step(
    examples: Path, settings: TuneSettings, tmp_path: Path
) -> None:
    # The form of an answer holds for other documents too, and is soon learnt; where to point is not, by a random model.
    for method, learns in ((TuningMethod.DSF, True), (TuningMethod.RAFT, False)):
        listener = Listener()
        tune(examples, tmp_path / method, method, settings.model_copy(update={"alpha": 32}), progress=listener)
        tuned = read_tuned(tmp_path / method)
        validated = {entry["step"]: entry["eval_loss"] for entry in tuned.losses if "eval_loss" in entry}
        assert set(validated) == {0, tuned.steps / 2, tuned.steps}
        before, after = validated[0], validated[tuned.kept_step]
        assert after == min(loss for step, loss in validated.items() if step)
        assert f"validation loss {before:.2f} before, {after:.2f} after" in listener.notes[-1]
        assert (after < before, "learnt nothing" not in listener.notes[-1]) == (learns, learns)


def test_without_validation_rows_no_loss_on_them_is_told(
    unvalidated: Path, settings: TuneSettings, tmp_path: Path
) -> None:
    listener = Listener()
    tune(unvalidated, tmp_path / "model", TuningMethod.RAFT, settings, progress=listener)
    assert not [text for text in listener.notes if "validation loss" in text]
    assert not [entry for entry in read_tuned(tmp_path / "model").losses if "eval_loss" in entry]


def test_the_model_folder_says_what_it_was_made_from_and_holds_no_paths_of_this_machine(
    examples: Path, settings: TuneSettings, tmp_path: Path
) -> None:
    tune(examples, tmp_path / "model", TuningMethod.RAFT, settings)
    manifest = verified(tmp_path / "model", Stage.MODEL)
    digest = verified(examples, Stage.EXAMPLES).digest
    assert manifest.fingerprint == model_fingerprint(digest, TuningMethod.RAFT, settings, 0)
    assert read_tuned(tmp_path / "model").index_digest == verified(examples, Stage.EXAMPLES).inputs["index"]
    model = tmp_path / "model"
    written = {
        path.name: path.read_text(errors="replace") for path in model.iterdir() if path.suffix in (".json", ".md")
    }
    assert not [name for name, text in written.items() if str(tmp_path) in text]
    # The base of a local model is named where it must be found again, and nowhere else.
    local = {name for name, text in written.items() if settings.model in text}
    assert local == {"training.json", "adapter_config.json"}


def test_the_same_work_gives_the_same_bytes(examples: Path, settings: TuneSettings, tmp_path: Path) -> None:
    for name in ("one", "two"):
        tune(examples, tmp_path / name, TuningMethod.RAFT, settings)
    assert verified(tmp_path / "one", Stage.MODEL) == verified(tmp_path / "two", Stage.MODEL)


def test_other_weights_under_the_same_name_are_other_work(tiny_mini: Path, tmp_path: Path) -> None:
    copy = tmp_path / "base"
    shutil.copytree(tiny_mini, copy)
    settings = TuneSettings(model=str(copy))
    before = model_fingerprint("0" * 64, TuningMethod.RAFT, settings, 0)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert model_fingerprint("0" * 64, TuningMethod.RAFT, settings, 0) != before


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_models_of_other_kinds_are_tuned_too(
    kind: str, examples: Path, settings: TuneSettings, tmp_path: Path, tiny_chat: Callable[[str], Path]
) -> None:
    chosen = settings.model_copy(update={"model": str(tiny_chat(kind)), "num_train_epochs": 1})
    tune(examples, tmp_path / "model", TuningMethod.RAFT, chosen)
    generator = load_generator(chosen.model, tmp_path / "model")
    written = generator.generate([closed_book_prompt("Who?", generator.style)], Decoding(max_new_tokens=4))
    assert len(written) == 1
    assert read_tuned(tmp_path / "model").style is PromptStyle.CHAT


@pytest.fixture
def started(tiny_chat: Callable[[str], Path], settings: TuneSettings, tmp_path: Path) -> TuneSettings:
    """Settings that go on from an adapter with rank 3."""
    base = str(tiny_chat("llama"))
    model = get_peft_model(
        load_model(base).model, LoraConfig(r=3, target_modules="all-linear", init_lora_weights=False)
    )
    save_adapter(model, base, tmp_path / "start")
    return settings.model_copy(update={"model": base, "start": str(tmp_path / "start"), "num_train_epochs": 1})


def test_training_goes_on_from_an_adapter_and_leaves_one_on_the_plain_model(
    examples: Path, started: TuneSettings, tmp_path: Path
) -> None:
    tune(examples, tmp_path / "warm", TuningMethod.RAFT, started)
    tuned = read_tuned(tmp_path / "warm")
    assert (tuned.base_model, tuned.start) == (started.model, started.start)
    assert str(tmp_path) not in (tmp_path / "warm" / "manifest.json").read_text()
    config = json.loads((tmp_path / "warm" / "adapter_config.json").read_text())
    assert config["r"] == 3 and config["base_model_name_or_path"] == started.model
    # peft alone, on the plain model, says the same as we do.
    prompt = closed_book_prompt("Who?", PromptStyle.CHAT)
    (ours,) = load_generator(started.model, tmp_path / "warm").generate([prompt], Decoding(max_new_tokens=8))
    loaded = load_model(started.model)
    plain = PeftModel.from_pretrained(loaded.model, str(tmp_path / "warm"))
    ids = torch.tensor([loaded.codec.prompt_ids(prompt)])
    said = plain.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
    assert loaded.codec.decode(said[0, ids.shape[1] :].tolist()) == ours.text
    # The losses before the first step are those of the adapter.
    tune(examples, tmp_path / "cold", TuningMethod.RAFT, started.model_copy(update={"start": ""}))
    assert read_tuned(tmp_path / "cold").losses[0] != tuned.losses[0]


def test_another_adapter_is_other_work(started: TuneSettings) -> None:
    before = model_fingerprint("0" * 64, TuningMethod.RAFT, started, 0)
    cold = started.model_copy(update={"start": ""})
    assert model_fingerprint("0" * 64, TuningMethod.RAFT, cold, 0) != before
    weights = bytearray(Path(started.start, "adapter_model.safetensors").read_bytes())
    weights[-1] ^= 1
    Path(started.start, "adapter_model.safetensors").write_bytes(weights)
    assert model_fingerprint("0" * 64, TuningMethod.RAFT, started, 0) != before


def test_a_start_that_does_not_fit_is_an_error_that_says_what_to_give(
    examples: Path, started: TuneSettings, settings: TuneSettings, tmp_path: Path
) -> None:
    def complaint(**changes: object) -> str:
        with pytest.raises((InputError, ModelError)) as error:
            tune(examples, tmp_path / "model", TuningMethod.RAFT, started.model_copy(update=changes))
        return str(error.value)

    assert complaint(start=str(tmp_path)).endswith("which is no folder with a LoRA adapter: check its path")
    assert complaint(model=settings.model).endswith("give that model")
    assert complaint(full=True).endswith("leave out one of them")
    weights = Path(started.start, "adapter_model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-40])
    assert complaint().endswith("give another as tune.start")
    Path(started.start, "writer.json").write_text("{}")
    assert "writes questions and nothing else" in complaint()


def test_how_a_model_attends_is_a_rule_of_ours_and_recorded(
    examples: Path, settings: TuneSettings, tmp_path: Path, tiny_chat: Callable[[str], Path]
) -> None:
    asking = shutil.copytree(tiny_chat("llama"), tmp_path / "asking")
    config = json.loads((asking / "config.json").read_text())
    (asking / "config.json").write_text(json.dumps(config | {"attn_implementation": "eager"}))
    tune(examples, tmp_path / "model", TuningMethod.DSF, settings.model_copy(update={"model": str(asking)}))
    assert read_tuned(tmp_path / "model").attention == "sdpa"


def test_a_training_that_diverges_is_an_error_that_says_what_to_change(
    examples: Path, settings: TuneSettings, tmp_path: Path
) -> None:
    diverging = settings.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(ModelError, match=r"the training loss is nan at step \d: lower tune.learning_rate"):
        tune(examples, tmp_path / "models" / "raft", TuningMethod.RAFT, diverging)
    assert not (tmp_path / "models" / "raft").exists()


def test_where_the_best_weights_find_no_room_the_error_says_what_to_do(
    examples: Path, settings: TuneSettings, tmp_path: Path
) -> None:
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # The kernel refuses a larger file, as a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(ArtifactError) as error:
            tune(examples, tmp_path / "raft", TuningMethod.RAFT, settings.model_copy(update={"r": 16}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    place = tmp_path / ".raft.checkpoints"
    assert str(error.value) == (
        f"the checkpoint of step 2 cannot be written to {place} (File too large (os error 27)): put that right and "
        "run the same command again; it goes on from the start"
    )
    assert list(place.iterdir()) == []


def test_a_folder_that_is_no_training_set_is_refused(notes_index: Path, settings: TuneSettings, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="stage 'index', not 'examples'"):
        tune(notes_index, tmp_path / "model", TuningMethod.RAFT, settings)
    assert list(tmp_path.iterdir()) == []
