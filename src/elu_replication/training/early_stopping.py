"""Early stopping: when a run with some patience stops, and which epoch's weights it ends with."""

from collections.abc import Sequence
from typing import NamedTuple


class Stop(NamedTuple):
    """Epochs from 1: the last one trained, and the one whose weights are restored."""

    epoch: int
    best: int


def stop(validation_losses: Sequence[float], patience: int | None) -> Stop:
    """Where a run with these losses by epoch stops: after `patience` epochs without a lower one, or,
    with None, at the end. Like Keras' EarlyStopping with restore_best_weights and no minimum change.
    """
    best = 1
    for epoch, loss in enumerate(validation_losses, 1):
        if loss < validation_losses[best - 1]:
            best = epoch
        elif patience is not None and epoch - best >= patience:
            return Stop(epoch, best)
    return Stop(len(validation_losses), best)
