"""Tables of the scores of all arms and of the curves of each experiment; the DVC stage `tables`."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from elu_replication import atomic
from elu_replication.config.experiments import RESULTS
from elu_replication.config.schema import Arm, Protocol
from elu_replication.console import table
from elu_replication.errors import run_main
from elu_replication.reports.arms import Row, asked, at_chance, grouped, histories
from elu_replication.runs import evidence, frames, store
from elu_replication.training.early_stopping import stop

PATIENCES = (1, 2, 3, 5, 10, 20, 50)
SCORES = ("test_accuracy", "test_loss")
# How a text begins that a spreadsheet would compute; a negative number alone is none.
FORMULA = r"^(?=[=+@\t\r]|-(?![\d.e ±]*$))"


def csv(frame: pd.DataFrame, digits: int) -> str:
    """A table for machines, its numbers to so many significant digits. A text that a spreadsheet would take
    for a formula begins with an apostrophe."""
    texts: pd.DataFrame = frame.select_dtypes("str").replace(FORMULA, "'", regex=True)
    return frame.assign(**texts).to_csv(index=False, float_format=f"%.{digits}g")


def status(arm: Arm) -> str:
    """How many of the declared seeds are stored as declared, and why others are stale; or "not run"."""
    reasons = [store.why_not_current(arm, seed) for seed in arm.seeds]
    stored = reasons.count(None)
    stale = sorted({reason for reason in reasons if reason not in (None, "not run")})
    note = f" (stale: {', '.join(map(str, stale))})" if stale else ""
    return f"{stored} of {len(reasons)}{note}" if stored or stale else "not run"


def seeds_of(arm: Arm) -> str:
    """What the seeds of a row's arm are. An arm that experiments share may have fresh seeds enough, and
    still be shown with exploration's in the one that is not complete."""
    text = evidence.evidence([arm])
    if text == evidence.FRESH and arm.seeds != arm.fresh_seeds:
        return f"{evidence.EXPLORATION}; {text}: {evidence.stored_fresh(arm)} of {len(arm.fresh_seeds)}"
    return text


def summary(rows: Iterable[Row]) -> pd.DataFrame:
    """One line an arm: mean, sample standard deviation (_sd), least (_min) and largest (_max) over the
    stored seeds of the test scores after the last epoch, and mean and _sd of those after the epoch of
    least validation loss. Accuracies are shares of images, losses are means over images.

    Diverged seeds are counted in `diverged` and have no part in the scores. Where some seeds are at chance
    (arms.at_chance), they are counted in `at_chance`; _min and _max are then those of the other seeds, and
    there is no mean, since it would be the score of neither kind.
    """
    lines = []
    for row in rows:
        records = store.current(row.arm)
        finished = [record for record in records if record.status == "finished"]
        final = pd.DataFrame([record.final.model_dump() for record in finished], columns=SCORES)
        best = pd.DataFrame([r.best.model_dump() for r in finished if r.best], columns=["epoch", *SCORES])
        idle = at_chance(final.test_accuracy)
        line = {
            "experiment": row.experiment,
            "arm": row.label,
            "status": status(row.arm),
            "evidence": seeds_of(row.arm),
            "seeds": len(finished),
            "diverged": len(records) - len(finished),
            "at_chance": int(idle.sum()),
            "kernels": " and ".join(sorted({record.environment.kind_of_kernels for record in records})),
        }
        for name in SCORES:
            scores = final[name].astype(float)
            alike = scores if not idle.any() else scores.iloc[:0]
            trained = scores[~idle]
            line |= {name: alike.mean(), f"{name}_sd": alike.std()}
            line |= {f"{name}_min": trained.min(), f"{name}_max": trained.max()}
        for name in SCORES:
            line |= {f"best_epoch_{name}": best[name].mean(), f"best_epoch_{name}_sd": best[name].std()}
        line["best_epoch"] = best.epoch.mean()
        line["published_accuracy"] = row.published and row.published.test_accuracy
        line["published_loss"] = row.published and row.published.test_loss
        line["runs"] = str(row.arm.folder)
        lines.append(line)
    numbers = [name for name in lines[0] if name.startswith(("test", "best", "published"))]
    return pd.DataFrame(lines).astype(dict.fromkeys(numbers, float))


def seeds(line: Any) -> str:
    """The status of an arm, how many of its seeds failed, and whose runs it shares, if any."""
    failed = [(line.diverged, "diverged"), (line.at_chance, "at chance")]
    counts = ", ".join(f"{count} {kind}" for count, kind in failed if count)
    *_, experiment, arm = Path(line.runs).parts
    shared = (experiment, arm) != (line.experiment, line.arm) and line.experiment != "custom"
    return line.status + f" ({counts})" * bool(counts) + f", shared with {experiment}-{arm}" * shared


def score(line: Any, metric: str) -> str:
    """A test score to 4 decimals: mean ± standard deviation over seeds, or, where some are at chance, the
    range of those that trained; "-" where there is none."""
    mean, sd, least, largest = (
        getattr(line, f"test_{metric}{part}") for part in ("", "_sd", "_min", "_max")
    )
    if line.at_chance:
        return f"{line.seeds - line.at_chance} of {line.seeds} trained: {least:.4f} to {largest:.4f}"
    return number(mean) if math.isnan(sd) else f"{mean:.4f} ± {sd:.4f}"


def number(value: float) -> str:
    """To 4 decimals; "-" for none."""
    return "-" if math.isnan(value) else f"{value:.4f}"


# The columns of the readable summary, in order: heading, and text of a line. A column without any score is
# left out.
COLUMNS: dict[str, Callable[[Any], str]] = {
    "Experiment": lambda line: line.experiment,
    "Arm": lambda line: line.arm,
    "Seeds": seeds,
    "Test accuracy": lambda line: score(line, "accuracy"),
    "Published accuracy": lambda line: number(line.published_accuracy),
    "Test loss": lambda line: score(line, "loss"),
    "Published loss": lambda line: number(line.published_loss),
    "Evidence": lambda line: line.evidence or "-",
    "Kernels": lambda line: line.kernels or "-",
}


def readable(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as text, by COLUMNS."""
    texts = {heading: [*map(text, summary.itertuples())] for heading, text in COLUMNS.items()}
    return pd.DataFrame({heading: texts[heading] for heading in texts if {*texts[heading]} != {"-"}})


def markdown(summary: pd.DataFrame) -> str:
    """The arms that have runs as a Markdown table, and how many arms of each experiment have none."""
    idle = summary.status == "not run"
    text = readable(summary[~idle]).to_markdown(index=False, disable_numparse=True) + "\n"
    if idle.any():
        counts = summary[idle].experiment.value_counts(sort=False)
        by_experiment = ", ".join(f"{experiment} {count}" for experiment, count in counts.items())
        text += f"\nNot run: {idle.sum()} of {len(summary)} arms ({by_experiment}).\n"
    return text


def protocols(rows: Iterable[Row]) -> pd.DataFrame:
    """What was trained, one line an experiment: the values that the parts of its arms' protocols have."""

    def network(protocol: Protocol) -> str:
        depth = protocol.model.hidden_layers
        return f"{protocol.model.name}{f' ({depth} hidden layers)' * bool(depth)}"

    parts: dict[str, Callable[[Protocol], str]] = {
        "Data": lambda protocol: protocol.dataset.name,
        "Network": network,
        "Optimizer": lambda protocol: f"{protocol.optimizer.name} {protocol.optimizer.learning_rate:g}",
        "Loss": lambda protocol: protocol.loss,
        "Dropout": lambda protocol: f"{protocol.dropout:g}",
        "Batch": lambda protocol: f"{protocol.batch_size}",
        "Epochs": lambda protocol: f"{protocol.epochs}",
        "Training images": lambda protocol: f"{protocol.train_images - protocol.validation_images}",
        "Validation images": lambda protocol: f"{protocol.validation_images}",
    }
    lines = []
    for experiment, group in grouped(rows).items():
        of_arms = [row.arm.protocol for row in group]
        values = {part: ", ".join(dict.fromkeys(map(text, of_arms))) for part, text in parts.items()}
        lines.append({"Experiment": experiment, **values, "Arms": len(group)})
    return pd.DataFrame(lines)


def show(summary: pd.DataFrame, name: str) -> None:
    """Print the readable summary in the terminal, without what only files have room for: whose runs an arm
    shares, with which kernels they were made, and how many fresh seeds are missing."""
    text = readable(summary).drop(columns=["Kernels", "Evidence"], errors="ignore")
    text["Seeds"] = text.Seeds.str.partition(", shared")[0]
    names = (text.pop("Experiment") + "-" + text.pop("Arm")).str.lstrip("-")
    rows = [[name, *line] for name, line in zip(names, text.to_numpy().tolist(), strict=True)]
    title = f"{name}: after training, mean ± standard deviation over seeds"
    table(title, ["Arm", *text.columns], rows)


def metrics(summary: pd.DataFrame) -> dict[str, Any]:
    """What `dvc metrics show`, `dvc metrics diff` and `dvc exp show` list.

    Of a user's own arm: its mean test scores, under the same names whatever the arm, so that DVC compares
    arms. Of a scale: the highest mean test accuracy among the arms of each experiment (of an autoencoder's,
    the lowest test loss), since a column for each score of each arm would fill several screens.
    """
    ran = summary[summary.seeds > 0]
    if (summary.experiment == "custom").all():
        scores = ran[list(SCORES)].mean().dropna()
        return {name: round(scores[name], 6) for name in scores.index}
    by_experiment = ran.groupby("experiment", sort=False)
    highest = by_experiment.test_accuracy.max()
    lowest = by_experiment.test_loss.min()[highest.isna()]
    headlines = {"accuracy": highest.dropna(), "loss": lowest}
    return {name: scores.round(6).to_dict() for name, scores in headlines.items() if len(scores)}


def early_stopping(history: pd.DataFrame) -> pd.DataFrame:
    """What early stopping would have given, computed from stored histories: one line for each arm and
    patience, with means over seeds of the epochs at which it stops and is best, of the test scores at the
    best epoch, and of the excess of the last epoch's test loss over that one.

    An arm without a validation split has no line.
    """
    lines = []
    for arm, curves in history.groupby("arm", sort=False):
        by_seed = curves.pivot(index="epoch", columns=["split", "seed"], values=["loss", "accuracy"])
        if "validation" not in by_seed.loss:
            continue
        scores = [
            (losses.dropna(), by_seed["accuracy", "test", seed], by_seed["loss", "test", seed])
            for seed, losses in by_seed.loss.validation.items()
        ]
        for patience in PATIENCES:
            results = []
            for trained, accuracy, loss in scores:  # with patience, seeds end at epochs of their own
                stopped = stop(trained.tolist(), patience)
                excess = loss[trained.index[-1]] - loss[stopped.best]
                results.append([*stopped, accuracy[stopped.best], loss[stopped.best], excess])
            lines.append([arm, patience, *np.mean(results, axis=0)])
    numbers = ["stop_epoch", "best_epoch", "test_accuracy", "test_loss", "last_epoch_test_loss_excess"]
    means = pd.DataFrame(lines, columns=["arm", "patience", *numbers])
    return means.astype({"patience": int, **dict.fromkeys(numbers, float)})


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write tables/{summary.csv, summary.md, protocols.md, early_stopping.csv, <experiment>_epochs.csv} and
    metrics.json below `folder`."""
    scores = summary(rows)
    with atomic.replaced_folder(folder / "tables") as tables:
        atomic.write_text(tables / "summary.csv", csv(scores, 6))
        atomic.write_text(tables / "summary.md", markdown(scores))
        trained = protocols(rows).to_markdown(index=False, disable_numparse=True)
        atomic.write_text(tables / "protocols.md", f"{trained}\n")
        stopping = []
        for experiment, group in grouped(rows).items():
            history = histories(group)
            curves = frames.over_seeds(history, "history")
            atomic.write_text(tables / f"{experiment}_epochs.csv", csv(curves, 6))
            stops = early_stopping(history)
            stops.insert(0, "experiment", experiment)
            stopping.append(stops)
        atomic.write_text(tables / "early_stopping.csv", csv(pd.concat(stopping), 6))
    atomic.write_text(folder / "metrics.json", json.dumps(metrics(scores), indent=1) + "\n")


def main() -> None:
    scope, rows = asked("Write the tables of a scope.")
    write(rows, RESULTS / scope)


if __name__ == "__main__":
    run_main(main)
