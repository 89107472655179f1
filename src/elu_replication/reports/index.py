"""results/README.md: the results as a code host shows them; written by the DVC stage `page`."""

from pathlib import Path

from elu_replication.config import experiments
from elu_replication.reports import internals
from elu_replication.reports.style import caption

FOREST = (
    "For each claim that runs decide, the effect of the primary reading (large) with its 95% interval, and"
    " of every other reading (small dots), in margins from what the claim compares with. Of a direction,"
    " right means as claimed; look at whether the dots of a row stand on one side."
)
IDENTIFICATION = (
    "The article's published curves over the bands of the protocols that may have made them"
    " ([table](identification/curves.md))."
)


def markdown(folder: Path, about_scores: str) -> str:
    """The verdicts in short, every arm's scores, and every figure with its caption."""
    text = ["# Results\n", (folder / "claims_overview.md").read_text()]
    text.append("[All claims](claims.md), [report.html](report.html) (download and open it: one file, no")
    text.append("network), [for papers](paper), [benchmark](bench/bench.md).\n")
    text += ["![Claims that runs decide](claims.png)\n", f"{FOREST}\n"]
    text += ["## Which protocols were published\n", "![Published curves](identification/curves.png)\n"]
    text += [f"{IDENTIFICATION}\n", "## Scores\n", f"{about_scores}\n"]
    text.append((folder / "published/tables/summary.md").read_text())
    text.append("## Figures\n")
    text += [figure(path, folder) for path in sorted(folder.glob("published/figures/*.png"))]
    text += [figure(path, folder) for path in sorted(folder.glob(f"published/{internals.FOLDER}/*.png"))]
    return "\n".join(text)


def figure(path: Path, folder: Path) -> str:
    """A figure with its title and caption, which its file's name says: an experiment, and what is drawn."""
    name, kind = path.stem, "curves"
    if name not in experiments.names():
        name, _, kind = path.stem.rpartition("_")
    if name in experiments.names():
        title = experiments.load(name).title + ("" if kind == "curves" else f": {kind}")
    else:  # of activation functions
        kind = path.stem
        title = kind.replace("_", " ").capitalize()
    return f"### {title}\n\n![{title}]({path.relative_to(folder)})\n\n{caption(name, kind)}\n"
