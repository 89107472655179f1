"""Histories and probes of runs, as data frames with a column `seed`. The files of an arm are parsed
together, which is ten times as fast."""

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from elu_replication.config.schema import Arm
from elu_replication.runs import probe_rows, store
from elu_replication.runs.store import HISTORY_COLUMNS, Record

FIELDS = {
    "history": HISTORY_COLUMNS,
    "activity": ("seed", *probe_rows.Activity._fields),
    "perturbations": ("seed", *probe_rows.Perturbation._fields),
}

# Columns that identify a row within a run.
KEYS = {
    "history": ["split", "epoch"],
    "activity": ["epoch", "layer"],
    "perturbations": ["kind", "level", "layer"],
}


def finished(arm: Arm) -> list[Record]:
    """The records of the arm's current runs that did not diverge."""
    return [record for record in store.current(arm) if record.status == "finished"]


def history(arm: Arm, diverged: bool = False) -> pd.DataFrame:
    """The observations of the arm's finished runs and, where asked for, of those that diverged."""
    records = store.current(arm) if diverged else finished(arm)
    return _together("history", {r.seed: store.history_path(arm, r.seed) for r in records})


def probes(arm: Arm, kind: str) -> pd.DataFrame:
    """Probe rows of one kind (see store.PROBES) of finished runs with the present probe version."""
    records = [record for record in finished(arm) if record.probes_version == probe_rows.VERSION]
    return _together(kind, {r.seed: store.probe_path(arm, r.seed, kind) for r in records})


def _together(kind: str, files: Mapping[int, Path]) -> pd.DataFrame:
    lines = [",".join(FIELDS[kind])]
    for seed, file in files.items():
        rows = file.read_text().splitlines()[1:]
        lines += rows if kind == "history" else [f"{seed},{row}" for row in rows]
    if len(lines) == 1:
        return pd.DataFrame(columns=list(FIELDS[kind]), dtype=float)
    return pd.read_csv(io.StringIO("\n".join(lines)))


def over_seeds(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Mean, sample standard deviation (_sd), minimum (_min), maximum (_max) and count (`seeds`) over seeds,
    for each `arm` and KEYS of the kind."""
    over = rows.drop(columns="seed").groupby(["arm", *KEYS[kind]], sort=False)
    spread = [over.std().add_suffix("_sd"), over.min().add_suffix("_min"), over.max().add_suffix("_max")]
    return pd.concat([over.mean(), *spread, over.size().rename("seeds")], axis=1).reset_index()
