"""`make growth`: how long everything but training takes when many more runs are stored.

The runs are generated in a temporary folder, not trained: each has the history of a stored run of the same
model, extended to the arm's epochs, with noise on its losses.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from elu_replication import atomic
from elu_replication.config import experiments
from elu_replication.config.experiments import RESULTS
from elu_replication.config.options import option
from elu_replication.config.schema import PUBLISHED, Arm, Campaign
from elu_replication.console import say
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.runs.code_version import code_version

FILE = RESULTS / "bench/growth.md"
COPIED = (
    *("conf", "experiments", "dvc.yaml", "params.yaml"),
    *("results/bench", "results/code_version.txt", "results/exploration.csv"),
)
SEEDS = 100  # generated of each arm, the most that a document may ask for


def arms() -> list[Arm]:
    """The declared arms whose runs are generated, each once: those of the campaign `full`."""
    return list(experiments.selected(PUBLISHED, option(Campaign, "campaign", "full")).values())


def templates() -> dict[str, tuple[store.Record, pd.DataFrame, list[str]]]:
    """A stored run of each model: its record, history and probes' texts."""
    runs: dict[str, tuple[store.Record, pd.DataFrame, list[str]]] = {}
    for arm in arms():
        for record in store.current(replace(arm, seeds=arm.every_seed))[:1]:
            if record.status == "finished":
                history = pd.read_csv(store.history_path(arm, record.seed))
                probes = [store.probe_path(arm, record.seed, kind).read_text() for kind in store.PROBES]
                runs.setdefault(arm.protocol.model.name, (record, history, probes))
    return runs


def generate(arm: Arm, template: tuple[store.Record, pd.DataFrame, list[str]]) -> None:
    """Store a run of each of the arm's seeds, made from another run of its model."""
    record, history, probes = template
    last = history.epoch.max()
    epochs = range(1, arm.protocol.epochs + 1)
    base = pd.concat([history[history.epoch == min(epoch, last)].assign(epoch=epoch) for epoch in epochs])
    common = {"arm": arm.name, "protocol": arm.protocol, "code_version": code_version(arm.protocol)}
    for seed in arm.seeds:
        store.run_folder(arm, seed).mkdir(parents=True)
        noise = np.exp(np.random.default_rng(seed).normal(0, 0.05, len(base)))
        text = base.assign(seed=seed, loss=base.loss * noise).to_csv(index=False, float_format="%.9g")
        scores = record.final.model_copy(update={"test_loss": record.final.test_loss * noise[-1]})
        for path, content in zip(store.file_paths(arm, seed), (text, *probes), strict=True):
            path.write_text(content)
        generated = record.model_copy(update={**common, "seed": seed, "final": scores})
        store.write_record(arm, generated.with_checksum(text, *probes))


@contextmanager
def repository() -> Iterator[int]:
    """A temporary repository with SEEDS generated runs of every arm, as the working directory; yields the
    number of runs."""
    by_model, here = templates(), Path.cwd()
    with tempfile.TemporaryDirectory() as temporary:
        atomic.write_text(Path(temporary) / "data/mnist/placeholder", "no run is trained here")
        for name in COPIED:
            copy = shutil.copytree if (here / name).is_dir() else shutil.copy
            (Path(temporary) / name).parent.mkdir(exist_ok=True)
            copy(here / name, Path(temporary) / name)
        (Path(temporary) / "src").symlink_to(here / "src")
        with chdir(temporary):
            for document in experiments.FOLDER.glob("*.yaml"):
                document.write_text(re.sub(r"(?m)^seeds: \d+", f"seeds: {SEEDS}", document.read_text()))
            experiments.load.cache_clear()
            experiments.arm.cache_clear()
            generated = [arm for arm in arms() if arm.protocol.model.name in by_model]
            for arm in generated:
                generate(arm, by_model[arm.protocol.model.name])
            yield len(generated) * SEEDS


def steps() -> list[tuple[str, list[str]]]:
    """The timed commands, by what they do."""
    python, dvc = [sys.executable, "-m"], [sys.executable, "-m", "dvc"]
    reports = ("tables published", "figures published", "internals published", "claims", "page")
    modules = ("claims.verdicts", "reports.identification", *(f"reports.{name}" for name in reports))
    stages = [f"train@{name}" for name in sorted({arm.folder.parent.name for arm in arms()})]
    return [
        ("dvc init", [*dvc, "init", "--quiet", "--no-scm"]),
        (
            "params.yaml with every run",
            [*python, "elu_replication.config.params", "--set", "campaign=full"],
        ),
        *((name, [*python, *f"elu_replication.{name}".split()]) for name in modules),
        ("dvc commit: every run hashed", [*dvc, "commit", "--force", *stages]),
        ("dvc status: nothing to do", [*dvc, "status", "--quiet", *stages]),
    ]


def main() -> None:
    argparse.ArgumentParser(description="Time everything but training with generated runs.").parse_args()
    lines = []
    with repository() as count:
        environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
        files = list(RESULTS.glob("published/runs/*/*/*/*"))
        size = sum(path.stat().st_size for path in files) / 1e6
        say(f"{count} generated runs, {len(files)} files, {size:.0f} MB")
        for name, command in steps():
            start = time.perf_counter()
            process = subprocess.run(command, capture_output=True, text=True, env=environment)
            if process.returncode:
                output = process.stderr[-500:] or process.stdout[-500:]
                raise UserError(f"growth: {name} failed: {output}")
            lines.append({"step": name, "seconds": round(time.perf_counter() - start, 1)})
            say(f"{name}: {lines[-1]['seconds']} s")
    header = f"{count} generated runs of {count // SEEDS} arms: {len(files)} files, {size:.0f} MB.\n\n"
    atomic.write_text(FILE, header + pd.DataFrame(lines).to_markdown(index=False) + "\n")


if __name__ == "__main__":
    run_main(main)
