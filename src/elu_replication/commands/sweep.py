"""Train a custom arm, or with -m a sweep of them: Hydra's command line.

python -m elu_replication activation=relu epochs=5
python -m elu_replication -m activation=elu,relu,sigmoid epochs=5
"""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from elu_replication.config.compose import COMPOSITION_ERRORS, configuration, explain
from elu_replication.config.experiments import CUSTOM, custom_arm
from elu_replication.config.options import CONF, has, require_root
from elu_replication.config.params import default_campaign
from elu_replication.config.schema import PARAMETERS, PUBLISHED, Arm
from elu_replication.console import say, table
from elu_replication.errors import UserError, brief
from elu_replication.runs import store
from elu_replication.training import campaign

losses: list[float] = []  # what the jobs of this process returned


def applicable(jobs: Sequence[Sequence[str]], configs: Sequence[DictConfig]) -> list[list[str]]:
    """The overrides of each job, less a parameter that only other jobs' options have: activation.alpha=0.5
    is for ELU where a sweep has ELU and ReLU. One that no job's option has stays, to be refused."""

    def lacks(config: DictConfig, override: str) -> bool:
        group, _, parameter = override.partition("=")[0].partition(".")
        return PARAMETERS.get(group) == parameter and not has(group, config[group].name, parameter)

    return [
        [word for word in job if not lacks(config, word) or all(lacks(other, word) for other in configs)]
        for job, config in zip(jobs, configs, strict=True)
    ]


def bring_up_to_date(configs: Sequence[DictConfig]) -> list[Arm]:
    """The arms that the configurations describe, each once, with every run stored."""
    chosen = [configuration(config) for config in configs]
    defaults = {"scale": PUBLISHED, "campaign": default_campaign()}
    for each in chosen:
        for key, default in defaults.items():
            if getattr(each, key) != default:
                told = "is of `make replicate SET=...`; here set epochs, train_images or seeds"
                raise UserError(f"{key}: {told}")
    by_name: dict[str, Arm] = {}
    for arm in map(custom_arm, chosen):
        seeds = dict.fromkeys((*by_name.get(arm.name, arm).seeds, *arm.seeds))
        by_name[arm.name] = replace(arm, seeds=tuple(seeds))
    arms = list(by_name.values())
    store.require_whole(arms)
    campaign.take_published(arms)
    jobs = campaign.pending(arms)
    stored = sum(len(arm.seeds) for arm in arms) - len(jobs)
    about = f", about {campaign.minutes(jobs):.1f} min" if jobs else ""
    say(f"{len(arms)} arms: {len(jobs)} runs to train{about}, {stored} stored already")
    if jobs:
        from elu_replication.datasets import fetch  # only where something is trained

        for dataset in {each.dataset.name: each.dataset for each in chosen}.values():
            fetch.ensure(dataset)
    campaign.train(jobs, chosen[0].launcher)
    return arms


def comparison(arms: Sequence[Arm]) -> None:
    """Print one table of the arms' scores, each named by what sets it apart from the others, and how each
    differs from the first."""
    from elu_replication.reports import tables  # pandas, which a wrong option need not wait for
    from elu_replication.reports.arms import Row

    settings = [arm.protocol.flat() for arm in arms]
    keys = dict.fromkeys(key for each in settings for key in each)
    differing = [key for key in keys if len({each.get(key) for each in settings}) > 1]
    rows = []
    for arm, each in zip(arms, settings, strict=True):
        told = " ".join(f"{key}={each[key]}" for key in differing if key in each)
        rows.append(Row("", told or arm.name, arm, None))
    tables.show(tables.summary(rows), "Custom arms: last epoch, mean ± standard deviation over seeds")
    lines = [[row.label, *differences(arms[0], row.arm)] for row in rows[1:]]
    if any(number for _, _, number, *_ in lines):
        title = f"Less {rows[0].label}, paired by seed: mean [95% interval]"
        table(title, ["Arm", "Test accuracy", "Pairs", "Test loss"], lines)
    say(f"Histories: {CUSTOM}/")


def differences(first: Arm, other: Arm) -> list[str]:
    """By how much another arm's last-epoch test accuracy and loss exceed the first's, with the number of
    seeds that both have finished between them; empty where that is below 2."""
    from elu_replication.claims import statistics

    both = [
        {record.seed: record.final for record in store.current(arm) if record.status == "finished"}
        for arm in (first, other)
    ]
    seeds = sorted(both[0].keys() & both[1].keys())
    if len(seeds) < 2:
        return ["", "", ""]
    texts = []
    for name in ("test_accuracy", "test_loss"):
        values = [getattr(both[1][seed], name) - getattr(both[0][seed], name) for seed in seeds]
        mean, _ = statistics.mean_and_sd(values)
        low, high = statistics.t_interval(values)
        texts.append("-" if math.isnan(mean) else f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]")
    return [texts[0], str(len(seeds)), texts[1]]


def job(config: DictConfig) -> float:
    """One arm; returns its mean last-epoch loss on validation images (on training images where
    none are held out), for sweepers that minimise; infinite where a seed diverged."""
    try:
        losses.append(_job(config))
        return losses[-1]
    except (UserError, OSError) as error:  # else Hydra would add lines of its own
        sys.exit(f"error: {brief(error)}")


def _job(config: DictConfig) -> float:
    (arm,) = bring_up_to_date([config]) if not _sweeping() else [custom_arm(configuration(config))]
    if not _sweeping():
        comparison([arm])
    records = store.current(arm)
    diverged = [str(record.seed) for record in records if record.status == "diverged"]
    if diverged and _sweeping():
        return math.inf  # the worst there is, to a sweeper
    if diverged:
        raise UserError(
            f"{arm.name}: the loss of seed {', '.join(diverged)} became NaN or infinite "
            f"(kept in {arm.folder}): lower optimizer.learning_rate"
        )
    scores = [record.final for record in records]
    ends = [s.train_loss if s.validation_loss is None else s.validation_loss for s in scores]
    return sum(ends) / len(ends)


def _sweeping() -> bool:
    return HydraConfig.get().mode == RunMode.MULTIRUN


def main() -> None:
    require_root()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here, where they are told in one line
    try:
        hydra.main(str(CONF.resolve()), "config", version_base="1.3")(job)()
    except COMPOSITION_ERRORS as error:
        if HydraConfig.initialized():  # composed by then: the error is not in what was asked for
            raise
        raise UserError(explain(error)) from error
    if losses and all(math.isinf(loss) for loss in losses):
        raise UserError(
            f"each of the {len(losses)} arms diverged, and none is best: lower optimizer.learning_rate"
        )
