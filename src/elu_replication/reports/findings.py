"""The findings: the results in a few sentences, whose numbers, directions and presence come from verdicts,
effects and identified protocols. Where runs decide otherwise, the sentences do."""

import csv
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from elu_replication.claims.results import UNDECIDED, ContrastResult, Results
from elu_replication.config.experiments import RESULTS
from elu_replication.errors import UserError
from elu_replication.reports.phrases import (
    Pair,
    clear_side,
    digits,
    find,
    joint,
    kind,
    listed,
    points,
    replicated,
    side,
    value,
)
from elu_replication.runs.evidence import FRESH

CURVES = RESULTS / "identification" / "curves.csv"
MOST = 8  # findings shown; the first matter most to a reader
CNN, DROPOUT, MLP = "machinecurve_25-", "machinecurve_dropout-", "asu_mlp-"
FASHION = "fashion_mnist-"
INITIALIZERS = ("glorot", "he")
ACTIVATIONS = ("ELU", "ReLU", "sigmoid")  # of the student report, in the order of its claims
# What the sources measured: scores and curves, and not what this project's probes do.
MEASURED = ("test_", "validation_", "train_", "epochs_to_")
# The claims on a score of ELU minus ReLU's in the article's network, with Glorot and with He.
MINUS_RELU = {
    ("test_loss", CNN): ("C3", "C7"),
    ("test_accuracy", CNN): ("C3", "C15"),
    ("test_loss", FASHION): ("C75", "C77"),
}


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


class Fitting(NamedTuple):
    """What a published curve leaves: of the protocols that the source leaves open, the only one that fits,
    or "" where that is none or several; and the arms that fit though the source rules them out."""

    identified: str = ""
    controls: tuple[str, ...] = ()


Fits = Mapping[str, Fitting]  # by the curve's name


def fits(path: Path = CURVES) -> Fits:
    """What the identification says of each published curve; nothing where there is no identification."""
    if not os.path.lexists(path):
        return {}
    columns = ("curve", "role", "candidate", "p", "excluded", "identified")
    rows = table(path, "`dvc repro -f identification` makes it again", *columns)
    fitting = {}
    for curve in dict.fromkeys(row["curve"] for row in rows):
        of_curve = [row for row in rows if row["curve"] == curve]
        only = next((row["candidate"] for row in of_curve if row["identified"] == "True"), "")
        controls = [
            row["candidate"]
            for row in of_curve
            if row["p"] and (row["role"], row["excluded"]) == ("control", "False")
        ]
        fitting[curve] = Fitting(only, tuple(dict.fromkeys(controls)))
    return fitting


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


def outlook(rows: Iterable[Labelled]) -> str:
    """What could still change a finding."""
    if kind(row.contrast for row in rows) == FRESH:
        return "a replication elsewhere that decides otherwise"
    return "the planned fresh seeds, if they decide otherwise"


def alpha(results: Results, fitting: Fits) -> Finding:
    """Whether the article's gain under He initialization came from He or from alpha."""
    glorot, he = (fitting.get(curve, Fitting()).identified for curve in ("glorot_elu", "he_elu"))
    of_alpha = by_alpha(results)
    of_he = [
        find(results, "C79", "test_loss", f"{CNN}he_{elu}", f"{CNN}glorot_{elu}")[1]
        for elu in ("elu1", "elu01")
    ]
    if glorot and he:
        begin = f"Of the alphas that the article names, only {glorot.removeprefix('alpha ')} fits its curve"
        begin += f" with Glorot, and only {he.removeprefix('alpha ')} that with He"
        if others := fitting["he_elu"].controls:
            begin += f" (which {listed(others)} would fit as well)"
        changed = "changed along" if glorot != he else "did not change"
        why = f"If the article's runs had one of these protocols, alpha {changed} with the initializer."
        elu = glorot.replace("alpha ", "elu").replace(".", "")
        _, printed = find(results, "C2", "test_loss", f"{CNN}glorot_{elu}")
        if printed.verdict == "not replicated":
            why += f" Yet the test loss that it prints with Glorot, {printed.than:.4f}, lies outside the"
            why += f" interval of a new run of {glorot}."
        if others := fitting["glorot_elu"].controls:
            why += f" The curve with Glorot is one that {listed(others)} would fit as well."
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


def by_initializer(pairs: Sequence[Pair], both: str = " with either initialization") -> str:
    """Where a score of ELU is against ReLU's with Glorot and with He; `both` ends it where these agree."""
    glorot, he = (clear_side(pair) or "not clearly different" for pair in pairs)
    return f"{glorot}{both}" if glorot == he else f"{glorot} with Glorot and {he} with He"


def differences(pairs: Sequence[Pair]) -> str:
    """The effects with Glorot and with He, e.g. "+0.0111 with Glorot, +0.0121 with He"."""
    glorot, he = (digits(contrast.effect, "+") for _, contrast in pairs)
    return f"{glorot} with Glorot, {he} with He"


def cnn(results: Results) -> Finding | None:
    """Whether ELU has a lower loss than ReLU in the article's network, and whether it is more accurate."""
    pairs, accuracies = minus_relu(results, "test_loss"), minus_relu(results, "test_accuracy")
    if any(contrast.n < 2 for _, contrast in pairs):
        return None
    losses = f"{by_initializer(pairs)} ({differences(pairs)})"
    pairs += minus_relu(results, "test_loss", elu="elu01")
    labels = ("alpha 1, Glorot", "alpha 1, He", "alpha 0.1, Glorot", "alpha 0.1, He")
    rows = [Labelled(label, contrast) for label, (_, contrast) in zip(labels, pairs, strict=True)]
    title = (
        f"With ELU (alpha 1) instead of ReLU, the test loss of the article's CNN is {losses}; its accuracy"
        f" is {by_initializer(accuracies, both='')} ({differences(accuracies)})"
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
    there, on_mnist = (by_initializer(pairs) for pairs in (losses, minus_relu(results, "test_loss")))
    end = ", as on MNIST" if there == on_mnist else f"; on MNIST it is {on_mnist}"
    return f"On Fashion-MNIST, the CNN's test loss with ELU (alpha 1) instead of ReLU is {there}{end}"


def fashion(results: Results) -> Finding | None:
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


class EqualDropout(NamedTuple):
    """ELU minus ReLU at one dropout rate: the reading with validation losses and its contrast of their
    mean, and the same of training losses."""

    rate: str
    alpha: str
    validation: Pair
    train: Pair

    @property
    def epochs(self) -> ContrastResult:
        """The contrast of the epoch at which the validation loss reaches 0.05."""
        return next(c for c in self.validation.reading.contrasts if c is not self.validation.contrast)


def equal_dropout(results: Results) -> list[EqualDropout]:
    """The article's network with ELU and with ReLU at the same rate, for two rates and two alphas."""
    return [
        EqualDropout(
            *(rate, alpha),
            *(
                find(results, "C11", metric, f"{elus}{elu}{end}", relu)
                for metric in ("validation_area", "train_area")
            ),
        )
        for rate, elus, end, relu in (
            ("0.5", DROPOUT, "_d50", f"{DROPOUT}relu_d50"),
            ("0.25", f"{CNN}he_", "", f"{CNN}he_relu"),
        )
        for alpha, elu in (("alpha 1", "elu1"), ("alpha 0.1", "elu01"))
    ]


def at_equal_dropout(mine: Sequence[EqualDropout], others: Sequence[EqualDropout]) -> str:
    """What becomes of ELU's training and validation loss with the alpha of `mine` and with another."""
    text = "at equal rates its"
    if joint(rate.train.reading for rate in mine) == "holds":
        text += " training loss falls faster, but its"
    areas = [rate.validation.contrast for rate in mine]
    if joint(areas) != "holds":
        return f"{text} validation loss falls no faster"
    text += f" validation loss is lower by only {between(areas)} on average over epochs 1 to 15"
    close = all(rate.epochs.equivalence_interval for rate in mine)
    text += f", and reaches 0.05 {'within an epoch of' if close else 'no earlier than'} ReLU's"
    rest = [rate.validation.contrast for rate in others]
    if {side(contrast) for contrast in rest} == {"higher"}:
        text += f"; with {others[0].alpha} it is higher by {between(rest)}"
    return text


def between(contrasts: Sequence[ContrastResult]) -> str:
    """The least and the largest size of some effects, e.g. "0.0005 to 0.0014"."""
    least, most = (digits(end(abs(contrast.effect) for contrast in contrasts)) for end in (min, max))
    return f"{least} to {most}"


def dropout(results: Results, fitting: Fits) -> Finding:
    """Whether ELU converges faster at equal dropout, as the article saw at unequal rates, and whether
    dropout hampers it."""
    rates = equal_dropout(results)
    seen, unequal = find(results, "C11", "validation_area", f"{CNN}he_elu01", f"{DROPOUT}relu_d50")
    fit = fitting.get("long_elu", Fitting())
    alpha, lower, _ = fit.identified.partition(" with dropout 0.25")
    mine = [rate for rate in rates if rate.alpha == alpha]
    equal = [rate.validation for rate in rates]
    also = f" (which {listed(fit.controls)} would fit as well)" if fit.controls else ""
    if (
        lower
        and seen.verdict == "replicated"
        and joint(rate.validation.reading for rate in mine) == "fails"
    ):
        title = (
            f"Of the ELU protocols that the article leaves open, only {alpha} with dropout 0.25 fits the"
            f" beginning of its 250-epoch curve{also}; it is faster than ReLU with 0.5;"
            f" {at_equal_dropout(mine, [rate for rate in rates if rate not in mine])}"
        )
    else:
        title = {
            "holds": "At equal dropout, ELU's validation loss falls faster than ReLU's",
            "fails": "At equal dropout, ELU's validation loss falls no faster than ReLU's",
            "undecided": "Whether ELU's validation loss falls faster at equal dropout is undecided",
        }[joint(reading for reading, _ in equal)]
    why = (
        "Only the first 25 epochs of the 250 are compared. The article's ReLU had a rate of 0.5. "
        if lower
        else ""
    )
    why += (
        "With these unequal rates, the mean validation loss of epochs 1 to 15, ELU minus ReLU, is"
        f" {value(unequal)}. With equal rates, this mean is lower in"
        f" {replicated(contrast for _, contrast in equal)} comparisons, and higher in"
        f" {sum(side(contrast) == 'higher' for _, contrast in equal)}. By it and by the"
        f" {rates[0].epochs.meaning}, ELU is faster in {replicated(reading for reading, _ in equal)}. The"
        f" mean training loss is lower in {replicated(rate.train.reading for rate in rates)}."
    )
    rows = [
        Labelled("ELU 0.25, alpha 0.1; ReLU 0.5", unequal),
        *(Labelled(f"both {rate.rate}, {rate.alpha}", rate.validation.contrast) for rate in rates),
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
    pairs = [Pair(reading, reading.contrasts[0]) for reading in results.by_id[claim].readings]
    arms = re.compile(rf"{MLP}{name}_elu\S* {MLP}{name}_relu")
    return [pair for pair in pairs if pair.contrast.n and arms.match(" ".join(pair.contrast.arms))]


def gain(pairs: Sequence[Pair]) -> str:
    """By how much ELU is more accurate in the readings of `pairs` in which networks learn, in how many, and
    by how much in the primary one, the first, where that is decided otherwise; "" where it is in none."""
    learning = [contrast for _, contrast in pairs if not idle(contrast)]
    more = [contrast for contrast in learning if contrast.verdict == "replicated"]
    which = "readings" if len(learning) == len(pairs) else "readings in which networks learn"
    primary = pairs[0].contrast
    but = f", but in the primary one by {points([primary])}, which is {primary.verdict}"
    return (
        f"by {points(more)} in {replicated(learning)} {which}{but * (primary.verdict != 'replicated')}"
        if more
        else ""
    )


def idle(contrast: ContrastResult) -> bool:
    """Whether two arms have the same accuracy with every seed, as networks do that learn nothing."""
    return contrast.effect == 0 == contrast.sd


def mlp(results: Results) -> Finding | None:
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
    primary = sgd[0].contrast
    why = (
        f"In the primary reading ({sgd[0].reading.label}), ELU's accuracy minus ReLU's is {value(primary)},"
        f" which is {primary.verdict}. With Adam it is {value(adam[0].contrast)}."
    )
    if without := [reading.label for reading, contrast in sgd if idle(contrast)]:
        why += f" In the reading {without[0]} neither network learns."
    every = [Labelled(reading.label, contrast) for reading, contrast in [*sgd, *adam]]
    rows = [row for row in every if row.contrast.interval.half_width < 0.05]
    return Finding("mlp", title, why, ("C43",), rows, f"{outlook(rows)}.")


def accuracies(results: Results) -> Finding | None:
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
        reached = [
            f"{name} {contrast.effect:.4f} instead of {contrast.than:.4g}"
            for name, contrast in zip(ACTIVATIONS, claim.readings[0].contrasts, strict=True)
            if contrast.n
        ]
        title += f"; in the primary one, they are {listed(reached)}" if reached else ""
    rows = [
        Labelled(f"{kind} ({optimizer})", contrast)
        for optimizer, reading in zip(("SGD", "Adam"), claim.readings, strict=False)
        for kind, contrast in zip(ACTIVATIONS, reading.contrasts, strict=True)
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


def sigmoid(results: Results) -> Finding | None:
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


def activations(results: Results) -> Finding | None:
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
    primary, other = (pairs[0].contrast for pairs in groups)
    others = [
        reading
        for reading in results.by_id["C23"].readings
        if next(iter(reading.contrasts[0].arms)).startswith(CNN) and reading.verdict != "not run"
    ]
    if others:
        title += f"; in the article's CNN, trained by Adam, they are in {replicated(others)} readings"
    why = (
        "The distance from zero of the median unit's mean activation, ELU minus ReLU, is"
        f" {value(primary)} with SGD and {value(other)} with Adam."
    )
    shown = [*groups[0], *groups[1], *(Pair(reading, reading.contrasts[0]) for reading in others)]
    rows = [
        Labelled(reading.label, contrast) for reading, contrast in shown if contrast.interval.half_width < 1
    ]
    return Finding("activations", title, why, ("C23",), rows, f"{outlook(rows)}.")


def epoch(results: Results) -> Finding | None:
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


def single_runs(results: Results) -> Finding | None:
    """How often a pair of runs shows a published direction of a score or a curve, where all seeds decide
    against or for it."""
    decided = {
        (contrast.metric, contrast.expect, contrast.than, *contrast.arms): contrast
        for claim in results.published
        for contrast in claim.contrasts
        if contrast.directed and contrast.n > 1 and len(contrast.arms) > 1
        if contrast.metric.startswith(MEASURED)
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
        "Where all seeds together do not replicate a published direction of a score or a curve, a single"
        f" pair of runs, as most of the sources made, still shows it in {misled:.0%} of cases on average"
    )
    why = (
        f"Of {len(wrong)} comparisons that are not replicated, {often} go the claimed way in at least one"
        f" seed. In the {len(right)} that are replicated, a single seed shows the claimed direction in"
        f" {sum(right) / len(right):.0%} of cases on average. Each seed counts as a run that a source might"
        " have made."
    )
    return Finding("single", title, why, (), [], "more seeds, which change both shares.")


def rests_on(finding: Finding, results: Results) -> str:
    """The runs that a finding rests on, e.g. "6 seeds, exploration", or "4 measurements"."""
    counts = sorted({row.contrast.n for row in finding.rows})
    number = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))) if counts else "all"
    if finding.name == "epoch":
        return f"{number} measurements"
    everything = [c for claim in results.published if claim.evidence for c in claim.contrasts]
    of = kind([row.contrast for row in finding.rows] or everything)
    return f"{number} {of}" if of == FRESH else f"{number} seeds, {of}"


def findings(results: Results, fitting: Fits) -> list[Finding]:
    """The findings that the results have, the most important first."""
    possible = (
        cnn(results),
        alpha(results, fitting),
        dropout(results, fitting),
        mlp(results),
        accuracies(results),
        fashion(results),
        sigmoid(results),
        activations(results),
        epoch(results),
        single_runs(results),
    )
    present = [finding for finding in possible if finding]
    return [finding._replace(rests_on=rests_on(finding, results)) for finding in present[:MOST]]
