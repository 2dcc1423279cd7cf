"""Documents behind a URL are read by the rules of a local folder, and the secrets of a URL go nowhere.

The S3 and the web server listen on this machine alone; nothing here needs more of the network than that.
"""

import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from moto.server import ThreadedMotoServer

from raft.artifacts import read_jsonl, read_manifest
from raft.corpus import Reading, read_documents, remote
from raft.corpus.locations import is_remote, shown
from raft.errors import InputError, MissingExtraError
from raft.index import build_index
from raft.models.embedder import Embedder
from raft.recipe import IndexSettings

SETTINGS = IndexSettings(passage_tokens=32)
TEXTS = {
    "a.txt": "A tide table hangs in the office.",
    "manuals/pump.md": "# Pump\n\nThe Merrow 40 stops at 40 bar.",
    "manuals/winch.md": "# Winch\n\nThe Grappel G3 lifts 1.5 tonnes.",
    "manuals.txt": "Manuals are kept on the bridge.",
    "tune.mp3": "no text",
}


class Counted(MemoryFileSystem):
    """Files in memory that remember how often each was opened, and fail as they are told."""

    protocol = "counted"
    store: dict[str, Any] = {}  # noqa: RUF012 - fsspec's own
    pseudo_dirs = [""]  # noqa: RUF012
    opened: list[str] = []  # noqa: RUF012
    broken: dict[str, Exception] = {}  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        path = path.removeprefix("counted://").strip("/")
        return f"/{path}" if path else ""

    def info(self, path: str, **kwargs: Any) -> Any:
        if error := self.broken.get("listing"):
            raise error
        return super().info(path, **kwargs)

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if mode != "rb":
            return super()._open(path, mode, **kwargs)
        if error := self.broken.get(path):
            raise error
        self.opened.append(path)
        return io.BytesIO(self.store[path].getvalue())


@pytest.fixture
def counted() -> Iterator[type[Counted]]:
    fsspec.register_implementation("counted", Counted, clobber=True)
    yield Counted
    for state in (Counted.store, Counted.opened, Counted.broken):
        state.clear()


@pytest.fixture
def memory() -> Iterator[Callable[..., None]]:
    """Puts files into fsspec's own memory, by their names there."""
    system = fsspec.filesystem("memory")
    yield lambda **files: [system.pipe_file(name, text.encode()) for name, text in files.items()]
    system.store.clear()


@pytest.fixture
def local(tmp_path: Path) -> Path:
    folder = tmp_path / "local"
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def ids(reading: Reading) -> list[str]:
    return [document.id for document in reading.documents]


def reasons(reading: Reading) -> dict[str, str]:
    return {lost.source: lost.reason for lost in reading.skipped}


# S3, as one server on this machine speaks it.


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        # As a person would give them: the environment alone.
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key-id")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "key-secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        client = boto3.client("s3")
        client.create_bucket(Bucket="harbour")
        yield client
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        server.stop()


@pytest.fixture
def bucket(s3: Any) -> Iterator[Callable[[str, str], None]]:
    """Puts an object into the bucket `harbour`, which is empty afterwards."""
    yield lambda key, text: s3.put_object(Bucket="harbour", Key=key, Body=text.encode())
    for found in s3.list_objects_v2(Bucket="harbour").get("Contents", []):
        s3.delete_object(Bucket="harbour", Key=found["Key"])


def test_an_index_of_a_bucket_is_that_of_the_same_folder_and_is_updated_like_it(
    bucket: Callable[[str, str], None], local: Path, tmp_path: Path, minilm: Embedder
) -> None:
    for name, text in TEXTS.items():
        bucket(f"docs/{name}", text)
    bucket("docs/", "")
    bucket("docs2/other.txt", "A prefix is a folder, so this is elsewhere.")
    far = partial(build_index, ["s3://harbour/docs"], tmp_path / "far", SETTINGS, embedder=minilm)
    near = partial(build_index, [local], tmp_path / "near", SETTINGS, embedder=minilm)
    first = far()
    assert first.digest == near().digest
    assert list(first.inputs) == ["a.txt", "manuals/pump.md", "manuals/winch.md", "manuals.txt"]
    assert far().digest == first.digest
    bucket("docs/manuals/pump.md", "# Pump\n\nThe Merrow 40 stops at 38 bar.")
    (local / "manuals" / "pump.md").write_text("# Pump\n\nThe Merrow 40 stops at 38 bar.")
    assert far().digest == near().digest != first.digest


def test_one_object_is_a_document_of_its_name_and_a_folder_beside_it_is_asked_for_with_a_slash(
    bucket: Callable[[str, str], None],
) -> None:
    bucket("notes.md", "# Notes")
    bucket("notes.md/inner.md", "# Inner")
    assert ids(read_documents(["s3://harbour/notes.md"])) == ["notes.md"]
    assert ids(read_documents(["s3://harbour/notes.md/"])) == ["inner.md"]


def test_a_missing_bucket_and_an_empty_prefix_are_one_clear_line(
    bucket: Callable[[str, str], None], tmp_path: Path, call: Any
) -> None:
    bucket("docs/a.txt", "Words.")
    for url in ("s3://nowhere/docs", "s3://harbour/empty", "s3://harbour/empty/", "s3://nowhere"):
        code, out, err = call("index", url, "--out", tmp_path / "index")
        assert (code, out) == (2, "")
        assert err == f"raft: {url} does not exist, or nothing is in it: check the path\n"


def test_an_object_may_have_any_name_and_none_leads_out_of_its_place(bucket: Callable[[str, str], None]) -> None:
    names = ["good name.md", "../../up.md", "in/../../up.md", "a::b.md", "q?u=e#r%20y*.md", "é/ü.md"]
    for name in [*names, "twice//slash.md", ".git/config.md", ".git/more.md", "deep/.env.md"]:
        bucket(f"odd/{name}", f"# {name!r}")
    reading = read_documents(["s3://harbour/odd"])
    assert sorted(ids(reading)) == ["a::b.md", "good name.md", "q?u=e#r%20y*.md", "é/ü.md"]
    assert reasons(reading) == {
        "..": "hidden",
        ".git": "hidden",
        "deep/.env.md": "hidden",
        "in/..": "hidden",
        "twice//slash.md": "a part of its name is empty: rename it",
    }


# What holds for every protocol.


def test_ids_are_paths_below_the_given_place_and_what_is_left_out_is_listed(memory: Callable[..., None]) -> None:
    memory(
        **{"/docs/b/z.txt": "z", "/docs/b.txt": "b", "/docs/tune.mp3": "x", "/docs/empty.md": "", "/docsx/no.txt": ""}
    )
    reading = read_documents(["memory://docs/"])
    assert ids(reading) == ["b/z.txt", "b.txt"]
    assert reasons(reading) == {"empty.md": "it is empty", "tune.mp3": "no reader for .mp3 files"}
    assert ids(read_documents(["memory://docs/b/z.txt"])) == ["z.txt"]
    assert ids(read_documents(["memory://docsx", "memory://docs/b"])) == ["z.txt"]


def test_a_name_that_would_break_a_line_is_written_in_one(memory: Callable[..., None]) -> None:
    memory(**{"/docs/new\nline\x1b[2J.md": "# Words", "/docs/half\ud800.md": "# Words", "/docs/x\u2028y.mp3": "x"})
    reading = read_documents(["memory://docs"])
    assert (ids(reading), list(reasons(reading))) == (["half?.md", "new?line?[2J.md"], ["x?y.mp3"])


def test_places_here_and_far_away_are_given_together_and_a_double_id_names_both(
    memory: Callable[..., None], tmp_path: Path
) -> None:
    memory(**{"/docs/far.txt": "far", "/docs/b.txt": "b"})
    (tmp_path / "b.txt").write_text("near")
    assert ids(read_documents([tmp_path / "b.txt", "memory://docs/far.txt"])) == ["b.txt", "far.txt"]
    assert ids(read_documents([str(tmp_path)])) == ["b.txt"]
    with pytest.raises(InputError, match=r"^memory://docs/b\.txt and /.*/b\.txt would both be document 'b\.txt'"):
        read_documents([tmp_path, "memory://docs"])


def test_what_raft_wrote_among_the_documents_is_not_read(memory: Callable[..., None]) -> None:
    memory(**{"/docs/a.txt": "Words.", "/docs/index/.raft-stage": "index", "/docs/index/documents.jsonl": "{}"})
    reading = read_documents(["memory://docs"])
    assert (ids(reading), reading.skipped) == (["a.txt"], ())


@pytest.mark.parametrize("told", [True, False])
def test_a_file_that_is_too_large_is_listed_and_not_read_to_its_end(
    counted: type[Counted], monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    fsspec.filesystem("counted").pipe({"/docs/a.txt": b"Words.", "/docs/b.txt": b"x" * 100})
    monkeypatch.setattr(remote, "LARGEST_FILE", 50)
    if not told:  # as a stream whose server says no size
        found = {path: {"name": path, "type": "file"} for path in ("/docs/a.txt", "/docs/b.txt")}
        monkeypatch.setattr(Counted, "find", lambda *given, **kwargs: found)
    assert reasons(read_documents(["counted://docs"])) == {"b.txt": "it is larger than 200 MB: split it"}
    assert counted.opened.count("/docs/b.txt") == (0 if told else 1)


def test_each_file_is_fetched_once_for_an_index_for_its_update_and_for_a_run(
    counted: type[Counted], tmp_path: Path, minilm: Embedder
) -> None:
    from raft.recipe import Recipe, TuneSettings
    from raft.run import run

    system = fsspec.filesystem("counted")
    system.pipe({"/docs/a.txt": b"Words.", "/docs/b.txt": b"More words."})
    index = partial(build_index, ["counted://docs"], tmp_path / "index", SETTINGS, embedder=minilm)
    for text in (b"Words.", b"Words.", b"Other words."):
        system.pipe("/docs/a.txt", text)
        counted.opened.clear()
        index()
        assert sorted(counted.opened) == ["/docs/a.txt", "/docs/b.txt"]
    counted.opened.clear()
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"id": "q", "question": "?", "answers": ["a"], "document_ids": ["nowhere"]}))
    recipe = Recipe(index=SETTINGS, tune=TuneSettings(model="mini"))
    with pytest.raises(InputError, match="nowhere"):  # which is said after the index is made
        run(["counted://docs"], tmp_path / "run", questions, recipe=recipe)
    assert sorted(counted.opened) == ["/docs/a.txt", "/docs/b.txt"]
    assert read_manifest(tmp_path / "run" / "index").inputs == read_manifest(tmp_path / "index").inputs


class RefusedError(Exception):
    status = 403


class NoCredentialsError(Exception):
    """As botocore names it."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError("Access to secret denied"),
            "may not be read with the credentials at hand: check them, and the",
        ),
        (RefusedError("https://secret"), "may not be read with the credentials at hand: check them, and the"),
        (NoCredentialsError("secret"), "may not be read with the credentials at hand: check them, and the"),
        (ConnectionError("https://secret"), "cannot be reached (ConnectionError): check the path and the network, try"),
        (FileNotFoundError("https://secret"), "does not exist, or nothing is in it: check the path"),
    ],
)
def test_a_place_that_cannot_be_listed_is_one_clear_line(
    counted: type[Counted], error: Exception, said: str, tmp_path: Path, call: Any
) -> None:
    counted.broken["listing"] = error
    code, out, err = call("index", "counted://docs", "--out", tmp_path / "index")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"raft: counted://docs {said}") and "secret" not in err
    assert not (tmp_path / "index").exists()


def test_a_file_without_rights_is_listed_but_a_failing_service_stops_the_index(counted: type[Counted]) -> None:
    fsspec.filesystem("counted").pipe({f"/docs/{name}.txt": name.encode() for name in "abc"})
    counted.broken |= {"/docs/a.txt": PermissionError("secret"), "/docs/b.txt": FileNotFoundError("secret")}
    reading = read_documents(["counted://docs"])
    assert ids(reading) == ["c.txt"]
    assert reasons(reading) == {
        "a.txt": "it cannot be opened (Permission denied)",
        "b.txt": "it cannot be opened (No such file)",
    }
    counted.broken["/docs/b.txt"] = TimeoutError("secret")
    with pytest.raises(InputError, match=r"^counted://docs/b\.txt cannot be reached \(TimeoutError\)") as caught:
        read_documents(["counted://docs"])
    assert caught.value.__suppress_context__


def test_a_missing_library_names_its_command_and_an_unknown_protocol_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("s3fs", "paramiko", "fsspec.implementations.sftp"):
        monkeypatch.setitem(sys.modules, module, None)
    # One that was used before in this process would be found again.
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(
        MissingExtraError, match=r"^s3://harbour needs .* `pip install 'raft-tuning\[remote\]'`$"
    ) as caught:
        read_documents(["s3://harbour"])
    assert isinstance(caught.value, InputError)
    with pytest.raises(InputError, match=r"^sftp://host/x needs a library: .*paramiko"):
        read_documents(["sftp://user:secret@host/x"])
    with pytest.raises(InputError, match=r"^xyz://host/x: nothing is known of the protocol xyz://: check the path$"):
        read_documents(["xyz://host/x"])
    with pytest.raises(InputError, match=r"is on this machine: give it as a path, without file://$"):
        read_documents(["file:///etc"])


# HTTP, and the secrets of a URL.


class Guarded(SimpleHTTPRequestHandler):
    """A web server that lets nobody in without the token and the password."""

    def send_head(self) -> Any:
        allowed = "token=secret" in self.path and "Authorization" in self.headers
        if "forbidden" in self.path or not allowed:
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, *arguments: object) -> None:
        """Not onto the screen."""


@pytest.fixture
def web(local: Path) -> Iterator[str]:
    """Address of a server of the local folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(local))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
    fsspec.get_filesystem_class("http").clear_instance_cache()


def test_password_and_token_of_a_url_open_it_and_are_written_nowhere(
    web: str, local: Path, tmp_path: Path, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (local / "a sheet.csv").write_text("part,stock\nrope,3\n")
    at = f"http://secretuser:secretpass@{web}"
    urls = [f"{at}/manuals/pump.md?token=secret", f"{at}/a%20sheet.csv?token=secret#secret"]
    code, out, err = call("index", *urls, "--out", tmp_path / "index")
    assert (code, "secret" in out + err) == (0, False)
    assert [row["id"] for _, row in read_jsonl(tmp_path / "index" / "documents.jsonl")] == ["pump.md", "a sheet.csv"]
    for path in (tmp_path / "index").rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes()
    for path, said in {
        "missing.md": f"http://{web}/missing.md does not exist",
        "forbidden.md": f"http://{web}/forbidden.md may not be read",
        "manuals/": f"http://{web}/manuals/ names no file, and HTTP has no list of a folder: give the URL of each file",
        "tune.mp3": f"http://{web}/tune.mp3 holds no file of a supported type (tune.mp3: no reader for .mp3 files)",
    }.items():
        code, out, err = call("index", f"{at}/{path}?token=secret", "--out", tmp_path / "other")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"raft: {said}") and "secret" not in err
    code, _, err = call("index", urls[0], "--verify", "--out", tmp_path / "index")
    assert code == 2 and "secret" not in err
    assert "secret" not in caplog.text


def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    said = r"^http://127\.0\.0\.1:9/x\.md cannot be reached \(ConnectionRefusedError\): check the path and the network"
    with pytest.raises(InputError, match=said):
        read_documents(["http://user:secret@127.0.0.1:9/x.md?token=secret"])


def test_a_library_that_logs_its_failures_does_not_write_the_url_down(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("fsspec.http", "s3fs", "gcsfs.retry", "botocore.hooks"):
        logging.getLogger(name).error("https://host/x?token=secret")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://harbour/docs", "s3://harbour/docs"),
        ("https://user:pass@host:80/a/b.md?token=x#y", "https://host:80/a/b.md"),
        ("https://user@host@home/a", "https://home/a"),
        ("http://[::1]:8000/a@b", "http://[::1]:8000/a@b"),
        ("https://user:pa/ss@host/a", "https://..."),
        ("https://user:pa?ss@host/a", "https://..."),
        ("s3://a\nb/\x1b[2J", "s3://a?b/?[2J"),
        ("memory://", "memory://"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, said: str) -> None:
    assert shown(url) == said


def test_only_text_with_a_protocol_is_a_url() -> None:
    assert [is_remote(path) for path in ("s3://a", "a/b", "s3:/a", Path("s3://a"))] == [True, False, False, False]
