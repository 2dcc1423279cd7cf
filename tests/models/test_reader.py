"""The adapter that comes with the package: its files are whole and name nothing of the machine that made them."""

import json

from safetensors import safe_open

from raft.models.names import ADAPTER, READER, READER_FOLDER, SMOLLM2, adapter_base, is_writer

MOST_BYTES = 20_000_000


def test_the_reader_is_an_adapter_on_smollm2_in_sixteen_bits() -> None:
    assert adapter_base(READER) == SMOLLM2 and not is_writer(READER)
    (weights,) = READER_FOLDER.glob("*.safetensors")
    assert weights.stat().st_size < MOST_BYTES
    with safe_open(weights, "pt") as tensors:
        kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
        layers = sum(".lora_A." in name for name in tensors.keys())  # noqa: SIM118
    assert kinds == {"BF16"}
    # Seven products in each of thirty layers.
    assert layers == 7 * 30


def test_the_reader_says_what_it_was_made_from() -> None:
    card = (READER_FOLDER / "README.md").read_text(encoding="utf-8")
    assert "CC BY-SA 4.0" in card and "base_model: smollm2" in card
    made = json.loads((READER_FOLDER / "training.json").read_text(encoding="utf-8"))
    assert made["losses"][-1]["eval_loss"] < made["losses"][0]["eval_loss"]
    for file in (READER_FOLDER / ADAPTER, READER_FOLDER / "training.json"):
        assert '"/' not in file.read_text(encoding="utf-8")
