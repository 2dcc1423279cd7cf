"""How many calls of an endpoint are under way at once: few at first, more while it keeps up, fewer when it asks."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_GROWTH = 4
# Answers that take this many times as long as they did say that calls wait for each other.
_SLOWER = 2.0
# Fewer answers than this say little about how long one takes.
_SAMPLE = 4
# The time to compare with drifts by this, so that no lucky window holds growth up for ever.
_DRIFT = 1.1


class Pace:
    """A number of slots that follows the endpoint; threads may share it.

    After TCP (Jacobson 1988): fast growth up to the first sign of congestion, then half as many and one more each time
    that all slots were used once. The first call is made alone, so that a wrong key or name is told by one.
    """

    def __init__(self, most: int) -> None:
        self.most, self.slots, self.shrunk = most, 1, 0
        self._busy = self._count = 0
        self._seconds, self._least = 0.0, math.inf
        self._fast = True
        self._changed = threading.Condition()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot and hold it."""
        with self._changed:
            while self._busy >= self.slots:
                self._changed.wait()
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def answered(self, seconds: float) -> None:
        """One call was answered. After as many as there are slots, decide whether there are to be more."""
        with self._changed:
            self._count += 1
            self._seconds += seconds
            if self._count < self.slots:
                return
            mean, sampled = self._seconds / self._count, self._count >= _SAMPLE
            self._count, self._seconds = 0, 0.0
            if mean > _SLOWER * self._least and sampled:
                self._fast = False
                self._least *= _DRIFT
                return
            if sampled:
                self._least = min(self._least, mean)
            self.slots = min(self.most, self.slots * _GROWTH if self._fast else self.slots + 1)
            self._changed.notify_all()

    def refused(self, shrunk: int) -> None:
        """The endpoint asked for fewer calls. shrunk: the value of that name when the call began.

        Of calls that were under way together the first that is refused says all that there is to learn.
        """
        with self._changed:
            if shrunk != self.shrunk:
                return
            self.shrunk += 1
            self._count, self._seconds, self._fast = 0, 0.0, False
            self.slots = max(1, self.slots // 2)
