"""Tables of what is stored, per experiment and over all; the DVC stage `tables`."""

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from elu_replication import atomic
from elu_replication.config.experiments import RESULTS
from elu_replication.config.schema import Arm
from elu_replication.console import table
from elu_replication.engine import kernels
from elu_replication.errors import run_main
from elu_replication.reports.arms import Row, declared, grouped, histories
from elu_replication.runs import frames, store
from elu_replication.training.early_stopping import stop

PATIENCES = (1, 2, 3, 5, 10, 20, 50)
SCORED = (("loss", "validation"), ("accuracy", "test"), ("loss", "test"))  # what early stopping looks at


def status(arm: Arm) -> str:
    """How many of the declared seeds are stored as declared, or why none is; stale runs are named, and
    kernels other than the portable ones."""
    reasons = [store.why_not_current(arm, seed) for seed in arm.seeds]
    stored = reasons.count(None)
    stale = sorted({reason for reason in reasons if reason not in (None, "not run")})
    note = f" (stale: {', '.join(map(str, stale))})" if stale else ""
    if (kinds := store.kinds_of_kernels(arm)) not in ([], [kernels.PORTABLE]):
        note += f" (kernels: {', '.join(kinds)})"
    return f"{stored} of {len(reasons)}{note}" if stored or stale else "not run"


def summary(rows: Iterable[Row]) -> pd.DataFrame:
    """One line an arm: mean and sample standard deviation over the stored seeds of what the last
    epoch scored on the test images, and of what the epoch of least validation loss scored there.

    Diverged seeds are counted in `diverged` and left out of the means.
    """
    lines = []
    for row in rows:
        records = store.current(row.arm)
        whole = [record for record in records if record.status == "finished"]
        final = pd.DataFrame([record.final.model_dump() for record in whole])
        best = pd.DataFrame([record.best.model_dump() for record in whole if record.best])
        line = {
            "experiment": row.experiment,
            "arm": row.label,
            "status": status(row.arm),
            "seeds": len(whole),
            "diverged": len(records) - len(whole),
        }
        for name, scores in (("test", final), ("best_epoch_test", best)):
            for metric in ("accuracy", "loss"):
                values = scores.get(f"test_{metric}", pd.Series(dtype=float))
                line[f"{name}_{metric}"] = values.mean()
                line[f"{name}_{metric}_sd"] = values.std()
        line["best_epoch"] = best.get("epoch", pd.Series(dtype=float)).mean()
        line["published_accuracy"] = row.published and row.published.test_accuracy
        line["published_loss"] = row.published and row.published.test_loss
        line["runs"] = str(row.arm.folder)
        lines.append(line)
    numbers = [c for c in lines[0] if c.startswith(("test", "best", "published"))]
    return pd.DataFrame(lines).astype(dict.fromkeys(numbers, float))


def score(mean: float, sd: float = math.nan) -> str:
    """A score to 4 decimals with its standard deviation where there is one; "-" for no score."""
    if math.isnan(mean):
        return "-"
    return f"{mean:.4f}" if math.isnan(sd) else f"{mean:.4f} ± {sd:.4f}"


def shared(experiment: str, arm: str, folder: str) -> str:
    """Whose runs an arm has, where they are those of another: ", shared with asu_mlp-sgd_elu"."""
    owner = Path(folder).parts[-2:]
    return "" if owner == (experiment, arm) or experiment == "own" else f", shared with {'-'.join(owner)}"


def readable(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as a person reads it: scores as mean ± SD over seeds, the published beside them."""
    columns: dict[str, Any] = {
        "Experiment": summary.experiment,
        "Arm": summary.arm,
        "Seeds": summary.status
        + summary.diverged.map(lambda n: f" ({n} diverged)" if n else "")
        + [shared(*names) for names in zip(summary.experiment, summary.arm, summary.runs, strict=True)],
    }
    for metric in ("accuracy", "loss"):
        means, sds = summary[f"test_{metric}"], summary[f"test_{metric}_sd"]
        columns[f"Test {metric}"] = [score(*pair) for pair in zip(means, sds, strict=True)]
        if summary[f"published_{metric}"].notna().any():
            columns[f"Published {metric}"] = summary[f"published_{metric}"].map(score)
    return pd.DataFrame(columns)


def markdown(summary: pd.DataFrame) -> str:
    """The arms that have runs as a readable Markdown table, and how many of each experiment have none."""
    idle = summary.status == "not run"
    text = readable(summary[~idle]).to_markdown(index=False, disable_numparse=True) + "\n"
    if idle.any():
        left = [
            f"{experiment} {n}"
            for experiment, n in summary[idle].experiment.value_counts(sort=False).items()
        ]
        text += f"\nNot run: {idle.sum()} of {len(summary)} arms ({', '.join(left)}).\n"
    return text


def show(summary: pd.DataFrame, title: str) -> None:
    """The readable summary as a table in the terminal."""
    text = readable(summary)
    text["Seeds"] = text.Seeds.str.partition(", shared")[0]  # whose runs they are, files have room for
    names = (text.pop("Experiment") + "-" + text.pop("Arm")).str.lstrip("-")
    rows = [[name, *line] for name, line in zip(names, text.to_numpy().tolist(), strict=True)]
    table(title, ["Arm", *text.columns], rows)


def metrics(summary: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What `dvc metrics` and `dvc exp show` list: the mean scores of the arms that have runs."""
    ran = summary[summary.seeds > 0].drop_duplicates("runs")
    scores = ran.set_index(ran.experiment + "-" + ran.arm)[["test_accuracy", "test_loss"]].round(6)
    return {str(name): dict(each.dropna()) for name, each in scores.iterrows()}


def early_stopping(history: pd.DataFrame) -> pd.DataFrame:
    """What early stopping would have given, from stored histories: for each arm and patience, means
    over seeds of the epochs at which it stops and is best and of the test scores there, and how much
    higher the test loss of the last epoch is than that, by seed. An arm without a validation split has
    no line."""
    lines = []
    for arm, seen in history.groupby("arm", sort=False):
        by_seed = seen.pivot(index="epoch", columns=["split", "seed"], values=["loss", "accuracy"])
        if "validation" not in by_seed.loss:
            continue
        scores = [
            [by_seed[metric, split, seed].to_numpy() for metric, split in SCORED]
            for seed in by_seed.loss.validation
        ]
        for patience in PATIENCES:
            found = []
            for losses, accuracy, loss in scores:
                trained = losses[~np.isnan(losses)]  # with patience, seeds end at epochs of their own
                reached = stop(trained.tolist(), patience)
                best = reached.best - 1
                excess = loss[len(trained) - 1] - loss[best]
                found.append([*reached, accuracy[best], loss[best], excess])
            lines.append([arm, patience, *np.mean(found, axis=0)])
    numbers = ["stop_epoch", "best_epoch", "test_accuracy", "test_loss", "last_epoch_test_loss_excess"]
    means = pd.DataFrame(lines, columns=["arm", "patience", *numbers])
    return means.astype({"patience": int, **dict.fromkeys(numbers, float)})


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write tables/{summary.csv, summary.md, published.md, early_stopping.csv, <experiment>_epochs.csv}
    and metrics.json below `folder`; published.md has the arms with published scores, if there are any."""
    scores = summary(rows)
    atomic.write_text(folder / "tables/summary.csv", scores.to_csv(index=False, float_format="%.6g"))
    atomic.write_text(folder / "tables/summary.md", markdown(scores))
    if (compared := scores[["published_accuracy", "published_loss"]].notna().any(axis=1)).any():
        atomic.write_text(folder / "tables/published.md", markdown(scores[compared]))
    stopping = []
    for experiment, group in grouped(rows).items():
        history = histories(group)
        curves = frames.over_seeds(history, "history").to_csv(index=False, float_format="%.6g")
        atomic.write_text(folder / f"tables/{experiment}_epochs.csv", curves)
        stopping.append(early_stopping(history).assign(experiment=experiment))
    every = pd.concat(stopping).set_index("experiment").reset_index()
    atomic.write_text(folder / "tables/early_stopping.csv", every.to_csv(index=False, float_format="%.6g"))
    atomic.write_text(folder / "metrics.json", json.dumps(metrics(scores), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the tables of a scope.")
    parser.add_argument("scope", help="own, or the scale of params.yaml")
    scope = parser.parse_args().scope
    write(declared(scope), RESULTS / scope)


if __name__ == "__main__":
    run_main(main)
