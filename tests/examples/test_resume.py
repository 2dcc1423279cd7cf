"""A run that was killed, stopped or refused goes on where it was, to the same bytes, and asks for nothing twice."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from raft.artifacts import Stage, verified
from raft.errors import InputError, LimitError
from raft.examples import generate_examples
from raft.examples.generation import estimate_examples
from raft.index import build_index
from raft.journal import Journal
from raft.models.calls import Limits
from raft.prompts import joined, plain_target, question_target
from raft.recipe import ExampleSettings, IndexSettings

AT_ONCE = 4


@dataclass
class Clerk:
    """An endpoint that asks for words of the passage, another with each seed, and counts what it is asked."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    refuses: int | None = None
    on_call: Callable[[int], bool] = lambda count: True

    @property
    def settings(self) -> ExampleSettings:
        shares = {"unseen_fraction": 0.0, "validation_fraction": 0.2, "test_fraction": 0.2}
        model = f"openai:clerk@{self.url}"
        return ExampleSettings(
            model=model,
            num_distractors=1,
            round_trip_depth=8,
            max_concurrency=AT_ONCE,
            **shares,
            questions_per_passage=2,
        )

    @property
    def flags(self) -> list[str]:
        given = self.settings.model_dump(exclude_defaults=True)
        return [part for name, value in given.items() for part in ("--set", f"generate.{name}={value}")]

    def reply(self, body: dict) -> str:
        said = body["messages"][1]["content"]
        if said.startswith("Passage:"):
            words = re.findall(r"\w+", said)
            place = min(8 + body["seed"], len(words) - 1)
            return joined(
                question_target(words[place], f"What follows the words {' '.join(words[place - 5 : place])}?")
            )
        # Words run on over marks between them, in the passage as in the question.
        before = re.findall(r"\w+", said.rpartition("follows the words")[2])
        answer = re.search(r"\W+".join([*before, r"(\w+)"]), said)
        return joined(plain_target(answer[1] if answer else "?"))


@pytest.fixture
def clerk() -> Iterator[Clerk]:
    state, lock = Clerk(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            raw = self.rfile.read(length)
            if len(raw) < length:
                return  # whoever asked was killed before all of the question was sent
            with lock:
                state.asked[raw.decode()] += 1
                count = state.asked.total()
            if not state.on_call(count):
                self.close_connection = True
                return
            said = {"choices": [{"finish_reason": "stop", "message": {"content": state.reply(json.loads(raw))}}]}
            body = json.dumps(said | {"usage": {"prompt_tokens": 100, "completion_tokens": 10}}).encode()
            self.send_response(state.refuses or 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes_and_pays_only_for_calls_under_way_twice(
    clerk: Clerk, notes_index: Path, tmp_path: Path
) -> None:
    generate_examples(notes_index, tmp_path / "whole", settings=clerk.settings)
    calls = dict(clerk.asked)
    assert set(calls.values()) == {1}
    clerk.asked.clear()
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "raft.cli", "generate", "--index", notes_index, "--out", out, *clerk.flags]
    writes = sum('"content":"Passage' in call.replace(" ", "") for call in calls)
    # At the first call, among the questions, and among their checks.
    for moment in (1, writes // 2, writes + (len(calls) - writes) // 2 + 1):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

        def killed(count: int, moment: int = moment, child: subprocess.Popen[str] = child) -> bool:
            if count >= moment:
                child.send_signal(signal.SIGKILL)
            return count < moment

        clerk.on_call = killed
        _, err = child.communicate()
        assert child.returncode == -signal.SIGKILL, err
        assert not out.exists()
    clerk.on_call = lambda count: True
    manifest = generate_examples(notes_index, out, settings=clerk.settings)
    assert files(out) == files(tmp_path / "whole")
    assert manifest == verified(tmp_path / "whole", Stage.EXAMPLES)
    assert set(clerk.asked) == set(calls)
    assert clerk.asked.total() - len(calls) <= 3 * AT_ONCE
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_limit_stops_with_what_to_do_and_the_same_command_goes_on(
    clerk: Clerk, notes_index: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    limit = 9
    command = ["generate", "--index", notes_index, "--out", tmp_path / "out", *clerk.flags, "--max-calls", limit]
    code, stops = 2, 0
    while code == 2 and stops < 99:
        code, out, err = call(*command)
        stops += 1
        if code == 2:
            last = err.splitlines()[-1]
            assert last.startswith("raft: stopped before another call would pass --max-calls 9 (9 calls, ")
            assert "run the same command again to go on" in last
            assert clerk.asked.total() == limit * stops
            assert [path.name for path in tmp_path.iterdir()] == [".out.journal"]
    assert code == 0
    assert set(clerk.asked.values()) == {1}
    rows = {name: text.count(b"\n") for name, text in files(tmp_path / "out").items()}
    kept = rows["train.jsonl"] + rows["validation.jsonl"] + rows["test.jsonl"]
    read = kept + rows["rejected.jsonl"]
    assert out.splitlines()[-1].startswith(f"candidates {read} read = {kept} kept + {rows['rejected.jsonl']} rejected")


def test_a_whole_run_keeps_to_the_limit_too_and_its_index_stays(
    clerk: Clerk, notes: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    flags = ["--set", "tune.model=mini", *clerk.flags]
    code, _, err = call("run", notes, "--out", tmp_path / "run", *flags, "--max-calls", 5)
    assert code == 2
    assert "would pass --max-calls 5" in err.splitlines()[-1]
    assert clerk.asked.total() == 5
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith(".")) == [
        "index",
        "recipe.json",
    ]


def test_an_estimate_asks_nothing_writes_nothing_and_is_not_passed(
    clerk: Clerk, notes_index: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    prices = ["--price-in", 3, "--price-out", 15]
    command = ["generate", "--index", notes_index, "--out", tmp_path / "a" / "out", *clerk.flags, *prices]
    code, out, err = call(*command, "--dry-run")
    assert (code, err, clerk.asked.total(), list(tmp_path.iterdir())) == (0, "", 0, [])
    assert "estimate: cost at most about 0." in out
    assert "a token for 4 characters" in out
    most = int(re.search(r"at most (\d+) calls", out)[1])
    code, _, err = call(*command)
    assert code == 0
    assert out in err
    assert 0 < clerk.asked.total() <= most
    code, again, _ = call(*command, "--dry-run")
    written = re.search(r"(\d+) to write", out)[1]
    assert f"; {written} more are in the journal)" in again
    assert "to write" not in again


def test_no_call_is_made_for_given_questions(
    notes_index: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"id": "a", "question": "Why?", "answers": ["36 bar"]}))
    code, out, _ = call("generate", "--index", notes_index, "--out", tmp_path / "out", "--questions", path, "--dry-run")
    assert (code, out) == (0, "estimate: no call of a model\n")


def test_a_refused_key_leaves_nothing_behind_and_costs_one_call(
    clerk: Clerk, notes_index: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    clerk.refuses = 401
    code, out, err = call("generate", "--index", notes_index, "--out", tmp_path / "a" / "b" / "out", *clerk.flags)
    assert (code, out, clerk.asked.total()) == (2, "", 1)
    assert "refused (status 401" in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_changed_document_is_asked_about_and_the_others_are_known(clerk: Clerk, notes: Path, tmp_path: Path) -> None:
    folder, index, out = tmp_path / "notes", tmp_path / "index", tmp_path / "out"
    folder.mkdir()
    for path in notes.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    build_index([folder], index, IndexSettings(passage_tokens=32))
    generate_examples(index, out, settings=clerk.settings)
    before = set(clerk.asked)
    (folder / "museum.md").write_text(
        "# Quillan Light\n\nThe museum opens at 11:45 in winter. Its lamp is kept by Noor.\n"
    )
    build_index([folder], index, IndexSettings(passage_tokens=32))
    generate_examples(index, out, settings=clerk.settings)
    fresh = set(clerk.asked) - before
    assert fresh
    assert all("11:45 in winter" in call for call in fresh)
    assert set(clerk.asked.values()) == {1}
    texts = b"".join(files(out).values()).decode()
    assert "11:45 in winter" in texts
    assert "10:30 from May" not in texts


def test_a_model_on_this_machine_that_was_stopped_writes_on_to_the_same_words(
    tiny_mini: Path, notes_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raft.models.local._BATCH_ROWS", 4)
    # Questions that lead nowhere are rejected, so no row is left: what is compared is what was written.
    settings = ExampleSettings(model=str(tiny_mini), questions_per_passage=2, drafts=1, unseen_fraction=0)
    texts = {}
    for name, limits in (("whole", [99]), ("stopped", [4, 9, 99])):
        out = tmp_path / name / "out"
        for limit in limits:
            with pytest.raises((LimitError, InputError)) as caught:
                generate_examples(notes_index, out, settings=settings, limits=Limits(max_calls=limit))
            assert isinstance(caught.value, LimitError) == (limit != 99)
        texts[name] = [json.loads(line)["value"]["written"] for line in Journal.beside(out).read_text().splitlines()]
    without_time = {
        name: [[{**one, "seconds": 0} for one in batch] for batch in batches] for name, batches in texts.items()
    }
    assert len(without_time["whole"]) > 3
    assert without_time["whole"] == without_time["stopped"]


def test_no_call_asks_for_thoughts_where_the_setting_says_so_and_the_estimate_knows_what_is_kept(
    clerk: Clerk, notes_index: Path, tmp_path: Path
) -> None:
    silent = clerk.settings.model_copy(update={"thinking": False})
    generate_examples(notes_index, tmp_path / "out", settings=silent)
    assert clerk.asked and all(json.loads(body)["reasoning_effort"] == "none" for body in clerk.asked)
    assert estimate_examples(notes_index, tmp_path / "out", settings=silent).known > 0
    assert estimate_examples(notes_index, tmp_path / "out", settings=clerk.settings).known == 0
