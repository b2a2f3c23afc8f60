"""How far a task is: nested spans of one line from 0 to 1. The fraction never falls."""

from dataclasses import dataclass


@dataclass(slots=True)
class Span:
    """A part of the line; `at` is how far it has come."""

    start: float
    end: float
    at: float


class Position:
    """Where a task stands. What opens a span inside another refines the other's current stretch."""

    def __init__(self) -> None:
        self._spans = [Span(0.0, 1.0, 0.0)]
        self._furthest = 0.0

    def open(self, share: float | None = None) -> Span:
        """A span over `share` (0 to 1) of the enclosing span, from where that stands; over all that is left of it without a share."""
        outer = self._spans[-1]
        length = outer.end - outer.at if share is None else (outer.end - outer.start) * share
        span = Span(outer.at, min(outer.end, outer.at + length), outer.at)
        self._spans.append(span)
        return span

    def close(self, span: Span) -> None:
        """Leave `span` and every span inside it; the enclosing one stands where it ends."""
        # A generator that is closed late may come after its outer span: then there is nothing to leave.
        for depth in range(len(self._spans) - 1, 0, -1):
            if self._spans[depth] is span:
                del self._spans[depth:]
                self._spans[-1].at = max(self._spans[-1].at, span.end)
                return

    def move(self, fraction: float) -> float:
        """Set how far the innermost span is (0 to 1); the fraction of the whole."""
        span = self._spans[-1]
        span.at = span.start + (span.end - span.start) * min(1.0, max(0.0, fraction))
        return self.fraction()

    def fraction(self) -> float:
        """How far the whole is."""
        self._furthest = max(self._furthest, self._spans[-1].at)
        return self._furthest
