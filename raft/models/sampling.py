"""What is done with the scores of next words while a batch is written: sampled from few, and noted."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from raft.models.generator import Decoding


def keep_only(scores: torch.Tensor, allowed: list[int]) -> None:
    """Give all words but these minus infinity. scores: (vocabulary), of one row, changed in place."""
    kept = scores[allowed]
    scores.fill_(-torch.inf)
    scores[allowed] = kept


class Nucleus:
    """Sample from the likeliest words that together hold `top_p` of the chance (Holtzman et al. 2020), at most 64.

    transformers' own sorts the whole vocabulary at each step, which took longer than the model on a CPU.
    """

    _MOST = 64

    def __init__(self, decoding: Decoding) -> None:
        self._top_p, self._temperature = decoding.top_p, decoding.temperature

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (batch, vocabulary) before the temperature; words outside the nucleus get minus infinity."""
        best, words = scores.topk(min(self._MOST, scores.shape[-1]), dim=-1)
        chances = (best / self._temperature).softmax(-1)
        best = best.masked_fill(chances.cumsum(-1) - chances >= self._top_p, -torch.inf)
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
