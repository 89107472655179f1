"""Which protocols fit each published curve, as a table and a figure; the DVC stage `identification`."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from scipy.optimize import isotonic_regression

from elu_replication import atomic
from elu_replication.claims.identification import (
    LAST,
    LEVEL,
    SUMMARIES,
    Candidate,
    Identification,
    Losses,
    PublishedCurve,
    identifications,
    load_curves,
)
from elu_replication.config import experiments
from elu_replication.config.experiments import RESULTS
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.errors import run_main
from elu_replication.reports import captions
from elu_replication.reports.arms import Row
from elu_replication.reports.style import save
from elu_replication.reports.tables import csv
from elu_replication.runs import evidence, frames, store

Results = Mapping[str, Identification]
IDENTIFIED, LEFT, EXCLUDED, DARKER = "#0072B2", "#D55E00", "0.55", "0.35"  # Okabe and Ito's, and greys
DASHES = ("--", ":", "-.")  # tell excluded candidates apart
LOSS_TICKS = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.2, 0.4)
LOSS_RANGE, TRAINING_RANGE = (0.025, 0.15), (0.007, 0.15)
LEADER = 0.25  # inches from the end of a line to its label
LEADING: dict[str, Any] = {
    "arrowstyle": "-",
    "relpos": (0, 0.5),
    "shrinkA": 0,
    "shrinkB": 0,
    "linewidth": 1.2,
}
LABEL_GAP = 0.17  # between the middles of two labels, as a share of an axis' height

NOTE = """\
{headline}.

{table}

Distances of the published run from each protocol's seeds, in predictive standard deviations: the
difference from the seeds' mean over sqrt(s²(1 + 1/n) + u²), where u is the uncertainty of reading the
figure: of one reading for a mean, whose epochs may share the error of the axis, and of two independent
readings for the rise. {meanings}.

A protocol is excluded where a distance is beyond the limit, Student's two-sided quantile at {level}
shared by the summaries. The protocol that made the run is excluded in at most {level} of cases where
summaries are normal over seeds, and in up to 7% where they are as skewed as an exponential. A run is
identified where one of several candidates is left; the true protocol may be none of them. Controls are
ruled out by the source itself: they show what a curve can tell apart, and decide nothing.
{controls}.
The summaries and the level were chosen after the published curves had been seen.
"""
CAPTION = (
    "Black: the article's losses, read off its figures. Bands: our runs ({kinds}), least to largest of"
    " {seeds} seeds; lines: their mean, beyond epoch {last} that of longer runs ({longer}). In brackets:"
    " the summary of the published run that fits least, in predictive standard deviations from the seeds."
    " Excluded: beyond Student's limit at {level}, shared by the summaries. {meanings}. {controls}. Loss"
    " axes are logarithmic."
)


class Label(NamedTuple):
    """What stands at the end of a line, in the figure's units."""

    end: float
    text: str
    colour: str
    line: str  # "" where it does not reach the label


def headline(results: Results) -> str:
    """E.g. "Of the protocols that the article leaves open, only alpha 1 fits its Glorot ELU curve, and only
    alpha 0.1 its He ELU curve"; says so where no curve decides."""
    fitting = [
        f"only {result.identified.label} fits its {result.run} curve"
        for result in results.values()
        if result.identified
    ]
    if not fitting:
        return "The published curves do not tell which protocol made them"
    clauses = ", and ".join([", ".join(fitting[:-1]), fitting[-1]] if len(fitting) > 1 else fitting)
    return f"Of the protocols that the article leaves open, {clauses}"


def conclusion(result: Identification) -> str:
    """What a curve says of its run, in a few words."""
    if result.identified:
        return f"only {result.identified.label} fits"
    if not result.left:
        return "no candidate fits"
    if unjudged := [candidate.label for candidate in result.left if not candidate.judged]:
        return f"not decided, too few seeds: {'; '.join(unjudged)}"
    if len(result.candidates) == 1:
        return "fits the stated protocol"
    return f"not decided: {'; '.join(candidate.label for candidate in result.left)}"


def verdict(candidate: Candidate) -> str:
    """E.g. "excluded (level +11.4 SDs)": the summary that fits least, in predictive standard deviations."""
    if not candidate.judged:
        return f"not judged ({candidate.seeds} seed{'s' * (candidate.seeds != 1)})"
    name, farthest = candidate.farthest
    return f"{'excluded' if candidate.excluded else 'fits'} ({name} {signed(farthest.distance)} SDs)"


def signed(distance: float) -> str:
    """E.g. "+11.4"; "-" for none."""
    return "-" if math.isnan(distance) else f"{distance:+z.1f}".replace("-", "\N{MINUS SIGN}")


def rows(results: Results) -> pd.DataFrame:
    """One line for each summary of each curve and candidate or control."""
    return pd.DataFrame(
        {
            "curve": name,
            "role": role,
            "candidate": candidate.label,
            "arm": candidate.arm,
            "judged_by": candidate.judged_by,
            "seeds": candidate.seeds,
            "summary": summary,
            **distance.model_dump(),
            "limit": candidate.limit,
            "adjusted_p": candidate.p,
            "excluded": candidate.excluded,
            "identified": candidate == result.identified,
        }
        for name, result in results.items()
        for role, group in (("candidate", result.candidates), ("control", result.controls))
        for candidate in group
        for summary, distance in candidate.distances.items()
    )


def markdown(results: Results) -> str:
    """The distances as a table, below what they show."""
    lines = []
    for result in results.values():
        for candidate in (*result.candidates, *result.controls):
            is_control = candidate in result.controls
            distances = {name: each.distance for name, each in candidate.distances.items()}
            words = verdict(candidate).partition(" (")[0] if candidate.judged else verdict(candidate)
            lines.append(
                {
                    "Published run": result.run,
                    "Protocol": candidate.label + " (control)" * is_control,
                    "Seeds": candidate.seeds,
                    "Evidence": result.evidence,
                    **{name.capitalize(): signed(distances.get(name, math.nan)) for name in SUMMARIES},
                    "Limit": "-" if math.isnan(candidate.limit) else f"{candidate.limit:.1f}",
                    "Result": "**identified**" if candidate == result.identified else words,
                }
            )
    table = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)
    return NOTE.format(
        headline=headline(results),
        table=table,
        meanings=meanings(),
        level=f"{LEVEL:.0%}",
        controls=fitting_controls(results),
    )


def fitting_controls(results: Results) -> str:
    """E.g. "Controls that fit, though the source itself rules them out: He alpha 1 (Glorot ELU)"."""
    fitting = [
        f"{control.label} ({result.run})"
        for result in results.values()
        for control in result.controls
        if control.judged and not control.excluded
    ]
    if not fitting:
        return "No control fits a curve"
    return f"Controls that fit, though the source itself rules them out: {', '.join(fitting)}"


def meanings() -> str:
    """E.g. "Early: mean validation loss of epochs 3 to 5; level: ..."."""
    return "; ".join(f"{name}: {summary.meaning}" for name, summary in SUMMARIES.items()).capitalize()


def spaced(positions: Sequence[float], gap: float) -> np.ndarray:
    """The positions in their order, moved as little as makes neighbours `gap` apart (least squares)."""
    order = np.argsort(positions)
    steps = gap * np.arange(len(order))
    result = np.empty(len(order))
    result[order] = isotonic_regression(np.asarray(positions, float)[order] - steps).x + steps
    return result


class PublishedLosses(NamedTuple):
    """Losses of a published run, read off a figure, and the labels of the arms that may have made it."""

    run: str
    arms: list[str]
    losses: pd.Series


def by_epoch(losses: Losses) -> pd.Series:
    """Published losses with their epochs, from 1, as index; NaN where the figure hides one."""
    return pd.Series(losses, index=range(1, len(losses) + 1), dtype=float)


def published_losses(rows: Iterable[Row], split: str) -> list[PublishedLosses]:
    """The published curves of a split, "validation" or "train", that some arms may have made: at published
    scale, since a shorter arm made none."""
    labels = {row.arm.name: row.label for row in rows}
    curves = []
    for curve in load_curves().values():
        losses = {"validation": curve.validation_loss, "train": curve.training_loss}.get(split)
        arms = [labels[candidate.arm] for candidate in curve.candidates if candidate.arm in labels]
        if losses and arms:
            curves.append(PublishedLosses(curve.run, arms, by_epoch(losses)))
    return curves


def draw(axes: Axes, result: Identification, losses: Losses, split: str) -> list[Label]:
    """Published losses by epoch over the bands of their candidates, and the label of each line."""
    dashes = iter(DASHES * len(result.candidates))
    labels = []
    judged = evidence.counted(arm.judged_by for arm in [*result.candidates, *result.controls])
    for candidate in sorted(result.candidates, key=lambda one: not one.excluded):  # the excluded below
        colour = EXCLUDED if candidate.excluded else IDENTIFIED if len(result.left) == 1 else LEFT
        line = next(dashes) if candidate.excluded else "-"
        arms = judged[candidate.judged_by], evidence.counted([candidate.arm])[candidate.arm]
        seeds, longer = (_losses(arm, split).loc[: len(losses)] for arm in arms)
        opacity = 0.18 if candidate.excluded else 0.3
        band = (seeds.min(axis=1), seeds.max(axis=1))
        axes.fill_between(seeds.index, *band, color=colour, alpha=opacity, linewidth=0)
        mean = pd.concat([seeds.mean(axis=1), longer.mean(axis=1).loc[len(seeds) + 1 :]])
        axes.plot(mean.index, mean, line, color=colour, linewidth=1.6)
        short = f" ({len(mean)} epochs)" if len(mean) < len(losses) else ""
        text = f"{candidate.label}{short}\n{verdict(candidate)}"
        shade = DARKER if candidate.excluded else colour
        labels.append(Label(mean.tail(3).mean(), text, shade, "" if short else line))
    published = by_epoch(losses)
    line = "o-" if len(losses) <= LAST else "-"
    axes.plot(published.index, published, line, color="black", linewidth=1.4, markersize=3)
    axes.set_yscale("log")
    axes.grid(alpha=0.25)
    return [*labels, Label(published.tail(3).mean(), "published", "black", "-")]


def _losses(arm: Arm, split: str) -> pd.DataFrame:
    """The losses of an arm's stored runs, a row an epoch and a column a seed; empty without runs."""
    losses = frames.history(arm).pivot(index="epoch", columns=["split", "seed"], values="loss")
    return pd.DataFrame(losses[split]) if split in losses else pd.DataFrame(dtype=float)


def label_losses(axes: Axes, losses: Sequence[float]) -> None:
    """Ticks at those of the losses that the axis holds."""
    low, high = axes.get_ylim()
    ticks = [tick for tick in losses if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def panel(axes: Axes, curve: PublishedCurve, result: Identification) -> None:
    """The curve's validation loss, each line labelled at its end, and its training loss, if any, inset."""
    labels = draw(axes, result, curve.validation_loss, "validation")
    last = len(curve.validation_loss)
    kind = result.evidence.partition(";")[0]  # all of it is too wide beside another panel's title
    seeds = f" ({kind})" * bool(kind)
    axes.set_title(f"{result.run} run: {conclusion(result)}{seeds}", fontsize=11, loc="left")
    axes.set(xlim=(1, last), xlabel="epoch", ylabel="validation loss")
    if last > LAST:
        axes.set(xscale="log", xlabel="epoch (log axis)")
        shown = (1, 2, 5, 10, LAST, 50, 100, last)
        axes.set_xticks(shown, [str(epoch) for epoch in shown])
        axes.axvspan(LAST, last, color="0.5", alpha=0.08, linewidth=0)
        axes.text(LAST * 1.05, 0.03, "not judged", transform=axes.get_xaxis_transform(), fontsize=9.5)
    else:
        axes.set_ylim(LOSS_RANGE)  # one for all, so that levels compare between panels
    label_losses(axes, LOSS_TICKS)
    low, high = axes.get_ylim()
    known = [label for label in labels if label.end > 0]
    ends = [math.log(label.end / low) / math.log(high / low) for label in known]
    beside = axes.transAxes + ScaledTranslation(LEADER, 0, axes.figure.dpi_scale_trans)
    for end, height, label in zip(ends, spaced(ends, LABEL_GAP), known, strict=True):
        axes.annotate(
            label.text,
            (1, end),
            (1, height),
            xycoords="axes fraction",
            textcoords=beside,
            arrowprops=LEADING | {"linestyle": label.line, "color": label.colour} if label.line else None,
            color=label.colour,
            weight="normal" if label.colour == DARKER else "bold",
            fontsize=9.5,
            va="center",
        )
    if curve.training_loss:
        inset = axes.inset_axes((0.5, 0.57, 0.36, 0.36))
        draw(inset, result, curve.training_loss, "train")
        inset.set_title("its training loss", fontsize=9.5, loc="left")
        inset.set(xlim=(3, LAST), ylim=TRAINING_RANGE)
        label_losses(inset, (0.01, 0.03, 0.1))


def figure(results: Results) -> Figure:
    """A panel for each published curve; one of more epochs than most takes a row of its own."""
    curves = load_curves()
    layout: list[Any] = []
    for name, curve in curves.items():
        if len(curve.validation_loss) > LAST:
            layout.append([name, name])
        elif layout and layout[-1][1] == ".":
            layout[-1][1] = name
        else:
            layout.append([name, "."])
    heights = [3.7 if left == right else 3.2 for left, right in layout]
    drawing = Figure(figsize=(11, sum(heights) + 1), layout="constrained")
    for name, axes in drawing.subplot_mosaic(layout, height_ratios=heights).items():
        panel(axes, curves[name], results[name])
    seeds = sorted({candidate.seeds for result in results.values() for candidate in result.candidates})
    title = headline(results).replace("open, ", "open,\n").replace(", and ", ",\nand ")
    drawing.suptitle(title, fontsize=14, weight="bold")
    counts = " or ".join(map(str, seeds))
    kinds = " or ".join(sorted({result.evidence.partition(";")[0] for result in results.values()}))
    longer = [
        one.arm for result in results.values() for one in result.candidates if one.arm != one.judged_by
    ]
    caption = CAPTION.format(
        kinds=kinds,
        longer=evidence.evidence(evidence.counted(longer).values()).partition(";")[0],
        seeds=counts,
        last=LAST,
        level=f"{LEVEL:.0%}",
        meanings=meanings(),
        controls=fitting_controls(results),
    )
    drawing.supxlabel(textwrap.fill(caption, 150), fontsize=9.5, x=0.01, ha="left")
    return drawing


def main() -> None:
    store.require_whole(experiments.every_arm(PUBLISHED))
    results = identifications()
    with atomic.replaced_folder(RESULTS / "identification") as folder:
        path = folder / "curves"
        atomic.write_text(path.with_suffix(".csv"), csv(rows(results), 6))
        atomic.write_text(path.with_suffix(".md"), markdown(results))
        save(figure(results), path, captions.IDENTIFICATION, ("png", "svg"))


if __name__ == "__main__":
    run_main(main)
