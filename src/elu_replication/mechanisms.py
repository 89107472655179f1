"""What the probes of stored runs found, as tables by experiment; part of the DVC stage `mechanisms`."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd

from elu_replication import frames
from elu_replication.tables import Row

KEYS = {"activity": ["epoch", "layer"], "disturbances": ["kind", "level", "layer"]}
Kind = Literal["activity", "disturbances"]


def probed(rows: Iterable[Row], kind: Kind) -> pd.DataFrame:
    """All probes of one kind of the arms' finished runs: arm, seed, and what probe_fields has for it. The
    activity has `gradient_ratio` beside that: a layer's gradient norm over the output layer's, in the
    same run and epoch."""
    parts = [frames.probes(row.arm, kind).assign(arm=row.label) for row in rows]
    found = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    if kind == "activity":
        run = found.groupby(["arm", "seed", "epoch"])
        found["gradient_ratio"] = found.gradient_norm / run.gradient_norm.transform("last")
    return found


def over_seeds(found: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Mean, sample standard deviation (_sd), least (_min) and largest (_max) over seeds, and their number,
    for each arm and key of the kind."""
    over = found.drop(columns="seed").groupby(["arm", *KEYS[kind]], sort=False)
    spread = [over.std().add_suffix("_sd"), over.min().add_suffix("_min"), over.max().add_suffix("_max")]
    return pd.concat([over.mean(), *spread, over.size().rename("seeds")], axis=1).reset_index()


def levels(disturbances: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over seeds, as over_seeds has them, of what each kind and level of disturbance does;
    variances are means over layers."""
    run = disturbances.groupby(["arm", "seed", "kind", "level"], sort=False, as_index=False).mean()
    return over_seeds(run, "disturbances")


def depth_profile(activity: pd.DataFrame) -> pd.DataFrame:
    """Gradient ratios of the layers of each arm at initialization and after the last probed epoch:
    arm, epoch, layer, ratio (geometric mean over seeds)."""
    layers = activity[activity.layer > 0]
    ends = layers[(layers.epoch == 0) | (layers.epoch == layers.groupby("arm").epoch.transform("max"))]
    logs = np.log(ends.gradient_ratio.clip(lower=1e-30))
    mean = logs.groupby([ends.arm, ends.epoch, ends.layer], sort=False).mean()
    return np.exp(mean).rename("ratio").reset_index()
