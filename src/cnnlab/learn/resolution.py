"""Training images that grow over the run, as in Howard's fast.ai entry to DAWNBench, 2018: early epochs cost less."""

STEP = 2  # pixels


class Resolution:
    """Sides that grow evenly, epoch by epoch, from `first` to the full one.

    Args:
        first: the side in the first epoch; None for the full one from the start.
        full_from: the share of the epochs after which the images are full.
    """

    def __init__(self, first: int | None = None, full_from: float = 0.75) -> None:
        self.first, self.full_from = first, full_from

    def side(self, share: float, full: int) -> int:
        """The side, in pixels, when `share` of the epochs are over, for images of `full` pixels."""
        if self.first is None or share >= self.full_from:
            return full
        return self.first + round((full - self.first) * share / self.full_from / STEP) * STEP
