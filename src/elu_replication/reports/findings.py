"""The findings: the results in a few sentences, whose numbers, directions and presence come from verdicts,
effects and identified protocols. Where runs decide otherwise, the sentences do."""

import csv
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from elu_replication.claims.results import UNDECIDED, ClaimResult, ContrastResult, ReadingResult, Results
from elu_replication.config.experiments import FIRST_FRESH, RESULTS
from elu_replication.errors import UserError
from elu_replication.runs.evidence import EXPLORATION, FRESH

CURVES = RESULTS / "identification" / "curves.csv"
EXPLORED = RESULTS / "exploration.csv"
MOST = 8  # findings shown; the first matter most to a reader
CNN, DROPOUT, MLP = "machinecurve_25-", "machinecurve_dropout-", "asu_mlp-"
FASHION = "fashion_mnist-"
INITIALIZERS = ("glorot", "he")
# The claims on a score of ELU minus ReLU's in the article's network, with Glorot and with He.
MINUS_RELU = {
    ("test_loss", CNN): ("C3", "C7"),
    ("test_accuracy", CNN): ("C3", "C15"),
    ("test_loss", FASHION): ("C75", "C77"),
}
State = Literal["holds", "fails", "undecided"]


class Labelled(NamedTuple):
    """A contrast with the label of its line in a figure."""

    label: str
    contrast: ContrastResult


class Finding(NamedTuple):
    """A sentence, why it is so, the claims and contrasts that it rests on, and what would change it."""

    name: str
    title: str
    why: str
    claims: tuple[str, ...]
    rows: list[Labelled]
    changes_with: str
    rests_on: str = ""  # seeds, and whether they were planned


Identified = Mapping[str, str]  # the only protocol that fits a published curve, by curve
Pair = tuple[ReadingResult, ContrastResult]  # a contrast and the reading that it belongs to


def identified(path: Path = CURVES) -> Identified:
    """The label of the only protocol that fits a published run, by the curve's name."""
    if not os.path.lexists(path):
        return {}
    rows = table(path, "`dvc repro -f identification` makes it again", "curve", "candidate", "identified")
    return {row["curve"]: row["candidate"] for row in rows if row["identified"] == "True"}


def table(path: Path, remedy: str, *columns: str) -> list[dict[str, str]]:
    """The rows of a table with some columns; raises UserError where it is damaged."""
    try:
        heading, *lines = csv.reader(path.read_text("utf-8").splitlines(), strict=True)
        places = [heading.index(column) for column in columns]
        return [
            {column: line[place] for column, place in zip(columns, places, strict=True)} for line in lines
        ]
    except (OSError, ValueError, LookupError, csv.Error) as error:
        raise UserError(f"{path}: damaged; {remedy}") from error


def find(results: Results, claim: str, metric: str, *arms: str) -> Pair:
    """The reading and the contrast of a claim with a metric and these arms, in this order."""
    for reading in results.by_id[claim].readings:
        for contrast in reading.contrasts:
            if (contrast.metric, *contrast.arms) == (metric, *arms):
                return reading, contrast
    raise LookupError(f"{claim} has no contrast of {metric} with {', '.join(arms)}")


def joint(parts: Iterable[ReadingResult | ContrastResult]) -> State:
    """ "holds" where all are replicated, "fails" where none is and all are decided, else "undecided"."""
    verdicts = {part.verdict for part in parts}
    if verdicts == {"replicated"}:
        return "holds"
    return "fails" if verdicts == {"not replicated"} else "undecided"


def replicated(parts: Iterable[ReadingResult | ContrastResult]) -> str:
    """How many are replicated, e.g. "4 of 6"."""
    verdicts = [part.verdict for part in parts]
    return f"{verdicts.count('replicated')} of {len(verdicts)}"


def side(contrast: ContrastResult) -> str:
    """Where the whole interval of a difference lies: "higher", "lower", or "" where it has zero inside or
    does not exist."""
    return "higher" if contrast.interval.low > 0 else "lower" if contrast.interval.high < 0 else ""


def digits(number: float, sign: str = "") -> str:
    """Four decimals, or one significant digit where these would all be zero, so that zero means zero."""
    text = f"{number:{sign}.4f}"
    places = 4 if float(text) or not number else -math.floor(math.log10(abs(number)))
    return f"{number:{sign}.{places}f}"


def value(contrast: ContrastResult) -> str:
    """E.g. "+0.0027 [-0.0025, 0.0078]" for a difference, without a sign for a level."""
    if not contrast.n:
        return "not run"
    effect = digits(contrast.effect, "+" if len(contrast.arms) > 1 else "")
    low, high = map(digits, contrast.interval)
    return f"{effect} [{low}, {high}]" if contrast.n > 1 else f"{effect} (one seed)"


def points(contrasts: Sequence[ContrastResult]) -> str:
    """The least and the largest of some differences of accuracy, e.g. "0.23 to 0.39 percentage points"."""
    ends = (100 * end(contrast.effect for contrast in contrasts) for end in (min, max))
    return " to ".join(dict.fromkeys(f"{effect:.2f}" for effect in ends)) + " percentage points"


def kind(contrasts: Iterable[ContrastResult]) -> str:
    """What the seeds of some contrasts are."""
    kinds = {min(contrast.values) >= FIRST_FRESH for contrast in contrasts if contrast.n}
    if kinds == {True}:
        return FRESH
    return f"{EXPLORATION} in part" if True in kinds else EXPLORATION


def outlook(rows: Iterable[Labelled]) -> str:
    """What could still change a finding."""
    if kind(row.contrast for row in rows) == FRESH:
        return "a replication elsewhere that decides otherwise"
    return "the planned fresh seeds, if they decide otherwise"


def alpha(results: Results, fitting: Identified) -> Finding:
    """Whether the article's gain under He initialization came from He or from alpha."""
    glorot, he = fitting.get("glorot_elu"), fitting.get("he_elu")
    of_alpha = by_alpha(results)
    of_he = [
        find(results, "C79", "test_loss", f"{CNN}he_{elu}", f"{CNN}glorot_{elu}")[1]
        for elu in ("elu1", "elu01")
    ]
    if glorot and he:
        begin = f"Of the alphas that the article names, only {glorot.removeprefix('alpha ')} fits its curve"
        begin += f" with Glorot, and only {he.removeprefix('alpha ')} that with He"
        changed = "changed along" if glorot != he else "did not change"
        why = f"If the article's runs had one of these protocols, alpha {changed} with the initializer."
        elu = glorot.replace("alpha ", "elu").replace(".", "")
        _, printed = find(results, "C2", "test_loss", f"{CNN}glorot_{elu}")
        if printed.verdict == "not replicated":
            why += f" Yet the test loss that it prints with Glorot, {printed.than:.4f}, lies outside the"
            why += f" interval of a new run of {glorot}."
    else:
        begin = "The article's curves do not tell which alpha its ELU runs had"
        why = "Its text says alpha 1, its code 0.1."
    lowers = {
        "holds": "on MNIST, a smaller alpha lowers ELU's test loss",
        "fails": "on MNIST, a smaller alpha does not lower ELU's test loss",
        "undecided": "whether a smaller alpha lowers ELU's test loss is undecided",
    }[joint(of_alpha)]
    helps = {
        "holds": "and so does He" if joint(of_alpha) == "holds" else "and He lowers it",
        "fails": "and He does not" if joint(of_alpha) == "holds" else "and He does not lower it",
        "undecided": "and no gain from He is shown",
    }[joint(of_he)]
    why += (
        f" Alpha 0.1 instead of 1 changes the test loss by {value(of_alpha[0])} with Glorot and by"
        f" {value(of_alpha[1])} with He. He instead of Glorot changes it by {value(of_he[0])} at alpha 1"
        f" and by {value(of_he[1])} at alpha 0.1; the article shows {of_he[0].published:+.4f}."
    )
    necessary = results.by_id["C14"]
    if necessary.verdict == "not replicated":
        _, accuracy = find(results, "C14", "test_accuracy", f"{CNN}glorot_elu1")
        why += f" He is not necessary: with Glorot, ELU reaches an accuracy of {accuracy.effect:.4f}."
    rows = [
        Labelled("alpha 0.1 instead of 1, Glorot", of_alpha[0]),
        Labelled("alpha 0.1 instead of 1, He", of_alpha[1]),
        Labelled("He instead of Glorot, alpha 1", of_he[0]),
        Labelled("He instead of Glorot, alpha 0.1", of_he[1]),
    ]
    changes = f"{outlook(rows)}; or the article's author, if records of the two runs exist."
    return Finding("alpha", f"{begin}: {lowers}, {helps}", why, ("C14", "C78", "C79"), rows, changes)


def minus_relu(results: Results, metric: str, experiment: str = CNN, elu: str = "elu1") -> list[Pair]:
    """A score of ELU minus ReLU's in the article's network, with Glorot and with He."""
    return [
        find(results, claim, metric, f"{experiment}{init}_{elu}", f"{experiment}{init}_relu")
        for init, claim in zip(INITIALIZERS, MINUS_RELU[metric, experiment], strict=True)
    ]


def by_alpha(results: Results, experiment: str = CNN) -> list[ContrastResult]:
    """The test loss of alpha 0.1 minus that of 1 in the article's network, with Glorot and with He."""
    arms = [[f"{experiment}{init}_{elu}" for elu in ("elu01", "elu1")] for init in INITIALIZERS]
    return [find(results, "C78", "test_loss", *pair)[1] for pair in arms]


def clear_side(pair: Pair) -> str:
    """The side of a contrast, or "" where Holm's adjustment leaves its reading undecided."""
    reading, contrast = pair
    return "" if reading.adjusted in UNDECIDED else side(contrast)


def by_initializer(pairs: Iterable[Pair], both: str) -> str:
    """Where a score of ELU is against ReLU's with Glorot and with He; `both` ends it where these agree."""
    glorot, he = (clear_side(pair) or "not clearly different" for pair in pairs)
    return f"{glorot}{both}" if glorot == he else f"{glorot} with Glorot and {he} with He"


def cnn(results: Results, fitting: Identified) -> Finding | None:
    """Whether ELU has a lower loss than ReLU in the article's network, and whether it is more accurate."""
    pairs, accuracies = minus_relu(results, "test_loss"), minus_relu(results, "test_accuracy")
    if any(contrast.n < 2 for _, contrast in pairs):
        return None
    losses = by_initializer(pairs, " with either initialization")
    pairs += minus_relu(results, "test_loss", elu="elu01")
    labels = ("alpha 1, Glorot", "alpha 1, He", "alpha 0.1, Glorot", "alpha 0.1, He")
    rows = [Labelled(label, contrast) for label, (_, contrast) in zip(labels, pairs, strict=True)]
    title = (
        f"With ELU (alpha 1) instead of ReLU, the test loss of the article's CNN is {losses}; its accuracy"
        f" is {by_initializer(accuracies, '')}"
    )
    why = (
        f"In test loss, ELU minus ReLU is {value(rows[0].contrast)} with Glorot and"
        f" {value(rows[1].contrast)} with He;"
        f" with alpha 0.1 it is {value(rows[2].contrast)} and {value(rows[3].contrast)}. The article says"
        " that ELU does slightly worse with Glorot and slightly better with He. In accuracy, ELU with alpha"
        f" 1 minus ReLU is {value(accuracies[0][1])} with Glorot and {value(accuracies[1][1])} with He."
    )
    for init, (reading, contrast) in zip(("Glorot", "He"), accuracies, strict=True):
        if side(contrast) and reading.verdict not in UNDECIDED and reading.adjusted in UNDECIDED:
            why += f" With {init} this interval excludes zero, but after Holm's adjustment for the claim's"
            why += f" readings, p is {reading.p_holm:.2g}."
    return Finding("cnn", title, why, ("C3", "C7", "C15"), rows, f"{outlook(rows)}.")


def on_fashion(results: Results) -> str:
    """Where ELU's loss is against ReLU's on Fashion-MNIST, and whether it is there on MNIST; "" where it is
    not run."""
    losses = minus_relu(results, "test_loss", FASHION)
    if any(contrast.n < 2 for _, contrast in losses):
        return ""
    there, on_mnist = (
        by_initializer(pairs, " with either initialization")
        for pairs in (losses, minus_relu(results, "test_loss"))
    )
    end = ", as on MNIST" if there == on_mnist else f"; on MNIST it is {on_mnist}"
    return f"On Fashion-MNIST, the CNN's test loss with ELU (alpha 1) instead of ReLU is {there}{end}"


def fashion(results: Results, fitting: Identified) -> Finding | None:
    """Whether what is found on the article's network and on alpha is found on other images."""
    if not (title := on_fashion(results)):
        return None
    of_alpha = by_alpha(results, FASHION)
    title += {
        "holds": "; a smaller alpha lowers ELU's test loss on these images",
        "fails": "; a smaller alpha does not lower ELU's test loss on these images",
        "undecided": "; whether a smaller alpha lowers ELU's test loss on these images is undecided",
    }[joint(of_alpha)]
    (_, glorot), (_, he) = minus_relu(results, "test_loss", FASHION)
    why = (
        f"In test loss, ELU minus ReLU is {value(glorot)} with Glorot and {value(he)} with He. Alpha 0.1"
        f" instead of 1 changes it by {value(of_alpha[0])} and by {value(of_alpha[1])}. The network, its"
        " training and the number of images are as on MNIST."
    )
    rows = [
        Labelled("alpha 1 minus ReLU, Glorot", glorot),
        Labelled("alpha 1 minus ReLU, He", he),
        Labelled("alpha 0.1 instead of 1, Glorot", of_alpha[0]),
        Labelled("alpha 0.1 instead of 1, He", of_alpha[1]),
    ]
    return Finding("fashion", title, why, ("C75", "C77", "C78"), rows, f"{outlook(rows)}.")


def dropout(results: Results, fitting: Identified) -> Finding:
    """Whether ELU converges faster at equal dropout, as the article saw at unequal rates, and whether
    dropout hampers it."""
    pairs = (
        ("both 0.5, alpha 1", f"{DROPOUT}elu1_d50", f"{DROPOUT}relu_d50"),
        ("both 0.5, alpha 0.1", f"{DROPOUT}elu01_d50", f"{DROPOUT}relu_d50"),
        ("both 0.25, alpha 1", f"{CNN}he_elu1", f"{CNN}he_relu"),
        ("both 0.25, alpha 0.1", f"{CNN}he_elu01", f"{CNN}he_relu"),
    )
    equal = [find(results, "C11", "validation_area", *arms) for _, *arms in pairs]
    train = [find(results, "C11", "train_area", *arms)[0] for _, *arms in pairs]
    seen, unequal = find(results, "C11", "validation_area", f"{CNN}he_elu01", f"{DROPOUT}relu_d50")
    other = next(c for c in equal[0][0].contrasts if c.metric != "validation_area")
    elu, lower, _ = fitting.get("long_elu", "").partition(" with dropout 0.25")
    same = [place for place, (label, *_) in enumerate(pairs) if label.endswith(f", {elu}")]
    if lower and seen.verdict == "replicated" and joint(equal[place][0] for place in same) == "fails":
        areas = [equal[place][1] for place in same]
        title = (
            f"ELU with {elu} and dropout 0.25, the only protocol tried that fits the article's 250-epoch"
            " curve, is faster than ReLU with 0.5; at equal rates its"
        )
        if joint(train[place] for place in same) == "holds":
            title += " training loss falls faster, but its"
        if joint(areas) == "holds":
            least, most = (digits(end(abs(contrast.effect) for contrast in areas)) for end in (min, max))
            title += f" validation loss is lower by {least} to {most} on average over epochs 1 to 15"
            epochs = [c for place in same for c in equal[place][0].contrasts if c.metric == other.metric]
            close = all(contrast.equivalence_interval for contrast in epochs)
            title += f", and reaches 0.05 {'within an epoch of' if close else 'no earlier than'} ReLU's"
        else:
            title += " validation loss falls no faster"
    else:
        title = {
            "holds": "At equal dropout, ELU's validation loss falls faster than ReLU's",
            "fails": "At equal dropout, ELU's validation loss falls no faster than ReLU's",
            "undecided": "Whether ELU's validation loss falls faster at equal dropout is undecided",
        }[joint(reading for reading, _ in equal)]
    why = ""
    if lower:
        why = (
            f"Of the protocols that the article leaves open, only {fitting['long_elu']} fits the first 25"
            " epochs of the published 250-epoch curve of ELU; ReLU had 0.5. "
        )
    why += (
        "With these unequal rates, the mean validation loss of epochs 1 to 15, ELU minus ReLU, is"
        f" {value(unequal)}. With equal rates, this mean is lower in"
        f" {replicated(contrast for _, contrast in equal)} comparisons, and higher in"
        f" {sum(side(contrast) == 'higher' for _, contrast in equal)}. By it and by the {other.meaning},"
        f" ELU is faster in {replicated(reading for reading, _ in equal)}. The mean training loss is lower"
        f" in {replicated(train)}."
    )
    rows = [
        Labelled("ELU 0.25, alpha 0.1; ReLU 0.5", unequal),
        *(Labelled(label, contrast) for (label, *_), (_, contrast) in zip(pairs, equal, strict=True)),
    ]
    without = find(results, "C17", "test_loss", f"{DROPOUT}elu1_d0", f"{DROPOUT}elu1_d25")
    worse, contrast = clear_side(without), without[1]
    if matters := bool(worse) and abs(contrast.effect) > contrast.margin:
        why += (
            " In test loss, ELU (alpha 1) without dropout minus ELU with a rate of 0.25 is"
            f" {value(contrast)}: dropout {'helps' if worse == 'higher' else 'hampers'} it."
        )
        rows.append(Labelled("ELU without dropout minus 0.25, test loss", contrast))
    changes = f"{outlook(rows)}. Runs of 250 epochs begin like those of 25."
    return Finding("dropout", title, why, ("C11", "C17") if matters else ("C11",), rows, changes)


def by_optimizer(results: Results, claim: str, name: str) -> list[Pair]:
    """The readings of a claim on the report's network with an optimizer, each with its first contrast if
    that is ELU minus ReLU."""
    pairs = [(reading, reading.contrasts[0]) for reading in results.by_id[claim].readings]
    return [
        (reading, contrast)
        for reading, contrast in pairs
        if contrast.n and re.match(rf"{MLP}{name}_elu\S* {MLP}{name}_relu", " ".join(contrast.arms))
    ]


def gain(pairs: Sequence[Pair]) -> str:
    """By how much ELU is more accurate in the readings of `pairs` in which networks learn, in how many, and
    how the primary one, the first, is decided otherwise; "" where it is in none."""
    learning = [contrast for _, contrast in pairs if not idle(contrast)]
    more = [contrast for contrast in learning if contrast.verdict == "replicated"]
    which = "readings" if len(learning) == len(pairs) else "readings in which networks learn"
    verdict = pairs[0][1].verdict
    but = "" if verdict == "replicated" else f", but the primary one is {verdict}"
    return f"by {points(more)} in {replicated(learning)} {which}{but}" if more else ""


def idle(contrast: ContrastResult) -> bool:
    """Whether two arms have the same accuracy with every seed, as networks do that learn nothing."""
    return contrast.effect == 0 == contrast.sd


def mlp(results: Results, fitting: Identified) -> Finding | None:
    """Whether ELU is more accurate than ReLU in the report's network, by optimizer."""
    sgd, adam = (by_optimizer(results, "C43", name) for name in ("sgd", "adam"))
    if not sgd or not adam:
        return None
    by_adam = [contrast for _, contrast in adam]
    if by_sgd := gain(sgd):
        title = f"In the student report's MLP trained by SGD, ELU is more accurate than ReLU {by_sgd}"
    else:
        title = "In the student report's MLP trained by SGD, ELU is not shown to be more accurate than ReLU"
    if any(contrast.verdict == "replicated" for contrast in by_adam):
        title += f"; with Adam in {replicated(by_adam)}"
    elif joint(by_adam) == "fails":
        title += "; with Adam it is not more accurate"
    else:
        title += "; with Adam no difference is shown"
    primary = sgd[0][1]
    why = (
        f"In the primary reading ({sgd[0][0].label}), ELU's accuracy minus ReLU's is {value(primary)},"
        f" which is {primary.verdict}. With Adam it is {value(adam[0][1])}."
    )
    if without := [reading.label for reading, contrast in sgd if idle(contrast)]:
        why += f" In the reading {without[0]} neither network learns."
    every = [Labelled(reading.label, contrast) for reading, contrast in [*sgd, *adam]]
    rows = [row for row in every if row.contrast.interval.half_width < 0.05]
    return Finding("mlp", title, why, ("C43",), rows, f"{outlook(rows)}.")


def accuracies(results: Results, fitting: Identified) -> Finding | None:
    """Whether the report's three accuracies replicate."""
    claim = results.by_id["C42"]
    count = claim.pattern.readings if claim.pattern else 0
    holds = claim.pattern.holds if claim.pattern else 0
    title = {
        "replicated": "The student report's three accuracies replicate",
        "not replicated": "At least one of the student report's three accuracies does not replicate",
        "protocol-dependent": (
            f"The student report's three accuracies replicate in {holds} of {count} readings"
        ),
    }.get(claim.verdict, "Whether the student report's three accuracies replicate is undecided")
    if claim.pattern and claim.pattern.fails == count:
        title = f"In each of {count} readings, at least one of the student report's three accuracies does"
        title += " not replicate"
    rows = [
        Labelled(f"{kind} ({optimizer})", contrast)
        for optimizer, reading in zip(("SGD", "Adam"), claim.readings, strict=False)
        for kind, contrast in zip(("ELU", "ReLU", "sigmoid"), reading.contrasts, strict=True)
        if contrast.n
    ]
    if not rows:
        return None
    printed = ", ".join(f"{row.label.partition(' ')[0]} {row.contrast.than:g}" for row in rows[:3])
    ours = "; ".join(f"{row.label} {row.contrast.effect:.4f}" for row in rows)
    why = f"The report prints {printed}, one run each. The mean over seeds here: {ours}."
    above = sum(row.contrast.interval.low > row.contrast.than for row in rows)
    why += f" In {above} of {len(rows)} of these, a new run is expected above the printed value."
    rows = [row for row in rows if abs(row.contrast.effect - row.contrast.than) < 0.1]
    changes = "a protocol that the report does not state and that gives all three."
    return Finding("accuracies", title, why, ("C42",), rows, changes)


def sigmoid(results: Results, fitting: Identified) -> Finding | None:
    """Whether one protocol gives both a constant loss of sigmoid and its published accuracy."""
    flat = {
        next(iter(contrast.arms)): contrast for contrast in results.by_id["C46"].contrasts if contrast.n
    }
    scores = {
        arm: contrast
        for contrast in results.by_id["C42"].contrasts
        for arm in contrast.arms
        if contrast.metric == "test_accuracy" and contrast.n and arm in flat
    }
    if not scores or any(flat[arm].verdict == "inconclusive" for arm in scores):
        return None
    both = [arm for arm, score in scores.items() if flat[arm].verdict == "replicated" == score.verdict]
    constant = {arm: score for arm, score in scores.items() if flat[arm].verdict == "replicated"}
    begin = "The student report says that sigmoid's loss stays constant and that its accuracy is 0.936: "
    if both:
        title = begin + f"{len(both)} of {len(scores)} protocols give both"
    else:
        title = begin + f"none of {len(scores)} protocols gives both"
    learned = [score.effect for arm, score in scores.items() if arm not in constant]
    why = ""
    if constant:
        best = max(score.effect for score in constant.values())
        why = (
            f"In {len(constant)} of {len(scores)} the loss stays constant, and sigmoid's accuracy is at"
            f" most {best:.4f}; always guessing the digit 1 gives 0.1135. "
        )
    if learned:
        why += (
            f"In the others the loss falls, and the accuracy is {min(learned):.4f} to {max(learned):.4f}."
        )
    labels = {
        arm: reading.label for reading in results.by_id["C46"].readings for arm in reading.contrasts[0].arms
    }
    rows = [Labelled(labels[arm], score) for arm, score in scores.items()]
    changes = "a protocol in which sigmoid's loss stays constant and its accuracy is far above chance."
    return Finding("sigmoid", title, why.strip(), ("C42", "C46"), rows, changes)


def activations(results: Results, fitting: Identified) -> Finding | None:
    """Whether ELU's mean activations are nearer zero than ReLU's, by optimizer."""
    groups = [by_optimizer(results, "C23", name) for name in ("sgd", "adam")]
    if not all(groups):
        return None
    sgd, adam = (joint(reading for reading, _ in pairs) for pairs in groups)
    begin = "In the student report's MLP, ELU's mean activations"
    if sgd == adam == "holds":
        title = f"{begin} are nearer zero than ReLU's with SGD and with Adam"
    elif (sgd, adam) == ("holds", "fails"):
        title = f"{begin} are nearer zero than ReLU's with SGD, but not with Adam"
    elif sgd == adam == "fails":
        title = f"{begin} are not nearer zero than ReLU's"
    else:
        title = "Whether ELU's mean activations are nearer zero depends on the protocol"
    primary, other = groups[0][0][1], groups[1][0][1]
    others = [
        reading
        for reading in results.by_id["C23"].readings
        if next(iter(reading.contrasts[0].arms)).startswith(CNN) and reading.verdict != "not run"
    ]
    why = (
        "The distance from zero of the median unit's mean activation, ELU minus ReLU, is"
        f" {value(primary)} with SGD and {value(other)} with Adam. In the article's CNN, trained by Adam"
        f" for 25 epochs, ELU is nearer zero in {replicated(others)} readings."
    )
    rows = [
        Labelled(reading.label, contrast)
        for pairs in groups
        for reading, contrast in pairs
        if contrast.interval.half_width < 1
    ]
    return Finding("activations", title, why, ("C23",), rows, f"{outlook(rows)}.")


def epoch(results: Results, fitting: Identified) -> Finding | None:
    """Whether an epoch of ELU takes less time than one of ReLU; only where measurements decide."""
    _, contrast = find(results, "C44", "epoch_time", f"{MLP}sgd_elu", f"{MLP}sgd_relu")
    if contrast.verdict not in ("replicated", "not replicated"):
        return None
    percent = 100 * math.expm1(contrast.effect)
    faster = "is faster" if contrast.verdict == "replicated" else "is not faster"
    title = f"An epoch of ELU {faster} than one of ReLU"
    why = f"Its time differs by {percent:+.1f}%, the mean of {contrast.n} measurements in turns."
    rows = [Labelled("ln of time, ELU / ReLU", contrast)]
    return Finding("epoch", title, why, ("C44",), rows, "measurements on other processors.")


def single_runs(results: Results, fitting: Identified) -> Finding | None:
    """How often a pair of runs shows a published direction, where all seeds decide against or for it."""
    decided = {
        (contrast.metric, contrast.expect, contrast.than, *contrast.arms): contrast
        for claim in results.published
        for contrast in claim.contrasts
        if contrast.directed and contrast.n > 1 and len(contrast.arms) > 1
    }
    wrong, right = (
        [c.single_run_share for c in decided.values() if c.verdict == verdict]
        for verdict in ("not replicated", "replicated")
    )
    if not wrong or not right:
        return None
    misled = sum(wrong) / len(wrong)
    often = sum(share > 0 for share in wrong)
    title = (
        "Where all seeds together do not replicate a published direction, a single pair of runs, as most of"
        f" the sources made, still shows it in {misled:.0%} of cases on average"
    )
    why = (
        f"Of {len(wrong)} comparisons that are not replicated, {often} go the claimed way in at least one"
        f" seed. In the {len(right)} that are replicated, a single seed shows the claimed direction in"
        f" {sum(right) / len(right):.0%} of cases on average. Each seed counts as a run that a source might"
        " have made."
    )
    return Finding("single", title, why, (), [], "more seeds, which change both shares.")


TEMPLATES: tuple[Callable[[Results, Identified], Finding | None], ...] = (
    cnn, alpha, dropout, mlp, accuracies, fashion, sigmoid, activations, epoch, single_runs,
)  # fmt: skip


def rests_on(finding: Finding, results: Results) -> str:
    """The runs that a finding rests on, e.g. "6 seeds, exploration", or "4 measurements"."""
    counts = sorted({row.contrast.n for row in finding.rows})
    number = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))) if counts else "all"
    if finding.name == "epoch":
        return f"{number} measurements"
    everything = [c for claim in results.published if claim.evidence for c in claim.contrasts]
    of = kind([row.contrast for row in finding.rows] or everything)
    return f"{number} {of}" if of == FRESH else f"{number} seeds, {of}"


def findings(results: Results, fitting: Identified) -> list[Finding]:
    """The findings that the results have, the most important first."""
    present = [finding for template in TEMPLATES if (finding := template(results, fitting))]
    return [finding._replace(rests_on=rests_on(finding, results)) for finding in present[:MOST]]


def equivalent(results: Results) -> list[str]:
    """The initializers with which both scores of ELU with alpha 0.1 lie within the margins of ReLU's."""
    scores = (minus_relu(results, metric, elu="elu01") for metric in ("test_loss", "test_accuracy"))
    return [
        init.capitalize()
        for init, *pairs in zip(INITIALIZERS, *scores, strict=True)
        if all(contrast.p_equivalence < 0.05 for _, contrast in pairs)
    ]


def practice(results: Results) -> list[str]:
    """When one would choose ELU on this evidence, a paragraph for each network, and the limits."""
    losses, accuracies = (
        {*map(clear_side, minus_relu(results, metric))} for metric in ("test_loss", "test_accuracy")
    )
    if losses == {"higher"} and "higher" not in accuracies:
        choice = "take ReLU: ELU with alpha 1 has the higher test loss, and no gain in accuracy is shown"
    elif losses == {"lower"} and "lower" not in accuracies:
        choice = "take ELU: it has the lower test loss, and no loss of accuracy is shown"
    else:
        choice = "the runs do not decide between ELU and ReLU"
    of_cnn = [f"For a small CNN such as the article's, {choice}."]
    if joint(by_alpha(results)) == "holds":
        close = equivalent(results)
        but = f"; with {' and with '.join(close)}, both its scores are close to ReLU's (within margins)"
        of_cnn.append(
            f"If ELU is used there, alpha 0.1 gives a lower test loss than alpha 1{but if close else ''}."
        )
    if results.by_id["C14"].verdict == "not replicated":
        reached = [
            f"{contrast.effect:.4f} with alpha {alpha}"
            for alpha, elu in (("1", "elu1"), ("0.1", "elu01"))
            for reading, contrast in [find(results, "C14", "test_accuracy", f"{CNN}glorot_{elu}")]
            if reading.verdict == "not replicated"
        ]
        of_cnn.append(
            "He initialization is not needed for ELU there: with Glorot it reaches an accuracy of"
            f" {' and '.join(reached)}."
        )
    sgd, adam = (by_optimizer(results, "C43", name) for name in ("sgd", "adam"))
    if sgd and (by_sgd := gain(sgd)):
        choice = "choose ELU" if sgd[0][1].verdict == "replicated" else "ELU looks better"
        of_mlp = [f"For a deep MLP trained by plain SGD, {choice}: it is more accurate {by_sgd}."]
    else:
        of_mlp = ["For a deep MLP trained by plain SGD, no gain from ELU is shown."]
    if not any(contrast.verdict == "replicated" for _, contrast in adam):
        of_mlp.append("With Adam, no gain from ELU is shown there.")
    if kind(contrast for _, contrast in [*sgd, *adam]) != FRESH:
        of_mlp.append("This rests on exploration so far.")
    if other_images := on_fashion(results):
        of_cnn.append(f"{other_images}.")
    data = "MNIST and, for the CNN, of Fashion-MNIST" if other_images else "MNIST alone"
    images = "the 10,000 test images of each" if other_images else "these 10,000 test images"
    limits = (
        f"This evidence is of {data}, of these networks at these sizes, and of {images}; it says nothing"
        " about larger networks or other data."
    )
    return [" ".join(of_cnn), " ".join(of_mlp), limits]


def explored() -> dict[str, str]:
    """The verdicts of exploration by claim, by the version of the rules that the plan has."""
    rows = table(EXPLORED, f"`git checkout {EXPLORED}` brings it back", "claim", "version_2")
    return {row["claim"]: row["version_2"] for row in rows}


def stood(results: Results, before: Mapping[str, str]) -> str:
    """How many verdicts of exploration (`before`, by claim) are still those of claims that fresh seeds have
    judged since, which are not, and which of the claims that exploration left undecided are decided now."""
    ran = [claim for claim in results.claims if claim.decided_by == "runs" and claim.id in before]
    by_runs = [claim for claim in ran if before[claim.id] not in UNDECIDED]
    judged = [claim for claim in by_runs if claim.evidence.startswith(FRESH)]
    if not judged:
        return (
            f"None of the {len(by_runs)} exploratory verdicts on claims that runs decide has been tested on"
            " fresh seeds yet."
        )
    others = [claim for claim in judged if claim.verdict != before[claim.id]]
    text = f"{len(judged) - len(others)} of {len(judged)} exploratory verdicts stood on fresh seeds."
    if others:
        changes = [f"{claim.id} ({before[claim.id]}, now {claim.verdict})" for claim in others]
        text += f" Those that did not: {', '.join(changes)}."
    if waiting := len(by_runs) - len(judged):
        text += f" {waiting} wait for theirs."
    left = [claim for claim in ran if claim not in by_runs and claim.evidence.startswith(FRESH)]
    if left:
        now = [f"{claim.id} ({claim.verdict})" for claim in left if claim.verdict not in UNDECIDED]
        text += f" Fresh seeds decide {len(now) or 'none'} of {len(left)} that exploration left undecided"
        text += f": {', '.join(now)}." if now else "."
    return text


def decided(claims: Sequence[ClaimResult]) -> str:
    """E.g. "13 are decided and 2 left open"."""
    left = sum(claim.verdict in UNDECIDED for claim in claims)
    return f"{len(claims) - left} are decided" + f" and {left} left open" * bool(left)


def evidence(results: Results) -> str:
    """What today's verdicts rest on: exploration, or fresh seeds planned before they were trained."""
    ran = [claim for claim in results.claims if claim.decided_by == "runs"]
    timed = [claim for claim in ran if not claim.evidence]
    fresh = [claim for claim in ran if claim.evidence.startswith(FRESH)]
    explored = [
        claim
        for claim in ran
        if claim not in fresh + timed and any(c.n and kind([c]) == EXPLORATION for c in claim.contrasts)
    ]
    waiting = len(ran) - len(fresh + timed + explored)  # without runs, or with fresh ones of one part alone
    if fresh and not explored and not waiting:
        return (
            "All verdicts on runs come from fresh seeds, trained after the claims and rules were written."
        )
    if fresh:
        own = len(ran) - sum(claim in ran for claim in results.published)
        text = f"{len(ran)} claims are for runs to decide, {own} of them this project's own."
        text += f" By fresh seeds, {decided(fresh)}"
        if in_part := sum(claim.evidence != FRESH for claim in fresh):
            text += f"; for {in_part} of these {len(fresh)}, other readings wait for theirs"
        text += "."
        if explored:
            text += f" By exploration, at least in part, {decided(explored)}"
            text += f"; the rules (version {results.rules_version}) were made after its runs had been seen."
        rest = {"measurements of time": len(timed), "runs": waiting}
        wait = " and ".join(f"{count} for {what}" for what, count in rest.items() if count)
        return f"{text} The others wait, {wait}." if wait else text
    return (
        "Today's verdicts on runs come from exploration: the rules"
        f" (version {results.rules_version}) were made after these runs had been seen. Fresh seeds are"
        " planned. Once an experiment has all of its own, they alone decide."
    )
