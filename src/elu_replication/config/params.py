"""params.yaml is made from conf/ and experiments/, here or by `dvc exp run`, and never edited.

The resolvers below put the experiments' arms into whatever composes conf/config.yaml; DVC's own
composition finds them through the hydra_plugins package beside this one.
"""

import argparse
import fcntl
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from elu_replication import atomic
from elu_replication.config.compose import composed, explain, group_option
from elu_replication.config.experiments import RESULTS, own_arm, selected
from elu_replication.config.schema import PUBLISHED, Arm, Campaign, Scale, typed
from elu_replication.errors import UserError, run_main

FILE = Path("params.yaml")
LOCK = Path(".dvc/tmp/params.lock")
HEADER = "# Made from conf/ and experiments/ by `make params`; edit those.\n"


def experiments(config: DictConfig) -> dict[str, Any]:
    """The `experiments` of params.yaml, each with its data set and folder and those of its arms that
    the campaign trains, at the scale that is set."""
    stated: dict[str, Any] = {}
    chosen = selected(typed(Scale, config.scale), typed(Campaign, config.campaign))
    for name, arm in chosen.items():
        dataset, folder = arm.protocol.dataset.name, str(arm.folder.parent)
        own = stated.setdefault(experiment_of(arm), {"dataset": dataset, "folder": folder, "arms": {}})
        if own["dataset"] != dataset:
            raise UserError(f"{name}: the arms of an experiment have one data set, {own['dataset']} here")
        own["arms"][name] = arm.as_params()
    return stated


def experiment_of(arm: Arm) -> str:
    """The entry of `experiments` that an arm is in; its name has the scale, but for the published."""
    return arm.name.rpartition("-")[0]


def own(config: DictConfig) -> dict[str, Any]:
    """The `own` of params.yaml: the arm that the top level describes, unless the default campaign
    trains its protocol and seeds already, as it does those of conf/config.yaml unchanged."""
    wanted = own_arm(config)
    default = selected(PUBLISHED, typed(Campaign, group_option("campaign", "core")))
    for arm in default.values():
        covered = arm.protocol == wanted.protocol and set(wanted.seeds) <= set(arm.seeds)
        if covered and not wanted.save_model:
            return {}
    return {"arm": wanted.as_params()}


def datasets(config: DictConfig) -> dict[str, Any]:
    """The `datasets` of params.yaml: those that the arms need, with their routes and digests."""
    here = {config.dataset.name: OmegaConf.to_container(config.dataset)}
    names = [values["dataset"] for values in experiments(config).values()]
    names += [values["dataset"]["name"] for values in own(config).values()]
    return {name: here.get(name) or group_option("dataset", name) for name in sorted({*names})}


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
    have replaced it for as long as it trains."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another `make replicate` is under way here: wait until it ends, or stop it"
            ) from None
        yield


def text(overrides: Sequence[str] = ()) -> str:
    """What params.yaml holds for these overrides; raises UserError on a wrong one."""
    config = composed(overrides)
    try:
        own(config), datasets(config)  # first: an error inside a resolver would come back wrapped
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from error
    return HEADER + OmegaConf.to_yaml(config)


def read() -> dict[str, Any]:
    """params.yaml as plain values; raises UserError where it is missing, empty or not YAML."""
    try:
        if values := yaml.safe_load(FILE.read_text()):
            return values
    except (OSError, yaml.YAMLError):
        pass
    raise UserError(f"{FILE}: cannot be read; `make params` makes it again")


def stated_arms(values: dict[str, Any]) -> dict[str, Arm]:
    """The arms that params.yaml trains, by name; the user's own arm is called "arm"."""
    groups = (*(each["arms"] for each in values["experiments"].values()), values["own"])
    return {name: Arm.from_params(name, arm) for held in groups for name, arm in held.items()}


def check() -> None:
    """Raise UserError, naming the first difference, unless params.yaml is what conf/ and
    experiments/ make."""
    wanted, there = yaml.safe_load(text()), read()
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
