"""What launchers run and tell of: a job, and the events of it."""

from typing import NamedTuple

from elu_replication.config.schema import Arm


class Job(NamedTuple):
    """A run to be made and stored; or with `audited_epochs`, its beginning only, not stored."""

    arm: Arm
    seed: int
    audited_epochs: int = 0

    def __str__(self) -> str:
        return f"{self.arm.name} seed {self.seed}"


class Event(NamedTuple):
    """What became of a job: an epoch of it is done, or it ended, well or not."""

    job: Job
    kind: str  # epoch, finished, diverged, failed or audited
    epoch: int = 0
    detail: str = ""
    rows: tuple[list[str], ...] = ()  # of an audited beginning
