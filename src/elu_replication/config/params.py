"""params.yaml is made from conf/ and experiments/, here or by `dvc exp run`, and never edited.

The resolvers below add what DVC's stages need to whatever composes conf/config.yaml; DVC's own
composition finds them through the hydra_plugins package beside this one.
"""

import argparse
import fcntl
import itertools
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from elu_replication import atomic
from elu_replication.config.compose import composed, configuration, explain
from elu_replication.config.documents import validated
from elu_replication.config.experiments import RESULTS, arm, custom_arm, digest, selected
from elu_replication.config.options import group_option
from elu_replication.config.schema import (
    PUBLISHED,
    Arm,
    Campaign,
    Params,
    Scale,
    Stage,
    arm_from,
    dataset_facts,
)
from elu_replication.errors import UserError, one_line, run_main

FILE = Path("params.yaml")
LOCK = Path(".dvc/tmp/params.lock")
RWLOCK = Path(".dvc/tmp/rwlock")
BEFORE = Path(".dvc/tmp/params.before")  # there while a command has replaced the file
UNCHANGED = "machinecurve_25-he_elu1"  # what the top level of conf/config.yaml describes
HEADER = "# Made from conf/ and experiments/ by `make params`; edit those.\n"


def experiment_of(arm: Arm) -> str:
    """The entry of `experiments` that an arm is of; its name has the scale before it, but for published."""
    return arm.name.rpartition("-")[0]


def stages(scale: Scale, campaign: Campaign) -> dict[str, Stage]:
    """What DVC trains: each experiment of a campaign with its data set and folder, and with a digest that
    changes when one of its arms does."""
    arms = sorted(selected(scale, campaign).values(), key=experiment_of)
    grouped = {name: list(group) for name, group in groupby(arms, experiment_of)}
    return {name: stage(name, group) for name, group in grouped.items()}


def stage(name: str, arms: list[Arm]) -> Stage:
    """The entry of one experiment; raises UserError where its arms have several data sets."""
    datasets = sorted({arm.protocol.dataset.name for arm in arms})
    if len(datasets) > 1:
        raise UserError(f"{name}: its arms have the data sets {', '.join(datasets)}; one is possible")
    folder = str(arms[0].folder.parent)
    return Stage(dataset=datasets[0], folder=folder, arms=len(arms), protocols=digest(arms))


def experiments(config: DictConfig) -> dict[str, Any]:
    """The `experiments` of params.yaml."""
    chosen = configuration(config)
    return {name: each.model_dump() for name, each in stages(chosen.scale, chosen.campaign).items()}


def custom(config: DictConfig) -> dict[str, Any]:
    """The `custom` of params.yaml: the arm that the top level describes, unless conf/config.yaml is
    unchanged, whose arm is published."""
    custom = custom_arm(configuration(config))
    unchanged = replace(custom, protocol=arm(UNCHANGED, PUBLISHED).protocol, seeds=(0,), save_model=False)
    return {} if custom == unchanged else {"arm": custom.as_params()}


def default_campaign() -> Campaign:
    """What a plain `make replicate` brings up to date."""
    return validated(Campaign, group_option("campaign", "core"))


def datasets(config: DictConfig) -> dict[str, str]:
    """The `datasets` of params.yaml: those that the arms need, each with its digest."""
    here = configuration(config).dataset
    names = {values["dataset"] for values in experiments(config).values()}
    names |= {values["dataset"]["name"] for values in custom(config).values()}
    return {name: (here if name == here.name else dataset_facts(name)).digest for name in sorted(names)}


def reports(config: DictConfig) -> dict[str, Any]:
    """The `reports` of params.yaml: the scale whose tables and figures are made, and its runs."""
    scale = config.scale.name
    return {scale: {"runs": str(RESULTS / scale / "runs")}}


def words(given: str) -> list[str]:
    """What SET of make holds, as Hydra's overrides: split at spaces, but for those in quotes and brackets,
    which Hydra reads."""
    return re.findall(r"""(?:"[^"]*"|'[^']*'|\[[^]]*\]|\S)+""", given)


@contextmanager
def alone() -> Iterator[None]:
    """params.yaml is this process's; raises UserError where another has it, a `make replicate` that may
    have replaced it for as long as it trains. What a killed one left replaced is put back first."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another `make replicate` is under way here: wait until it ends, or stop it"
            ) from None
        restore()
        yield


@contextmanager
def replaced(overrides: Sequence[str]) -> Iterator[None]:
    """params.yaml with overrides for as long as this lasts; then the file as it was. Raises UserError
    unless that is what conf/ and experiments/ make, or where a command of DVC reads the file meanwhile."""
    if commands := running_dvc():
        raise UserError(f"`{commands[0]}` is under way here: wait until it ends, or stop it")
    check()
    if overrides:
        content = text(overrides)
        atomic.write_bytes(BEFORE, FILE.read_bytes())
        atomic.write_text(FILE, content)
    try:
        yield
    finally:
        restore()


def running_dvc() -> list[str]:
    """The commands of DVC that are at a stage here: DVC lists them with their process in a file."""
    try:
        locks = json.loads(RWLOCK.read_text())
        holders = [*locks.get("write", {}).values(), *itertools.chain(*locks.get("read", {}).values())]
    except (OSError, ValueError):
        return []
    return [holder["cmd"] for holder in holders if atomic.alive(int(holder["pid"]))]


def restore() -> None:
    """Put params.yaml back as it was before it was replaced; nothing where it was not."""
    if BEFORE.exists():
        BEFORE.replace(FILE)


def text(overrides: Sequence[str] = ()) -> str:
    """What params.yaml holds for these overrides; raises UserError on a wrong one."""
    config = composed(overrides)
    try:
        datasets(config)  # first: an error inside a resolver would come back wrapped
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from error
    return HEADER + OmegaConf.to_yaml(config)


def written() -> Any:
    """What params.yaml holds, unchecked; raises UserError where that is nothing, or not YAML."""
    try:
        if values := yaml.safe_load(FILE.read_text()):
            return values
        reason = "it is empty"
    except (OSError, yaml.YAMLError) as error:
        reason = one_line(error)
    raise UserError(f"{FILE}: cannot be read ({reason}); `make params` makes it again")


def read() -> Params:
    """params.yaml; raises UserError where it cannot be read, is not what the schema allows, or was made
    before a document of experiments/ changed."""
    values = written()
    try:
        params: Params = validated(Params, values)
    except UserError as error:
        raise UserError(f"{FILE}: {error}; `make params` makes it again") from error
    now = stages(params.scale, params.campaign)
    if changed := [name for name, each in now.items() if params.experiments.get(name) != each]:
        names = ", ".join(changed)
        raise UserError(f"{FILE} was made before {names} changed: `make params` brings it up to date")
    return params


def stated_arms(params: Params) -> dict[str, Arm]:
    """The arms that params.yaml trains, by name; the custom arm is called "arm"."""
    return selected(params.scale, params.campaign) | custom_arms(params)


def custom_arms(params: Params) -> dict[str, Arm]:
    """The custom arm of params.yaml, called "arm", if there is one."""
    return {name: arm_from(name, values) for name, values in params.custom.items()}


def check() -> None:
    """Raise UserError, naming the first difference, unless params.yaml is what conf/ and
    experiments/ make."""
    there, wanted = written(), yaml.safe_load(text())
    if wanted != there:
        raise UserError(
            f"{FILE} is not what conf/ and experiments/ make ({difference(there, wanted)}): "
            "`make params` brings it up to date"
        )


def difference(there: Any, wanted: Any, key: str = "") -> str:
    """The first key at which two nested values differ, with both values."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        for name in [*wanted, *(k for k in there if k not in wanted)]:
            if there.get(name) != wanted.get(name):
                return difference(there.get(name), wanted.get(name), f"{key}.{name}".lstrip("."))
    told, made = (textwrap.shorten(str(value), 60) for value in (there, wanted))
    return f"{key} is {told}, made would be {made}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument("--set", default="", help="Hydra overrides, e.g. 'activation=relu epochs=10'")
    options = parser.parse_args()
    if options.check:
        check()
    else:
        with alone():
            atomic.write_text(FILE, text(words(options.set)))


if __name__ == "__main__":
    run_main(main)
