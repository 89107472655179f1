"""What the probes of stored runs found, as tables by experiment; part of the DVC stage `mechanisms`."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd

from elu_replication.reports.arms import Row
from elu_replication.runs import frames

Kind = Literal["activity", "perturbations"]


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


def levels(perturbations: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over seeds of what each kind and level of perturbation does; variances are means
    over layers."""
    run = perturbations.groupby(["arm", "seed", "kind", "level"], sort=False, as_index=False).mean()
    return frames.over_seeds(run, "perturbations")


def depth_profile(activity: pd.DataFrame) -> pd.DataFrame:
    """Gradient ratios of the layers of each arm at initialization and after the last probed epoch:
    arm, epoch, layer, ratio (geometric mean over seeds)."""
    layers = activity[activity.layer > 0]
    ends = layers[(layers.epoch == 0) | (layers.epoch == layers.groupby("arm").epoch.transform("max"))]
    logs = np.log(ends.gradient_ratio.clip(lower=1e-30))
    mean = logs.groupby([ends.arm, ends.epoch, ends.layer], sort=False).mean()
    return np.exp(mean).rename("ratio").reset_index()
