"""params.yaml: made from conf/ and experiments/ by `make params` or `dvc exp run`, never edited.

The resolvers experiments, custom, datasets and reports derive what DVC's stages read. hydra_plugins
registers them, so that DVC's own composition of conf/config.yaml has them too.
"""

import argparse
import fcntl
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from elu_replication import atomic
from elu_replication.config import documents
from elu_replication.config.compose import composed, configuration, explain
from elu_replication.config.documents import parsed, unlike
from elu_replication.config.experiments import RESULTS, arm, custom_arm, digest, selected
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
from elu_replication.errors import UserError, run_main

FILE = Path("params.yaml")
LOCK = Path(".dvc/tmp/params.lock")
RWLOCK = Path(".dvc/tmp/rwlock")
APART = Path(".dvc/tmp/exps")  # where DVC runs experiments of --temp and of the queue, each in a clone
BEFORE = Path(".dvc/tmp/params.before")  # the file as it was, while a command has replaced it
UNCHANGED = "machinecurve_25-he_elu1"  # what the top level of conf/config.yaml describes
HEADER = "# Made from conf/ and experiments/ by `make params`; edit those.\n"


def experiment_of(arm: Arm) -> str:
    """The arm's key in `experiments`. The name begins with the scale unless that is `published`."""
    return arm.name.rpartition("-")[0]


def stages(scale: Scale, campaign: Campaign) -> dict[str, Stage]:
    """The `experiments` that DVC trains for a campaign."""
    arms = sorted(selected(scale, campaign).values(), key=experiment_of)
    return {name: stage(name, list(group)) for name, group in groupby(arms, experiment_of)}


def stage(name: str, arms: list[Arm]) -> Stage:
    """The stage of one experiment; raises UserError if its arms have several data sets."""
    datasets = sorted({arm.protocol.dataset.name for arm in arms})
    if len(datasets) > 1:
        raise UserError(f"{name}: its arms need one data set, not {' and '.join(datasets)}")
    folder = str(arms[0].folder.parent)
    protocols = digest({arm.name: arm.as_params() for arm in arms})
    return Stage(dataset=datasets[0], folder=folder, arms=len(arms), protocols=protocols)


def experiments(config: DictConfig) -> dict[str, Any]:
    """The `experiments` of params.yaml."""
    values = configuration(config)
    return {name: stage.model_dump() for name, stage in stages(values.scale, values.campaign).items()}


def custom(config: DictConfig) -> dict[str, Any]:
    """The `custom` of params.yaml: the arm that the top level describes, unless conf/config.yaml is
    unchanged, whose arm is published."""
    custom = custom_arm(configuration(config))
    unchanged = replace(custom, protocol=arm(UNCHANGED, PUBLISHED).protocol, seeds=(0,), save_model=False)
    return {} if custom == unchanged else {"arm": custom.as_params()}


def datasets(config: DictConfig) -> dict[str, str]:
    """The `datasets` of params.yaml: the digest of each data set that the arms need, by name."""
    facts = configuration(config).dataset
    names = {values["dataset"] for values in experiments(config).values()}
    names |= {values["dataset"]["name"] for values in custom(config).values()}
    return {name: (facts if name == facts.name else dataset_facts(name)).digest for name in sorted(names)}


def reports(config: DictConfig) -> dict[str, Any]:
    """The `reports` of params.yaml: the scale whose tables and figures are made, with its runs' folder."""
    scale = config.scale.name
    return {scale: {"runs": str(RESULTS / scale / "runs")}}


def words(text: str) -> list[str]:
    """Split make's SET into overrides at spaces outside quotes and brackets."""
    return re.findall(r"""(?:"[^"]*"|'[^']*'|\[[^]]*\]|\S)+""", text)


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock on params.yaml; raises UserError if another process holds it. First restores the file
    if a killed process left it replaced."""
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
    """Replace params.yaml by one with overrides, and restore it at the end. Raises UserError unless the
    file is what conf/ and experiments/ make, or while a command of DVC reads it."""
    if commands := running_dvc():
        raise UserError(f"`{commands[0]}` is under way here: wait until it ends, or stop it")
    check()
    if overrides:
        content = text(overrides)  # first: a wrong override must leave no file
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
        holders = [*locks.get("write", {}).values(), *chain(*locks.get("read", {}).values())]
    except (OSError, ValueError, AttributeError):
        return []
    return [holder["cmd"] for holder in holders if atomic.alive(int(holder["pid"]))]


def asking_clone() -> Path | None:
    """The clone where the experiment was asked for that DVC runs apart, here; None in any other folder."""
    around = [folder for folder in Path.cwd().parents if folder.match(str(APART))]
    return around[0].parents[len(APART.parts) - 1] if around else None


def restore() -> None:
    """Put the original params.yaml back; does nothing if it was not replaced."""
    if BEFORE.exists():
        atomic.rename(BEFORE, FILE)


def text(overrides: Sequence[str] = ()) -> str:
    """The content of params.yaml for these overrides; raises UserError on a wrong one."""
    config = composed(overrides)
    try:
        datasets(config)  # first: an error inside a resolver would come back wrapped
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from error
    return HEADER + OmegaConf.to_yaml(config)


@contextmanager
def made_again() -> Iterator[None]:
    """Raise every UserError as one that names params.yaml and its remedy."""
    try:
        yield
    except UserError as error:
        text = f"{error}".removeprefix(f"{FILE}: ")
        raise UserError(f"{FILE}: {text}; `make params` makes it again") from error


def read() -> Params:
    """params.yaml as its schema; raises UserError if it cannot be read, does not fit, was made before a
    document of experiments/ changed, or has a custom arm, with its folder, that its top level does not
    describe."""
    with made_again():
        params = documents.checked(FILE, Params)
        custom_arms(params)
    if changed := unlike(stages(params.scale, params.campaign), params.experiments):
        names = ", ".join(changed)
        raise UserError(f"{FILE} was made before {names} changed: `make params` brings it up to date")
    if params.custom and params.custom != (described := {"arm": custom_arm(params).as_params()}):
        first = difference(params.custom, described, "custom")
        raise UserError(f"{FILE}: {first}; `make params` makes it again")
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
    with made_again():
        stored = documents.read(FILE)
    correct = parsed(text())
    if stored != correct:
        raise UserError(
            f"{FILE} is not what conf/ and experiments/ make ({difference(stored, correct)}): "
            "`make params` brings it up to date"
        )


def difference(stored: Any, correct: Any, key: str = "") -> str:
    """The first key at which two nested values differ, with both values."""
    if isinstance(stored, dict) and isinstance(correct, dict) and (names := unlike(correct, stored)):
        name = names[0]
        return difference(stored.get(name), correct.get(name), f"{key}.{name}".lstrip("."))
    old, new = (textwrap.shorten(str(value), 60) for value in (stored, correct))
    return f"{key} is {old}, should be {new}"


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
