"""What each token of a vocabulary writes, in bytes: text can be followed through tokens that split its characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
# Longer tokens are runs of one mark; shorter ones write the same.
LONGEST = 24


class Pieces:
    """The bytes of every token that writes text; special tokens write none."""

    def __init__(self, by_token: Mapping[int, bytes]) -> None:
        self._by_token = by_token
        self._tokens: dict[bytes, list[int]] = {}
        for token, written in by_token.items():
            if written:
                self._tokens.setdefault(written, []).append(token)
        self._digits = {token: written for token, written in by_token.items() if written[:1].isdigit()}

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Pieces | None:
        """Those of a byte-level tokenizer (GPT-2, Llama 3, Qwen) or of SentencePiece; None where it is of another kind.

        Word pieces, for one, do not tell which blanks stood between them.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            return None
        kinds = repr(backend.decoder)
        vocabulary = tokenizer.get_vocab()
        added = {token: added.content.encode() for token, added in tokenizer.added_tokens_decoder.items()}
        if "ByteLevel" in kinds:
            letters = _byte_letters()
            found = {
                token: bytes(letters[letter] for letter in piece)
                for piece, token in vocabulary.items()
                if all(letter in letters for letter in piece)
            }
        elif "\u2581" in kinds:
            found = {token: _of_sentencepiece(piece) for piece, token in vocabulary.items()}
        else:
            return None
        special = set(tokenizer.all_special_ids)
        return cls({token: written for token, written in {**found, **added}.items() if token not in special})

    def written(self, token: int) -> bytes:
        """The bytes of a token; none where it is special."""
        return self._by_token.get(token, b"")

    def beginning(self, text: bytes, at: int) -> Iterator[int]:
        """The tokens that `text` may go on with at a place."""
        for end in range(at + 1, min(at + LONGEST, len(text)) + 1):
            yield from self._tokens.get(text[at:end], ())

    @property
    def digits(self) -> Mapping[int, bytes]:
        """The tokens that begin with a digit."""
        return self._digits


def _of_sentencepiece(piece: str) -> bytes:
    byte = _BYTE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace("\u2581", " ").encode()


def _byte_letters() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for (Radford et al. 2019, their `encoder.py`).

    Bytes that are no printable Latin-1 letters are shown by the letters from 256 on, in their order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
