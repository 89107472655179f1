"""results/README.md: the results as a code host shows them; written by the DVC stage `page`."""

from collections.abc import Sequence
from pathlib import Path

from elu_replication.config import experiments
from elu_replication.reports import captions, claims, internals

CURVES = "[The distances of each curve from each protocol](identification/curves.md)."
PROTOCOLS = (
    "What was trained. The network `cnn` is the article's: twice a 3x3 convolution (32, then 64 filters),"
    " the activation, 2x2 max-pooling and dropout, then a dense layer of 256 units with the activation."
    " `mlp` has hidden layers of 128 units each. `autoencoder` is that of the paper's figure 3,"
    " `from_scratch` the student report's net in NumPy. Where a part has several values, arms differ in it;"
    " the documents in [experiments/](../experiments) say in which."
)
FUNCTIONS = {"functions": captions.FUNCTIONS, "sum_of_sigmoids": captions.SUM_OF_SIGMOIDS}


def markdown(folder: Path, about_scores: str) -> str:
    """The verdicts in short, every arm's scores, and every figure with its caption."""
    text = ["# Results\n", f"{claims.SOURCES}\n", (folder / "claims_overview.md").read_text()]
    text.append("[All claims](claims.md), [report.html](report.html) (download and open it: one file, no")
    text.append("network), [for papers](paper), [benchmark](bench/bench.md).\n")
    text.append(images(["claims.png"], captions.CLAIMS.title))
    text += [f"{captions.CLAIMS.text}\n", f"## {captions.IDENTIFICATION.title}\n"]
    text.append(images(["identification/curves.png"], captions.IDENTIFICATION.title))
    text += [f"{captions.IDENTIFICATION.text} {CURVES}\n", "## Scores\n", f"{about_scores}\n"]
    text.append((folder / "published/tables/summary.md").read_text())
    text += ["## Protocols\n", f"{PROTOCOLS}\n", (folder / "published/tables/protocols.md").read_text()]
    for kind, caption in captions.OF_EXPERIMENTS.items():
        text += [f"## {caption.title}\n", f"{caption.text}\n"]
        for name in experiments.names():
            figure = f"figures/{name}" if kind == "curves" else f"{internals.FOLDER}/{name}_{kind}"
            if paths := parts(folder, f"published/{figure}"):
                document = experiments.load(name)
                title = captions.of_experiment(name, kind).title
                text += [f"### {title}\n", f"{document.question}\n", images(paths, title)]
    for name, caption in FUNCTIONS.items():
        text += [f"## {caption.title}\n", f"{caption.text}\n"]
        text.append(images(parts(folder, f"published/{internals.FOLDER}/{name}"), caption.title))
    return "\n".join(text)


def parts(folder: Path, name: str) -> list[str]:
    """The files of a figure, NAME.png, NAME-2.png and so on, relative to a folder."""
    paths = [*folder.glob(f"{name}.png"), *sorted(folder.glob(f"{name}-*.png"))]
    return [str(path.relative_to(folder)) for path in paths]


def images(paths: Sequence[str], title: str) -> str:
    """Images in Markdown, one below the other."""
    return "\n".join(f"![{title}]({path})\n" for path in paths)
