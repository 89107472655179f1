"""For people who write papers: the verdicts as a LaTeX table, the runs as one tidy table with a
dictionary, the sources as BibTeX, the figure as PDF; part of the DVC stage `report`."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd

from elu_replication import atomic, experiments, runs
from elu_replication.claim_report import effect, forest
from elu_replication.tables import Row
from elu_replication.verdicts import Outcome

BIBTEX = """@inproceedings{clevert2016elu,
  author = {Clevert, Djork-Arn{\\'e} and Unterthiner, Thomas and Hochreiter, Sepp},
  title = {Fast and Accurate Deep Network Learning by Exponential Linear Units ({ELUs})},
  booktitle = {International Conference on Learning Representations},
  year = {2016},
  note = {arXiv:1511.07289}
}

@misc{machinecurve_elu,
  author = {{MachineCurve}},
  title = {How to use {ELU} with {Keras}?},
  note = {Web article}
}

@misc{basak_elu,
  author = {Basak, Saikat},
  title = {Exponential Linear Units are the New Cool},
  note = {Web log}
}

@techreport{patni_gonarkar_elu,
  author = {Patni, Sagar and Gonarkar, Prashant},
  title = {Deep Learning with Exponential Linear Units ({ELUs})},
  institution = {Arizona State University},
  note = {Student report}
}
"""
# What the columns of runs.csv mean; every column must be here.
DICTIONARY = {
    "experiment": "document in experiments/ that declares the arm",
    "arm": "name of the arm in that document",
    "seed": "seed of initial weights, order of images and dropout masks; arms at one seed share them",
    "status": "finished, or diverged: the loss became NaN or infinite, and the run stopped there",
    "model": "cnn, mlp, autoencoder or from_scratch",
    "hidden_layers": "of an MLP, each of 128 units",
    "activation": "activation function",
    "alpha": "parameter of ELU, leaky ReLU, PReLU (initial) and SReLU (initial)",
    "initializer": "of every layer's kernel",
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


# Figures by the end of their names.
KINDS = {"_activity": ": inside the networks", "_disturbances": ": under disturbance"}


def escaped(text: str) -> str:
    """Text as LaTeX prints it."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)


def _in_mathematics(number: re.Match[str]) -> str:
    """A number with its minus sign and power of ten as LaTeX prints them."""
    mantissa, _, exponent = number[0].partition("e")
    power = rf" \times 10^{{{int(exponent)}}}" if exponent else ""
    return f"${mantissa}{power}$"


def latex(found: Sequence[Outcome]) -> str:
    """The verdicts as a longtable (packages longtable and booktabs)."""
    lines = [
        r"\begin{longtable}{llp{0.45\textwidth}rl}",
        r"\toprule",
        r"Claim & Kind & Statement & Effect [95\% interval] & Verdict \\",
        r"\midrule",
        r"\endhead",
    ]
    for each in found:
        told = ""
        if each.decisive and each.decisive.n:
            told = re.sub(r"-?\d[\d.]*(e-?\d+)?", _in_mathematics, effect(each.decisive))
        cells = (each.id, each.claim.kind, escaped(each.claim.statement), told, each.verdict)
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{longtable}"]) + "\n"


def tidy(rows: Sequence[Row]) -> pd.DataFrame:
    """One line a stored run, each run once, with the columns of DICTIONARY."""
    lines: list[dict[str, Any]] = []
    for row in {row.arm.folder: row for row in reversed(rows)}.values():
        settings = {key.rpartition(".")[2]: value for key, value in row.arm.protocol.flat().items()}
        for record in runs.current(row.arm):
            scores = record.final.model_dump()
            best = record.best
            lines.append(
                {"experiment": row.arm.folder.parent.name, "arm": row.arm.folder.name, "seed": record.seed}
                | {"status": record.status}
                | settings
                | {"last_epoch": scores.pop("epoch")}
                | scores
                | {
                    "best_epoch": best and best.epoch,
                    "best_epoch_test_loss": best and best.test_loss,
                    "best_epoch_test_accuracy": best and best.test_accuracy,
                    "wall_seconds": record.wall_seconds,
                }
            )
    table = pd.DataFrame(lines, columns=list(DICTIONARY))
    whole = ["hidden_layers", "best_epoch"]
    return table.astype(dict.fromkeys(whole, "Int64")).sort_values(["experiment", "arm", "seed"])


def write(rows: Sequence[Row], found: Sequence[Outcome], folder: Path) -> None:
    """Write claims.tex, claims.pdf, sources.bib, runs.csv and runs.md in `folder`."""
    atomic.write_text(folder / "claims.tex", latex(found))
    atomic.write_text(folder / "sources.bib", BIBTEX)
    atomic.write_text(folder / "runs.csv", tidy(rows).to_csv(index=False, float_format="%.9g"))
    meanings = pd.DataFrame(DICTIONARY.items(), columns=["Column of runs.csv", "Meaning"])
    atomic.write_text(folder / "runs.md", meanings.to_markdown(index=False) + "\n")
    content = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}):
        forest(found).savefig(content, format="pdf", metadata={"CreationDate": None})
    atomic.write_bytes(folder / "claims.pdf", content.getvalue())


def index(folder: Path, figures: Sequence[Path]) -> str:
    """results/README.md: every table and figure, as a code host shows them."""
    text = ["# Results\n", (folder / "claims_overview.md").read_text()]
    text.append("[All claims](claims.md), [report.html](report.html) (download and open it: one file, no")
    text.append("network), [for papers](paper), [benchmark](bench/bench.md).\n")
    text += ["![Effects and intervals of the quantitative claims](claims.png)\n", "## Scores\n"]
    text.append((folder / "published/tables/summary.md").read_text())
    text.append("## Figures\n")
    for path in figures:
        name, told = path.stem, ""
        for suffix, words in KINDS.items():
            if name.endswith(suffix):
                name, told = name.removesuffix(suffix), words
        title = experiments.load(name).title if name in experiments.names() else name.replace("_", " ")
        text.append(f"### {title}{told}\n\n![{title}{told}]({path.relative_to(folder)})\n")
    return "\n".join(text)
