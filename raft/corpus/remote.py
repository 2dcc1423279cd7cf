"""Documents behind a URL, through fsspec: listed once, read once, and told of without the secrets of the URL.

fsspec and the library of a protocol are imported here alone, and only for a URL. Credentials come from where each
service's own tools look for them: the environment, its settings, its files.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple
from urllib.parse import unquote

from raft.artifacts import MARKER
from raft.corpus.entries import LARGEST_FILE, TOO_LARGE, Entry, UnopenedError
from raft.errors import InputError, MissingExtraError

_PROTOCOLS_OF_EXTRA = ("s3", "s3a", "gs", "gcs", "http", "https", "hf")
# Libraries that log what failed, with its URL and a traceback, before they raise it: raft says it in one line.
for _library in ("fsspec", "s3fs", "gcsfs", "aiobotocore", "botocore", "google", "aiohttp"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)
# A host, or its address, perhaps with a port.
_HOST = re.compile(r"(\[[^]@]*\]|[^:]*)(:\d*)?")
# What would break a line or cannot be written as UTF-8; object names may hold anything.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def without_secrets(url: str) -> str:
    """A URL without user, password, query and fragment; without all but its protocol where no host can be told."""
    protocol, _, rest = url.partition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    host = host.rpartition("@")[2]
    # `user:pa/ss@host`, a password that was not escaped, ends up here with half of it as its port.
    return _writable(f"{protocol}://{host}{slash}{path}" if _HOST.fullmatch(host) else f"{protocol}://...")


def remote_entries(url: str) -> Iterator[Entry]:
    """The file at a URL, or everything below it in the order of a local folder.

    Raises InputError where there is nothing, where it may not be read or cannot be reached, and where no installed
    library speaks its protocol.
    """
    place = _Place(url)
    if place.is_file:
        yield Entry(place.name, _RemoteFile(place, place.root, str(place), place.size))
        return
    files = place.files_below()
    ours = {file.parts[:-1] for file in files if file.parts[-1] == MARKER and len(file.parts) > 1}
    left_out = set()
    for parts, path, size, regular in files:
        if any(parts[:depth] in ours for depth in range(1, len(parts))):
            continue
        hidden = next((depth for depth, part in enumerate(parts, 1) if part.startswith(".")), 0)
        # The whole of a hidden folder is left out in one line, as it is on this machine. `..` is hidden too.
        name = _writable("/".join(parts[: hidden or None]))
        reason = "hidden" if hidden else "" if regular else "not a regular file"
        if not all(parts):
            reason = reason or "a part of its name is empty: rename it"
        if not reason or name not in left_out:
            yield Entry(name, _RemoteFile(place, path, place.shown_below(name), size), reason)
        if reason:
            left_out.add(name)


class _Listed(NamedTuple):
    """A file below a place: the parts of its name there, and what its file system says of it."""

    parts: tuple[str, ...]
    path: str
    size: int | None
    regular: bool


class _Place:
    """A URL that was reached. As text it is the URL without its secrets.

    root: how its file system names it.
    """

    def __init__(self, url: str) -> None:
        self._shown = without_secrets(url)
        self.system, self.root = _system_of(url, self._shown)
        # Only the asynchronous file systems promise to serve several threads at once.
        self._turn = nullcontext() if getattr(self.system, "async_impl", False) else threading.Lock()
        self._kept = _Kept()
        # What another listing of this process found may be out of date.
        self.system.invalidate_cache()
        try:
            about = self.system.info(self.root)
        except Exception as error:
            raise _unreached(self._shown, error) from None
        named = url.partition("://")[2].partition("/")[2]
        self.size: int | None = about.get("size")
        self.is_file = about["type"] == "file" and not url.endswith("/")
        if url.lower().startswith(("http://", "https://")):
            named = unquote(re.split(r"[?#]", named, maxsplit=1)[0])
            self.is_file = True
        else:
            self.root = str(about["name"]).rstrip("/")
            named = re.split(r"[?#]", self.root, maxsplit=1)[0] if "?" in url or "#" in url else self.root
        self.name = _writable(named.rpartition("/")[2])
        if self.is_file and not self.name:
            raise InputError(
                f"{self._shown} names no file, and HTTP has no list of a folder: give the URL of each file"
            )

    def __str__(self) -> str:
        return self._shown

    def shown_below(self, name: str) -> str:
        return f"{self._shown}{'' if self._shown.endswith('/') else '/'}{name}"

    def files_below(self) -> list[_Listed]:
        """Every file below the place, in the order of a local folder."""
        try:
            found: dict[str, dict[str, Any]] = self.system.find(self.root, detail=True, **_strictly(self.system))
        except Exception as error:
            raise _unreached(self._shown, error) from None
        above = f"{self.root}/"
        files = [
            _Listed(tuple(path.removeprefix(above).split("/")), path, about.get("size"), about["type"] == "file")
            for path, about in found.items()
            # An object whose name ends with a slash stands for a folder.
            if path.startswith(above) and not path.endswith("/") and about["type"] != "directory"
        ]
        if not files:
            raise InputError(f"{self._shown} holds no file: check the path")
        return sorted(files, key=lambda file: file.parts)

    def fetch(self, path: str, again: bool) -> bytes:
        """The bytes of a file, one more than the most at most. Raises whatever its file system does."""
        if (kept := self._kept.get(path)) is not None:
            return kept
        blocks, room = [], LARGEST_FILE + 1
        with self._turn, self.system.open(path, "rb") as file:
            # A stream gives fewer bytes than it is asked for, so only none is the end.
            while room and (block := file.read(room)):
                blocks.append(block)
                room -= len(block)
        raw = b"".join(blocks)
        if again:
            self._kept.put(path, raw)
        return raw


class _RemoteFile:
    def __init__(self, place: _Place, path: str, name: str, size: int | None) -> None:
        self._place, self._path, self._name, self._size = place, path, name, size

    def __str__(self) -> str:
        return self._name

    def read(self, again: bool = False) -> bytes:
        """Its bytes. Raises InputError where the service fails: an index without half of its files would look whole."""
        if (self._size or 0) > LARGEST_FILE:
            raise UnopenedError(TOO_LARGE)
        try:
            raw = self._place.fetch(self._path, again)
        except Exception as error:
            if _is_denied(error):
                raise UnopenedError("it cannot be opened (Permission denied)") from None
            if _is_missing(error):
                raise UnopenedError("it cannot be opened (No such file)") from None
            raise _unreached(self._name, error) from None
        if len(raw) > LARGEST_FILE:
            raise UnopenedError(TOO_LARGE)
        return raw


class _Kept:
    """Bytes that are read once more, in a file without a name: it is gone with the process, however that ends."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its place
        self._spans: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def get(self, path: str) -> bytes | None:
        span = self._spans.get(path)
        return span and os.pread(self._file.fileno(), span[1], span[0])

    def put(self, path: str, raw: bytes) -> None:
        with self._lock:
            self._file.seek(self._end)
            self._file.write(raw)
            self._file.flush()
            self._spans[path] = self._end, len(raw)
            self._end += len(raw)


def _system_of(url: str, where: str) -> tuple[Any, str]:
    """The file system of a URL, and how it names the place.

    What fsspec's `url_to_fs` does, but that `::` is a part of the name: chains of file systems are not wanted.
    """
    protocol = url.partition("://")[0].lower()
    if protocol in ("file", "local"):
        raise InputError(f"{where} is on this machine: give it as a path, without {protocol}://")
    try:
        import fsspec

        if protocol not in {*fsspec.available_protocols(), *fsspec.registry}:
            raise InputError(f"{where}: nothing is known of the protocol {_writable(protocol)}://: check the path")
        kind = fsspec.get_filesystem_class(protocol)
        return fsspec.filesystem(protocol, **kind._get_kwargs_from_urls(url)), kind._strip_protocol(url)
    except ImportError as error:
        if protocol in _PROTOCOLS_OF_EXTRA:
            raise MissingExtraError(where, "remote") from error
        raise InputError(f"{where} needs a library: {_writable(str(error))}") from error
    except InputError:
        raise
    except Exception as error:
        raise _unreached(where, error) from None


def _strictly(system: Any) -> dict[str, str]:
    """What makes a listing fail at a folder that may not be opened; fsspec's own would leave it out and say nothing."""
    from fsspec import AbstractFileSystem

    return {"on_error": "raise"} if type(system).find is AbstractFileSystem.find else {}


def _unreached(where: str, error: Exception) -> InputError:
    """The one line for a place that was not reached.

    Neither the text of the error nor, in a traceback, the error itself is shown: either may hold the whole URL.
    """
    if _is_denied(error):
        return InputError(f"{where} may not be read with the credentials at hand: check them, and the rights to it")
    if _is_missing(error):
        return InputError(f"{where} does not exist, or nothing is in it: check the path")
    *_, first = _chain(error)
    return InputError(f"{where} cannot be reached ({type(first).__name__}): check the path and the network, try again")


def _is_denied(error: BaseException) -> bool:
    # botocore, google.auth and others name theirs alike, but have no class in common.
    return any(
        isinstance(one, PermissionError)
        or _status(one) in (401, 403)
        or type(one).__name__.endswith("CredentialsError")
        for one in _chain(error)
    )


def _is_missing(error: BaseException) -> bool:
    # fsspec takes a host that does not answer for a missing file as well; the cause knows better.
    failed = any(isinstance(one, OSError) and not isinstance(one, FileNotFoundError) for one in _chain(error))
    return not failed and any(isinstance(one, FileNotFoundError) or _status(one) in (404, 410) for one in _chain(error))


def _status(error: BaseException) -> int | None:
    """The HTTP status behind an error, as aiohttp, gcsfs and huggingface_hub hold it."""
    for holder, name in ((error, "status"), (error, "code"), (getattr(error, "response", None), "status_code")):
        if isinstance(status := getattr(holder, name, None), int):
            return status
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def _writable(name: str) -> str:
    """A name in one line of UTF-8; each character that cannot be is a question mark."""
    return _UNWRITABLE.sub("?", name)
