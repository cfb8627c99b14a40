"""Progress of one try: never backwards, with a guess at the time left."""

from __future__ import annotations

LEAST_SECONDS = 0.5  # of observed progress before a guess is made
LEAST_SHARE = 0.02


class Pace:
    """Takes fractions as they come. `fraction` is what to show, 0...1; it never falls."""

    def __init__(self) -> None:
        self.fraction = 0.0
        self._first: tuple[float, float] | None = None  # time and fraction of the first report: loading comes before it
        self._last = 0.0

    def offer(self, fraction: float, now: float) -> bool:
        """Whether there is something new to show. now: s, monotonic. Values that are no numbers are left out."""
        if self._first is None:
            self._first = (now, max(self.fraction, min(fraction, 1.0)))
        elif not fraction > self.fraction:
            return False
        self.fraction = max(self.fraction, min(fraction, 1.0))
        self._last = now
        return True

    def seconds_left(self) -> float | None:
        """At the mean speed so far, counted from the last report; None while too little was seen to tell."""
        if self._first is None:
            return None
        since, share = self._last - self._first[0], self.fraction - self._first[1]
        if since < LEAST_SECONDS or share < LEAST_SHARE:
            return None
        return round(since / share * (1.0 - self.fraction), 1)
