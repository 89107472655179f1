"""Train a custom arm or, with -m, a sweep of custom arms: Hydra's command line.

python -m elu_replication activation=relu epochs=5
python -m elu_replication -m activation=elu,relu,sigmoid epochs=5
"""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from elu_replication.config import documents
from elu_replication.config.compose import COMPOSITION_ERRORS, configuration, explain, require_derived
from elu_replication.config.experiments import CUSTOM, custom_arm
from elu_replication.config.options import CONF, has, option, require_root
from elu_replication.config.schema import PARAMETERS, PUBLISHED, Arm, Campaign
from elu_replication.console import say, table
from elu_replication.datasets import fetch
from elu_replication.errors import UserError, brief
from elu_replication.runs import store
from elu_replication.training import campaign

losses: list[float] = []  # what the jobs of this process returned
results: set[Path] = set()  # the file in which a search writes the best of them


def applicable(jobs: Sequence[Sequence[str]], configs: Sequence[DictConfig]) -> list[list[str]]:
    """The overrides of each job, without parameters that only options of other jobs have: in a sweep of ELU
    and ReLU, activation.alpha=0.5 is for ELU. A parameter that no job's option has stays and is refused."""

    def lacks(config: DictConfig, override: str) -> bool:
        group, _, parameter = override.partition("=")[0].partition(".")
        return PARAMETERS.get(group) == parameter and not has(group, config[group].name, parameter)

    return [
        [word for word in job if not lacks(config, word) or all(lacks(other, word) for other in configs)]
        for job, config in zip(jobs, configs, strict=True)
    ]


def bring_up_to_date(configs: Sequence[DictConfig]) -> list[Arm]:
    """Train the missing runs of the configurations' custom arms; returns the arms, each once."""
    for config in configs:
        require_derived(config)
    jobs_values = [configuration(config) for config in configs]
    for values in jobs_values:
        for key, default in (("scale", PUBLISHED), ("campaign", option(Campaign, "campaign", "core"))):
            if getattr(values, key) != default:
                remedy = "is for `make replicate SET=...`; here set epochs, train_images or seeds"
                raise UserError(f"{key}: {remedy}")
    by_name: dict[str, Arm] = {}
    for arm in map(custom_arm, jobs_values):
        seeds = dict.fromkeys((*by_name.get(arm.name, arm).seeds, *arm.seeds))
        by_name[arm.name] = replace(arm, seeds=tuple(seeds))
    arms = list(by_name.values())
    store.require_whole(arms)
    campaign.take_published(arms)
    jobs, launcher = campaign.pending(arms), jobs_values[0].launcher
    stored = sum(len(arm.seeds) for arm in arms) - len(jobs)
    about = f", about {campaign.minutes(jobs, launcher):.1f} min" if jobs else ""
    say(f"{len(arms)} arms: {len(jobs)} runs to train{about}, {stored} stored already")
    fetch.ensure_all((job.arm.protocol for job in jobs), *(values.dataset for values in jobs_values))
    campaign.train(jobs, launcher)
    return arms


def comparison(arms: Sequence[Arm]) -> None:
    """Print one table of the arms' scores, each named by what sets it apart from the others, and how each
    differs from the first."""
    from elu_replication.reports import tables  # pandas, which a wrong option need not wait for
    from elu_replication.reports.arms import Row

    settings = [arm.protocol.flat() for arm in arms]
    keys = dict.fromkeys(key for values in settings for key in values)
    differing = [key for key in keys if len({values.get(key) for values in settings}) > 1]
    rows = []
    for arm, values in zip(arms, settings, strict=True):
        label = " ".join(f"{key}={values[key]}" for key in differing if key in values)
        rows.append(Row("", label or arm.name, arm, None))
    tables.show(tables.summary(rows), "Custom arms")
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
    """Train one arm; returns its mean last-epoch loss on validation images (or on training images, if there
    are none), which sweepers minimise: infinite if a seed of a sweep diverged."""
    try:
        losses.append(_job(config))
        return losses[-1]
    except (UserError, OSError) as error:  # else Hydra would add lines of its own
        sys.exit(f"error: {brief(error)}")


def _job(config: DictConfig) -> float:
    settings = HydraConfig.get()
    sweeping = settings.mode == RunMode.MULTIRUN
    if sweeping and settings.runtime.choices["hydra/sweeper"] != "basic":
        results.add(Path(settings.sweep.dir, "optimization_results.yaml"))
    (arm,) = [custom_arm(configuration(config))] if sweeping else bring_up_to_date([config])
    if not sweeping:
        comparison([arm])
    records = store.current(arm)
    diverged = [str(record.seed) for record in records if record.status == "diverged"]
    if diverged and sweeping:
        return math.inf
    if diverged:
        raise UserError(
            f"{arm.name}: the loss of seed {', '.join(diverged)} became NaN or infinite "
            f"(kept in {arm.folder}): lower optimizer.learning_rate"
        )
    scores = [record.final for record in records]
    losses = [s.train_loss if s.validation_loss is None else s.validation_loss for s in scores]
    return sum(losses) / len(losses)


def main() -> None:
    require_root()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors, which become one line here
    try:
        hydra.main(str(CONF.resolve()), "config", version_base="1.3")(job)()
    except COMPOSITION_ERRORS as error:
        if HydraConfig.initialized():  # composed by then: the error is not one of the overrides
            raise
        raise UserError(explain(error, sys.argv[1:])) from error
    if losses and math.isinf(best()):
        raise UserError(
            f"each of the {len(losses)} arms diverged, and none is best: lower optimizer.learning_rate"
        )


def best() -> float:
    """The least loss of the sweep that ended here; of a search, also of its earlier parts in its storage.
    The search's file of results is removed where that loss is infinite, which is no result."""
    for file in results:
        value: float = documents.read(file)["best_value"]
        if math.isinf(value):
            file.unlink()
        return value
    return min(losses)
