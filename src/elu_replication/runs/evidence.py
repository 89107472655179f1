"""Which seeds of declared arms count: exploration's until an experiment's fresh seeds are all stored, then
those alone."""

from collections.abc import Iterable
from dataclasses import replace

from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.engine import kernels
from elu_replication.runs import store

FRESH = "fresh seeds"
EXPLORATION = "exploration"


def stored_fresh(arm: Arm) -> int:
    """How many of the arm's fresh seeds are stored as declared and made with portable kernels."""
    records = store.current(replace(arm, seeds=arm.fresh_seeds)) if arm.fresh_seeds else []
    return sum(record.environment.kind_of_kernels == kernels.PORTABLE for record in records)


def complete(experiment: str) -> bool:
    """Whether every arm that the experiment trains has fresh seeds, and all of them are stored."""
    arms = [
        experiments.arm(f"{experiment}-{name}", PUBLISHED) for name in experiments.load(experiment).arms
    ]
    own = [arm for arm in arms if arm.folder.parent.name == experiment]
    return all(arm.fresh_seeds and stored_fresh(arm) == len(arm.fresh_seeds) for arm in own)


def counting(arms: Iterable[Arm]) -> list[Arm]:
    """The arms with the seeds that count for what is shown of them together: their fresh seeds alone where
    the experiments that train them are complete, and otherwise the seeds that they come with.

    All arms change at once, since arms are paired by seed, and no part of the fresh seeds is looked at
    before the rest.
    """
    arms = list(arms)
    homes = {arm.folder.parent.name for arm in arms if arm.fresh_seeds}
    if homes and all(arm.fresh_seeds for arm in arms) and all(map(complete, sorted(homes))):
        return [replace(arm, seeds=arm.fresh_seeds) for arm in arms]
    return arms


def counted(names: Iterable[str]) -> dict[str, Arm]:
    """Declared arms at published scale by full name, with the seeds that count for all of them together."""
    arms = {name: experiments.arm(name, PUBLISHED) for name in names}
    return dict(zip(arms, counting(arms.values()), strict=True))


def evidence(arms: Iterable[Arm]) -> str:
    """What the seeds that count are, e.g. "exploration; fresh seeds: 3 of 12"; empty for custom and quick
    arms."""
    distinct = {arm.name: arm for arm in arms}.values()
    if not (declared := [arm for arm in distinct if arm.fresh_seeds]):
        published = experiments.RESULTS / PUBLISHED.name
        return EXPLORATION if any(arm.folder.is_relative_to(published) for arm in distinct) else ""
    if all(arm.seeds == arm.fresh_seeds for arm in counting(declared)):
        return FRESH
    number = sum(len(arm.fresh_seeds) for arm in declared)
    return f"{EXPLORATION}; {FRESH}: {sum(map(stored_fresh, declared))} of {number}"
