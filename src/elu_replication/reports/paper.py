"""For people who write papers: the verdicts as a LaTeX table, the runs as one tidy table with a
dictionary, the sources as BibTeX, the figure as PDF; the DVC stage `paper`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from elu_replication import atomic
from elu_replication.claims import results as stored
from elu_replication.claims.results import Results
from elu_replication.config import experiments
from elu_replication.config.experiments import RESULTS
from elu_replication.config.schema import PUBLISHED
from elu_replication.errors import run_main
from elu_replication.reports import captions, columns
from elu_replication.reports.arms import Row, declared_at, runs
from elu_replication.reports.forest import forest
from elu_replication.reports.style import save
from elu_replication.reports.tables import csv

SOURCES_BIB = experiments.FOLDER / "sources.bib"
# What the columns of runs.csv mean; every column must be here.
DICTIONARY = {
    "experiment": "document in experiments/ that declares the arm",
    "arm": "name of the arm in that document",
    "seed": "of weights, order of images, dropout masks; arms that differ only in activation share them;"
    " exploration's are below 100, fresh ones from 100 on",
    "status": "finished, or diverged: the loss became NaN or infinite, and the run stopped there",
    "dataset": "mnist or fashion_mnist",
    "model": "cnn, mlp, autoencoder or from_scratch",
    "hidden_layers": "of an MLP, each of 128 units",
    "activation": "activation function",
    "alpha": "parameter of ELU, leaky ReLU and PReLU (initial)",
    "initializer": "of every layer's kernel",
    "stddev": "of the initializer random_normal",
    "optimizer": "sgd or adam",
    "learning_rate": "of the optimizer",
    "loss": "cross_entropy, or squared error averaged or summed over outputs",
    "dropout": "rate: the share of activations that is dropped",
    "batch_size": "images",
    "epochs": "declared number",
    "train_images": "images used, validation included",
    "validation_images": "the last of them, held out",
    "last_epoch": "epoch whose weights are scored",
    "train_loss": "mean over the last epoch's batches, dropout included",
    "train_accuracy": "likewise; of an autoencoder, none",
    "validation_loss": "at the end of the last epoch",
    "validation_accuracy": "likewise",
    "test_loss": "likewise, on the 10,000 test images",
    "test_accuracy": "likewise",
    "best_epoch": "epoch of the least validation loss",
    "best_epoch_test_loss": "test loss at the end of that epoch",
    "best_epoch_test_accuracy": "likewise",
    "wall_seconds": "of training and evaluation on one core, others at work beside it",
}
NOTE = (
    "A line shows the contrast that decides the primary reading, over $n$ seeds; its arms and margin are in"
    " claims.csv. Intervals are of the mean or, beside a published value, of a new run."
)


def latex(results: Results) -> str:
    """A note and the verdicts as a longtable (packages longtable and booktabs)."""
    shown = columns.for_claims(results)
    rows = pd.DataFrame(columns.table(shown, results.claims, "latex"))
    rows[columns.EFFECT] = rows[columns.EFFECT].map(in_mathematics)
    escaped = rows.columns.drop(columns.EFFECT)
    styled = rows.rename(columns=in_latex).style.hide(axis="index")
    styled = styled.format(escape="latex", subset=pd.Index(map(in_latex, escaped)))
    widths = "".join(column.width for column in shown if "latex" in column.outputs.split())
    table = styled.to_latex(environment="longtable", hrules=True, column_format=widths)
    return f"\\noindent {NOTE}\n{table}"


def in_latex(heading: str) -> str:
    """A heading as LaTeX writes it."""
    return {"n": "$n$"}.get(heading, heading.replace("%", r"\%"))


def in_mathematics(text: str) -> str:
    """A text with its numbers as LaTeX prints them, minus signs and powers of ten included."""
    power = re.sub(r"(\d)e([+-]\d+)", lambda m: rf"{m[1]} \times 10^{{{int(m[2])}}}", text)
    return re.sub(r"-?\d[\d.]*( \\times 10\^{-?\d+})?", r"$\g<0>$", power)


def tidy(rows: Sequence[Row]) -> pd.DataFrame:
    """One line a stored run, each run once, with the columns of DICTIONARY."""
    lines: list[dict[str, Any]] = []
    for arm, record in runs(rows):
        best = record.best.model_dump() if record.best else {}
        lines.append(
            {"experiment": arm.folder.parent.name, "arm": arm.folder.name}
            | record.model_dump(include={"seed", "status", "wall_seconds"})
            | {key.rpartition(".")[2]: value for key, value in arm.protocol.flat().items()}
            | record.final.model_dump()
            | {"last_epoch": record.final.epoch, "best_epoch": best.get("epoch")}
            | {f"best_epoch_{name}": value for name, value in best.items()}
        )
    table = pd.DataFrame(lines, columns=list(DICTIONARY))
    whole = ["hidden_layers", "best_epoch"]
    return table.astype(dict.fromkeys(whole, "Int64")).sort_values(["experiment", "arm", "seed"])


def write(rows: Sequence[Row], results: Results, folder: Path) -> None:
    """Write claims.tex, claims.pdf, sources.bib, runs.csv and runs.md in `folder`."""
    atomic.write_text(folder / "claims.tex", latex(results))
    atomic.write_text(folder / "sources.bib", SOURCES_BIB.read_text())
    atomic.write_text(folder / "runs.csv", csv(tidy(rows), 9))
    meanings = pd.DataFrame(DICTIONARY.items(), columns=["Column of runs.csv", "Meaning"])
    atomic.write_text(folder / "runs.md", meanings.to_markdown(index=False) + "\n")
    save(forest(results), folder / "claims", captions.CLAIMS, ["pdf"])


def main() -> None:
    rows, results = declared_at(PUBLISHED), stored.load()
    with atomic.replaced_folder(RESULTS / "paper") as folder:
        write(rows, results, folder)


if __name__ == "__main__":
    run_main(main)
