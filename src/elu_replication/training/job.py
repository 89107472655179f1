"""Jobs of a launcher, and the events that they report."""

from typing import Literal, NamedTuple

from elu_replication.config.schema import Arm


class Job(NamedTuple):
    """A run to train and store or, with `audited_epochs`, only its first epochs, which are not stored."""

    arm: Arm
    seed: int
    audited_epochs: int = 0

    def __str__(self) -> str:
        return f"{self.arm.name} seed {self.seed}"


class Event(NamedTuple):
    """A job finished an epoch, or ended: finished, diverged, failed or audited."""

    job: Job
    kind: Literal["epoch", "finished", "diverged", "failed", "audited"]
    epoch: int = 0
    detail: str = ""  # why the job failed
    rows: tuple[list[str], ...] = ()  # of the history of an audited job
