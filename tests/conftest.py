"""What several test files need: the repository as working directory, and real MNIST."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings

from elu_replication import atomic
from elu_replication.config import experiments
from elu_replication.config.experiments import RESULTS, resolved
from elu_replication.config.schema import PUBLISHED, Arm, Protocol, dataset_facts
from elu_replication.datasets import fetch

# A busy machine must not fail a test; CI tries the same examples each time, people new ones.
settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("here")
# What a user's environment says must not reach the lines that tests read, nor the mirrors that they start.
os.environ.pop("FORCE_COLOR", None)
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
ROOT = Path(__file__).parent.parent
TINY = {
    "dataset": "mnist",
    "model": "mlp",
    "activation": "elu",
    "initializer": "he_normal",
    "optimizer": "sgd",
    "loss": "cross_entropy",
    "dropout": 0.0,
    "batch_size": 50,
    "epochs": 3,
    "train_images": 600,
    "validation_images": 100,
}

TRIAL = """\
title: Trial
source: ours
question: "?"
published_account: none
ambiguities: []
claims: []
minutes_per_run: 1
seeds: 2
fresh_seeds:
  - {number: 3, arms: [elu], because: more}
  - {number: 2, because: fewer}
protocol:
  dataset: mnist
  model: mlp
  model.hidden_layers: 2
  initializer: he_normal
  optimizer: sgd
  loss: cross_entropy
  dropout: 0.0
  batch_size: 50
  epochs: 3
  train_images: 600
  validation_images: 100
arms:
  elu: {activation: elu}
  relu: {activation: relu}
panels: {Trial: [elu, relu]}
"""
CLAIM = """\
claims:
  C1:
    sources: {M: text}
    statement: ELU is more accurate.
    kind: DIR
    readings:
      as published:
        - {metric: test_accuracy, arms: {trial-elu: 1, trial-relu: -1}, expect: higher}
"""


SLOW = (
    *("bad_input", "figures", "commands", "models"),
    # Then the files that take longest, so that two processes end together.
    *("scenario", "store_machine", "processors", "crashes"),
    *("kills", "from_scratch", "trainer", "probes", "campaign", "audit", "kernels", "fingerprint_command"),
    *("stamp", "early_stopping", "remote", "memory", "cluster"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole-pipeline tests last, so that a simple mistake shows in seconds."""
    names = [item.path.stem.removeprefix("test_") for item in items]
    place = {id(i): SLOW.index(n) if n in SLOW else -1 for i, n in zip(items, names, strict=True)}
    items.sort(key=lambda item: place[id(item)])


@pytest.fixture(autouse=True)
def _in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder of the real data, fetched once where it is not there yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        fetch.ensure(dataset_facts("mnist"))
    return ROOT / "data" / "mnist"


def tiny(**overrides: str | float) -> Protocol:
    """A protocol of seconds; overrides as in experiments/, with "__" for the dot."""
    named = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolved({**TINY, **named})


def forget() -> None:
    """Let documents, claims, scores and times be read again, after a change or in another folder."""
    from elu_replication.claims import contrasts, schema, timing  # with SciPy, which takes a second
    from elu_replication.training import cost

    for cached in (
        *(experiments.load, experiments.arm, schema.documented),
        *(contrasts._counted, contrasts.stored, contrasts.values_of, timing.measured),
        *(cost.measured, cost.stated, cost.seconds_per_image),
    ):
        cached.cache_clear()


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Arm]]:
    """A folder with one experiment of two arms, three and two fresh seeds, and one claim on it."""
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    folder = tmp_path / "experiments"
    for name in ("claims/sources.yaml", "published/curves.yaml"):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / "experiments" / name, folder / name)
    for name in experiments.names():  # the published curves name arms of theirs
        shutil.copy(ROOT / f"experiments/{name}.yaml", folder)
    (folder / "trial.yaml").write_text(TRIAL)
    (folder / "claims/trial.yaml").write_text(CLAIM)
    monkeypatch.chdir(tmp_path)
    forget()
    yield experiments.declared(PUBLISHED)["trial"]
    forget()


def working_in(folder: Path) -> list[psutil.Process]:
    """The processes whose working directory is `folder`, as that of a run is."""
    return [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(folder)]


def keep(name: str, counts: Mapping[str, Any]) -> None:
    """Add what a matrix tried to results/trust/<name>.json, where `make trust` asks for it."""
    if "TRUST" in os.environ:
        path = ROOT / RESULTS / "trust" / f"{name}.json"
        before = json.loads(path.read_text()) if path.exists() else {}
        atomic.write_text(path, json.dumps({**before, **counts}, indent=1, sort_keys=True) + "\n")
