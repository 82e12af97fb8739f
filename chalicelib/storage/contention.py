"""How widely a process spreads its picks over the head of a queue.

One consumer takes the very head, so order is exact. When claims are lost, others want the same messages; the process
then picks from a window that grows with its lost claims and shrinks with its wins.
"""

_WIDEST = 128
_SHRINK = 8  # a win takes an eighth of the window: with a half, the next claim would meet the others again (ADR 14)


class Spread:
    """The window of each partition, beyond what is asked for."""

    def __init__(self) -> None:
        self._widths: dict[str, int] = {}

    def width(self, partition: str) -> int:
        """How many candidates more than needed to choose from."""
        return self._widths.get(partition, 0)

    def share(self, partition: str, wanted: int) -> int:
        """How many of those wanted to claim at once: the wider the window, the fewer, and one at the widest."""
        return max(1, wanted * (_WIDEST - self.width(partition)) // _WIDEST)

    def learn(self, partition: str, *, won: int, lost: int) -> None:
        """Take in the outcome of some claims."""
        width = self._widths.get(partition, 0)
        if lost:
            self._widths[partition] = min(_WIDEST, 2 * width + lost)
        elif width and won:
            narrower = width - -(-width // _SHRINK)
            if narrower:
                self._widths[partition] = narrower
            else:
                del self._widths[partition]
