"""What each figure shows and what to see in it: once, for results/README.md, the page and the files."""

from typing import NamedTuple

from elu_replication.config import experiments
from elu_replication.runs.probe_rows import PERTURBED_IMAGES

SEEDS = (
    "A line is the mean over an arm's seeds, and its band goes from the least to the largest seed; where"
    " some seeds learned and others ended at chance, thin lines are single seeds."
)


class Caption(NamedTuple):
    """A figure's title, and what to see in it and how to read it."""

    title: str
    text: str


CLAIMS = Caption(
    "Claims that runs decide",
    "See on which side of the line each claim stands, and whether the dots of its other readings stand"
    " there too."
    " For each claim that runs decide, the effect of the primary reading (large) with its 95% interval, and"
    " those of the other readings (small dots), in margins from what the claim compares with. Right means"
    " as claimed, where a direction is claimed. The grey band is within one margin. A dashed bar is the"
    " interval of a new run, at 95% for all scores of a reading together; a thick one is the 90% interval"
    " that shows equivalence. Full markers are of fresh seeds or of measurements of time, hollow ones of"
    " exploration, pale ones of a single seed.",
)
IDENTIFICATION = Caption(
    "Which protocols fit each published curve",
    "See which band the black curve stays in. That protocol may have made it; those in grey are excluded at"
    " the 1% level."
    " Black: losses read off the article's figures. Bands: runs of each protocol that the article leaves"
    " open, from the least to the largest seed.",
)
FUNCTIONS = Caption(
    "Activation functions",
    "See how they differ left of zero: a unit does not learn from images where its derivative is zero."
    " Every activation function that can be chosen, and its derivative.",
)
SUM_OF_SIGMOIDS = Caption(
    "Sum of sigmoids",
    "See where the sum leaves softplus: outside the points at which the blog post evaluates it."
    " The post's sum of shifted sigmoids beside softplus and ReLU, with their derivatives; the grey band"
    " holds the post's points.",
)
# Of an experiment, whose question says what to see.
OF_EXPERIMENTS = {
    "curves": Caption(
        "Training curves",
        "See which arm ends lowest in loss and highest in accuracy, and how far its marker at the right is"
        " from the cross of its colour, the score that the source printed."
        " Loss and accuracy by epoch, on validation images (full lines; test images where none are held"
        f" out) and on training images (dashed). {SEEDS} At the right stand the test scores of the last"
        " epoch. Black lines with crosses are published losses, read off the source's figures.",
    ),
    "activity": Caption(
        "Inside the networks",
        "See whether gradients vanish towards the input, and how many units are never on."
        " The panels show the median over units of the mean activation, the share of units that are on for"
        " no training image (with ReLU, such units are dead), and each layer's gradient norm divided by the"
        " output layer's. Gradient norms are dashed at initialization and full after the last epoch."
        f" {SEEDS}",
    ),
    "perturbations": Caption(
        "Under perturbation",
        "See which curve stays flattest: its arm is the most robust."
        " The panels show the accuracy of trained networks under normal noise on the input, their accuracy"
        " with one pre-activation of the first hidden layer put far below zero, and the variance that noise"
        " causes in units that are off. Accuracies are of the first"
        f" {PERTURBED_IMAGES:,} test images. {SEEDS}",
    ),
}


def of_experiment(name: str, kind: str) -> Caption:
    """The caption of an experiment's figure, or of the custom arm's; `kind` is a key of OF_EXPERIMENTS."""
    shown = OF_EXPERIMENTS[kind]
    if name == "custom":
        return shown._replace(title=f"Custom arm: {shown.title.lower()}")
    document = experiments.load(name)
    return Caption(f"{document.title}: {shown.title.lower()}", f"{document.question} {shown.text}")
