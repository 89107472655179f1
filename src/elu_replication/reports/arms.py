"""Which arms tables and figures show, as experiments name them, and their histories."""

import argparse
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from elu_replication.config import experiments, params
from elu_replication.config.experiments import Published
from elu_replication.config.schema import Arm, Scale
from elu_replication.errors import UserError
from elu_replication.runs import evidence, frames, store

CHANCE = 0.1  # the accuracy of guessing among ten classes
NEAR_CHANCE = 0.05  # a network that puts nearly all images in one class scores 0.09 to 0.15
LEARNED = 0.5


class Row(NamedTuple):
    """An arm as an experiment names it; an arm that two experiments share is a row in each."""

    experiment: str
    label: str
    arm: Arm
    published: Published | None


def declared(scope: str) -> list[Row]:
    """The rows of a scope: "custom" for the custom arm of params.yaml, or the name of its scale for
    every declared arm at that scale. Published scores stand beside arms at published scale only.

    Raises UserError where params.yaml is at another scale or describes no custom arm, or a stored run is
    not whole."""
    values = params.read()
    if scope == "custom":
        arms = params.custom_arms(values)
        if not arms:
            raise UserError(
                "custom: params.yaml describes no arm but published ones; "
                "`dvc exp run -S activation.alpha=0.5` does"
            )
        store.require_whole(arms.values())
        return [Row("custom", label, arm, None) for label, arm in arms.items()]
    if scope != values.scale.name:
        raise UserError(f"{scope}: params.yaml is at scale {values.scale.name}")
    return declared_at(values.scale)


def declared_at(scale: Scale) -> list[Row]:
    """The rows of every declared arm at a scale, each arm with the seeds that count for its experiment.

    Raises UserError where a stored run is not whole."""
    store.require_whole(experiments.every_arm(scale))
    rows = []
    for experiment, arms in experiments.declared(scale).items():
        published = experiments.load(experiment).published if scale.name == "published" else {}
        counted = zip(arms, evidence.counting(arms.values()), strict=True)
        rows += [Row(experiment, label, arm, published.get(label)) for label, arm in counted]
    return rows


def runs(rows: Iterable[Row]) -> list[tuple[Arm, store.Record]]:
    """The stored runs of some rows, each once: experiments share arms, and of an arm that two of them share
    one may count exploration's seeds and the other the fresh ones."""
    runs = {
        (row.arm.folder, record.seed): (row.arm, record)
        for row in rows
        for record in store.current(row.arm)
    }
    return list(runs.values())


def asked(description: str) -> tuple[str, list[Row]]:
    """The scope that the command line names, and its rows."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("scope", help="custom, or the scale of params.yaml")
    scope = parser.parse_args().scope
    return scope, declared(scope)


def grouped(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    """The rows by experiment, in the order in which they come."""
    return {name: list(group) for name, group in groupby(rows, key=attrgetter("experiment"))}


def at_chance(accuracies: ArrayLike) -> np.ndarray:
    """Which seeds of an arm ended within NEAR_CHANCE of guessing although another ended above LEARNED, by
    their final accuracies: bool, shape (seeds,).

    Such seeds are of two kinds, and a mean over both is the score of neither. Where all seeds are at
    chance they are of one kind, and none is marked.
    """
    values = np.asarray(accuracies, float)
    return (np.abs(values - CHANCE) <= NEAR_CHANCE) & (values > LEARNED).any()


def alike(table: pd.DataFrame, row: Row) -> list[pd.DataFrame]:
    """The lines of an arm in a table with a column `seed`, in parts that may be averaged over seeds: the
    whole, or one part for each seed where some seeds are at chance."""
    mine = table[table.arm == row.label]
    if at_chance([record.final.test_accuracy for record in frames.finished(row.arm)]).any():
        return [part for _, part in mine.groupby("seed")]
    return [mine]


def histories(rows: Iterable[Row]) -> pd.DataFrame:
    """Every observation of the arms' finished runs: columns arm, seed, epoch, split, loss, accuracy."""
    parts = [frames.history(row.arm).assign(arm=row.label) for row in rows]
    return pd.concat([part for part in parts if len(part)] or parts)
