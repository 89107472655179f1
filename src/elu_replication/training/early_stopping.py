"""Early stopping: the epoch after which a run stops, and the epoch whose weights it keeps."""

from collections.abc import Sequence
from typing import NamedTuple


class Stop(NamedTuple):
    """Epochs from 1: the last one trained, and the one whose weights are restored."""

    epoch: int
    best: int


def stop(validation_losses: Sequence[float], patience: int | None) -> Stop:
    """Where a run with these losses, one per epoch, stops: after `patience` epochs without a lower loss, or
    at the end if `patience` is None. A NaN is never lower. The same rule as keras.callbacks.EarlyStopping
    with restore_best_weights and min_delta 0."""
    best = 1
    for epoch, loss in enumerate(validation_losses, 1):
        if loss < validation_losses[best - 1]:
            best = epoch
        elif patience is not None and epoch - best >= patience:
            return Stop(epoch, best)
    return Stop(len(validation_losses), best)
