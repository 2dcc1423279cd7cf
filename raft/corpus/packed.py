"""Files that hold other files: zip, gzip and tar archives, e-books, and mail with its attachments.

Nothing is ever unpacked to disk, so a name such as `../x` is only a name.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import IO, NamedTuple
from xml.etree import ElementTree

from raft.corpus.formats import Content, UnreadableError, clean, html_content

# What an archive may hold in all: more is a bomb, or too much for one document.
MOST_BYTES, MOST_MEMBERS = 300 << 20, 10_000
_CHUNK = 1 << 20


class Member(NamedTuple):
    """One file of an archive; without bytes where it cannot be read, for `reason`."""

    name: str
    raw: bytes
    reason: str = ""


class _Allowance:
    """Counts what an archive gives; declared sizes may lie, so bytes are counted as they come."""

    def __init__(self) -> None:
        self._left = MOST_BYTES

    def read(self, file: IO[bytes] | gzip.GzipFile) -> bytes:
        parts = []
        while part := file.read(_CHUNK):
            self._left -= len(part)
            if self._left < 0:
                raise UnreadableError(f"it unpacks to more than {MOST_BYTES >> 20} MB")
            parts.append(part)
        return b"".join(parts)


@contextmanager
def opened_zip(raw: bytes) -> Iterator[zipfile.ZipFile]:
    """A zip file, or a document that is one inside, after a look at what it says it unpacks to."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UnreadableError(f"it is damaged ({' '.join(str(error).split())})") from error
    with archive:
        entries = archive.infolist()
        if len(entries) > MOST_MEMBERS:
            raise UnreadableError(f"it holds {len(entries)} files, more than {MOST_MEMBERS}")
        if sum(entry.file_size for entry in entries) > MOST_BYTES:
            raise UnreadableError(f"it unpacks to more than {MOST_BYTES >> 20} MB")
        yield archive


def zip_members(raw: bytes) -> Iterator[Member]:
    """Every file of a zip archive."""
    allowance = _Allowance()
    with opened_zip(raw) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if entry.flag_bits & 1:
                yield Member(entry.filename, b"", "it is password-protected: save a copy without the password")
                continue
            try:
                with archive.open(entry) as file:
                    yield Member(entry.filename, allowance.read(file))
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
                yield Member(entry.filename, b"", f"it is damaged ({' '.join(str(error).split())})")


def gzip_members(raw: bytes) -> Iterator[Member]:
    """The one file of a gzip archive; its name is that of the archive without the suffix, so it is left empty here."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            yield Member("", _Allowance().read(file))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableError(f"it is damaged ({' '.join(str(error).split())})") from error


def tar_members(raw: bytes) -> Iterator[Member]:
    """Every regular file of a tar archive, compressed or not; links and devices are named and left out."""
    allowance = _Allowance()
    try:
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            for number, entry in enumerate(archive, 1):
                if number > MOST_MEMBERS:
                    raise UnreadableError(f"it holds more than {MOST_MEMBERS} files")
                if entry.isdir():
                    continue
                file = archive.extractfile(entry) if entry.isreg() else None
                yield (
                    Member(entry.name, allowance.read(file)) if file else Member(entry.name, b"", "not a regular file")
                )
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UnreadableError(f"it is damaged ({' '.join(str(error).split())})") from error


# By suffix, the longest first: what is in the file.
ARCHIVES: Mapping[str, Callable[[bytes], Iterator[Member]]] = {
    ".tar.gz": tar_members,
    ".tgz": tar_members,
    ".tar": tar_members,
    ".zip": zip_members,
    ".gz": gzip_members,
}


def read_epub(raw: bytes) -> Content:
    """An e-book: its chapters in reading order, as Markdown."""
    allowance, chapters = _Allowance(), []
    with opened_zip(raw) as archive:

        def part(name: str) -> bytes:
            try:
                with archive.open(name) as file:
                    return allowance.read(file)
            except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
                raise UnreadableError(f"its part {name!r} is missing, damaged or encrypted") from error

        try:
            package = _first(ElementTree.fromstring(part("META-INF/container.xml")), "rootfile").attrib["full-path"]
            book = ElementTree.fromstring(part(package))
            files = {item.attrib["id"]: item.attrib["href"] for item in _all(book, "item")}
            for reference in _all(book, "itemref"):
                name = posixpath.normpath(posixpath.join(posixpath.dirname(package), files[reference.attrib["idref"]]))
                chapters.append(html_content(part(name).decode("utf-8", "replace")).text)
        except (ElementTree.ParseError, KeyError) as error:
            raise UnreadableError(f"it is not a readable e-book ({error})") from error
        titles = [" ".join((element.text or "").split()) for element in _all(book, "title")]
    return Content("\n\n".join(filter(None, chapters)), next(filter(None, titles), ""))


def _all(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """Elements by local name: the name spaces of e-books differ by version."""
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == tag]


def _first(root: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = _all(root, tag)
    if not found:
        raise KeyError(tag)
    return found[0]


def read_mail(raw: bytes) -> Content:
    """A mail: who wrote it, to whom and when, then its text."""
    message = _parsed(raw)
    body = message.get_body(("plain", "html"))
    text = clean(str(body.get_content())) if body is not None else ""
    if body is not None and body.get_content_subtype() == "html":
        text = html_content(text).text
    subject = clean(str(message["subject"] or "")).strip()
    head = [f"{name}: {clean(str(message[name]))}" for name in ("From", "To", "Date", "Subject") if message[name]]
    if not head and not text.strip():
        raise UnreadableError("it holds no mail")
    metadata = {name.lower(): clean(str(message[name])) for name in ("From", "Date") if message[name]}
    return Content("\n".join(head) + "\n\n" + text, subject, metadata)


def mail_attachments(raw: bytes) -> Iterator[Member]:
    """The files that a mail carries."""
    for number, part in enumerate(_parsed(raw).iter_attachments(), 1):
        content = part.get_payload(decode=True)
        name = part.get_filename() or f"attachment {number}"
        if isinstance(content, bytes):
            yield Member(name, content)
        else:
            yield Member(name, b"", "a mail within a mail: save it as a file of its own")


def _parsed(raw: bytes) -> EmailMessage:
    try:
        message = BytesParser(policy=policy.default).parsebytes(raw)
    except (ValueError, LookupError, TypeError, AttributeError, IndexError) as error:
        raise UnreadableError(f"it is not a readable mail ({type(error).__name__})") from error
    assert isinstance(message, EmailMessage)
    return message
