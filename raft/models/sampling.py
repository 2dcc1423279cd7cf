"""What is done with the scores of next words while a batch is written: sampled from few, and noted."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from raft.models.generator import Decoding


def keep_only(scores: torch.Tensor, allowed: Sequence[int]) -> None:
    """Give all words but these minus infinity. scores: (vocabulary), of one row, changed in place."""
    words = list(allowed)
    kept = scores[words]
    scores.fill_(-torch.inf)
    scores[words] = kept


# Of more words than these the likeliest are no better than the rest.
_MOST = 64


def nucleus(scores: torch.Tensor, decoding: Decoding) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest words that together hold `top_p` of the chance (Holtzman et al. 2020), at most 64.

    scores: (batch, vocabulary), before the temperature. Returns scores and words, (batch, at most 64) each; those
    outside the nucleus have minus infinity. transformers' own sorts the whole vocabulary at each step, which took
    longer than the model on a CPU.
    """
    best, words = scores.topk(min(_MOST, scores.shape[-1]), dim=-1)
    chances = (best / decoding.temperature).softmax(-1)
    return best.masked_fill(chances.cumsum(-1) - chances >= decoding.top_p, -torch.inf), words


class Nucleus:
    """The same as a logits processor."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (batch, vocabulary) before the temperature; words outside the nucleus get minus infinity."""
        best, words = nucleus(scores, self._decoding)
        return torch.full_like(scores, -torch.inf).scatter(-1, words, best)


class Likelihood:
    """Notes the log-probability of every word that is chosen, as the model gave it: the first of the processors."""

    def __init__(self) -> None:
        self._before: torch.Tensor | None = None
        self._chosen: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (batch, vocabulary), unchanged. The last of `input_ids` is what was chosen of those before."""
        self._note(input_ids[:, -1])
        self._before = scores.float().log_softmax(-1)
        return scores

    def _note(self, chosen: torch.Tensor) -> None:
        if self._before is not None:
            self._chosen.append(self._before.gather(1, chosen[:, None])[:, 0])

    def means(self, fresh: torch.Tensor, spans: Sequence[tuple[int, int]], pad: int) -> list[float]:
        """The mean over the tokens of each row of `fresh` (batch, written) in its span, first and one past the last."""
        self._note(fresh[:, -1])
        written = torch.stack(self._chosen, dim=1)
        place = torch.arange(fresh.shape[1], device=fresh.device)
        first, end = torch.tensor(spans, device=fresh.device).T[..., None]
        counted = (place >= first) & (place < end) & (fresh != pad)
        means: list[float] = ((written * counted).sum(-1) / counted.sum(-1).clamp(min=1)).tolist()
        return means
