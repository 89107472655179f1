"""The one page: all results in a single file that needs no network; the DVC stage `page`.

The page is made from the stored results alone. Its text, tables and small plots are there without
JavaScript, which draws the curves and the explorer.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from elu_replication import atomic
from elu_replication.claims import results as stored
from elu_replication.claims.plan import can_decide
from elu_replication.claims.results import KIND_NAMES, UNDECIDED, VERDICTS, ClaimResult, Results
from elu_replication.config import experiments
from elu_replication.config.experiments import RESULTS
from elu_replication.config.options import group_option, options
from elu_replication.config.schema import PUBLISHED
from elu_replication.engine.activations import ACTIVATIONS
from elu_replication.errors import run_main
from elu_replication.reports import captions, claims, columns, findings, index, overview, plots
from elu_replication.reports.arms import Row, alike, at_chance, declared_at, grouped, histories, runs
from elu_replication.reports.findings import Finding
from elu_replication.reports.identification import published_losses
from elu_replication.reports.internals import depth_profile, levels, probed
from elu_replication.reports.phrases import digits, value
from elu_replication.reports.style import arm_label, lines
from elu_replication.reports.tables import readable, summary
from elu_replication.runs import evidence, frames, store
from elu_replication.runs.frames import over_seeds
from elu_replication.training import cost

FILE = RESULTS / "report.html"
PAGE = Path(__file__).parent / "templates"
MARKS = dict(zip(VERDICTS, "✓✗⇄?○□", strict=True))  # told apart without colour
POINTS = 40  # of a curve, at most
SEED = ", seed "  # between the name of an arm and one of its seeds
SCORES = (  # no markup: it stands in Markdown and in HTML
    "Test scores after the last epoch: mean ± standard deviation over seeds. The loss is the one that was"
    " trained on: cross-entropy as a rule, squared error averaged over the outputs for clevert_fig3 and"
    " for arms in _squared, and squared error summed over the outputs for arms in _sum. In names, elu1 and"
    " elu01 are alpha 1 and 0.1, _d25 is a dropout rate of 0.25, _60k training on all 60,000 images, _6 and"
    " the numbers of mlp_depth are hidden layers, _001 to _05 of mlp_learning_rate learning rates of 0.01"
    " to 0.5, and _1e2 of clevert_fig3 is one of 1e-2. A published score stands beside every arm that may"
    " have given it; it is of one run. Fresh seeds are looked at once: until all of an"
    " experiment are stored, its rows show exploration, even of an arm that has all of its own. Kernels"
    " named x86-64-v3 are the fixed ones, which all processors with AVX2 have; AVX-512 and AVX2 without"
    " oneDNN are those of runs from before, whose last bits may differ on another processor."
)
MOST_SHOWN = 4  # arms that a chart has at first; of more, those of the first panel


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """A curve's rows at no more than about POINTS epochs, the first and the last among them."""
    epochs = np.sort(table.epoch.unique())
    kept = epochs[np.unique(np.linspace(0, len(epochs) - 1, POINTS).round().astype(int))]
    return table[table.epoch.isin(kept)]


def seeds_apart(table: pd.DataFrame, rows: Iterable[Row]) -> pd.DataFrame:
    """A table of seeds in which each seed of an arm whose seeds are of two kinds (arms.alike) counts as an
    arm of its own, "ARM, seed K"."""
    mixed = [row.label for row in rows if len(alike(table, row)) > 1]
    names = table.arm + SEED + table.seed.astype(str)
    return table.assign(arm=table.arm.where(~table.arm.isin(mixed), names))


def view(title: str, label: str, x: pd.Series, rows: pd.DataFrame, name: str, log: bool) -> dict[str, Any]:
    """What a chart can show of a column by `x`, whose axis has a label: points as plain columns, five
    digits each, null where there is no number: the place among `lines` (an arm, or one seed of it as
    seeds_apart() names it), x, the mean, and the least and the largest seed's value where the frame has
    them. What was published beside them, curve_views adds."""

    def plain(values: pd.Series) -> list[float | None]:
        return [None if pd.isna(value) else float(f"{value:.5g}") for value in values]

    places, lines = pd.factorize(rows.arm)
    points: dict[str, Any] = {"lines": lines.tolist(), "line": places.tolist(), "x": plain(x)}
    for key, column in (("mean", name), ("low", f"{name}_min"), ("high", f"{name}_max")):
        points[key] = plain(rows.get(column, rows[name]))
    return {"title": title, "x": label, "log": log, "points": points, "published": (), "curves": ()}


def xy(numbers: pd.Series) -> dict[str, list[float]]:
    """A series as columns of a chart."""
    return {"x": numbers.index.tolist(), "y": numbers.tolist()}


def curve_views(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """An experiment's training curves: one view for each score and split."""
    curves, views = over_seeds(seeds_apart(histories(rows), rows), "history"), []
    for metric in ("loss", "accuracy"):
        for split in ("validation", "test", "train"):
            scored = curves[(curves.split == split) & curves[metric].notna()]
            if scored.empty:
                continue
            mine = thinned(scored)
            published = [(r.label, getattr(r.published, f"test_{metric}", None)) for r in rows]
            marks = [{"arm": arm, "y": y} for arm, y in published if y is not None and split == "test"]
            lines = published_losses(rows, split) if metric == "loss" else []
            drawn = [{"run": run, "arms": arms, **xy(losses.dropna())} for run, arms, losses in lines]
            shown = view(f"{split} {metric}", "epoch", mine.epoch, mine, metric, metric == "loss")
            views.append({**shown, "published": marks, "curves": drawn})
    return views


def probe_views(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What probes measured in an experiment's runs, one view for each quantity."""
    views = []
    if not (activity := seeds_apart(probed(rows, "activity"), rows)).empty:
        whole = over_seeds(activity[activity.layer == 0], "activity")
        for name, title in (
            ("median_activation", "median over units of mean activation"),
            ("mean_absolute_activation", "mean over units of absolute mean activation"),
            ("dead", "share of units whose pre-activation is never positive"),
            ("saturated", "share of units with no derivative of 0.01 or more"),
        ):
            mine = whole[whole[name].notna()]
            views.append(view(title, "epoch", mine.epoch, mine, name, False))
        profile = depth_profile(activity)
        for title, chosen in (
            ("gradient norm by layer, initially", profile.epoch == 0),
            ("gradient norm by layer, trained", profile.epoch > 0),
        ):
            mine = profile[chosen]
            of_last = f"{title} (ratio to the last layer's)"
            views.append(view(of_last, "layer", mine.layer, mine, "ratio", True))
    if not (perturbations := seeds_apart(probed(rows, "perturbations"), rows)).empty:
        perturbed = levels(perturbations)
        for kind, name, title in (
            ("input_noise", "accuracy", "accuracy under noise on the input"),
            ("planted", "accuracy", "accuracy with a planted pre-activation"),
            ("input_noise", "deactivated_variance", "variance of deactivated units under noise"),
        ):
            mine = perturbed[(perturbed.kind == kind) & perturbed[name].notna()]
            x = "log10 of how far below zero" if kind == "planted" else "standard deviation of the noise"
            level = np.log10(mine.level) if kind == "planted" else mine.level
            views.append(view(title, x, level, mine, name, name != "accuracy"))
    return views


def chart(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """All that the page draws of an experiment: its arms that have runs, with their looks, and views."""
    ran = [row for row in rows if store.current(row.arm)]
    document = experiments.load(name)
    first = next(
        (set(arms) for arms in document.panels.values() if {row.label for row in ran} & set(arms)), set()
    )
    arms = [
        {
            "label": line.row.label,
            "name": arm_label(line.row),
            "colour": line.colour,
            "seeds": len(accuracies := [run.final.test_accuracy for run in frames.finished(line.row.arm)]),
            "at_chance": int(at_chance(accuracies).sum()),
            "shown": len(ran) <= MOST_SHOWN or line.row.label in first,
        }
        for line in lines(ran)
    ]
    idle = [row.label for row in rows if row not in ran]
    views = [*curve_views(ran), *probe_views(ran)] if ran else []
    return {"id": name, "document": document, "arms": arms, "idle": idle, "views": views}


def scores(rows: Sequence[Row]) -> pd.DataFrame:
    """The summary as the page's table has it, with the command that makes each row."""
    ran = summary(rows).query("status != 'not run'")
    return readable(ran).assign(
        Command=[f"make replicate ARMS='{name}'" for name in ran.experiment + "-" + ran.arm]
    )


def environments(rows: Sequence[Row]) -> pd.DataFrame:
    """Each distinct environment of the runs that count, with how many runs it made."""
    listed = pd.DataFrame([record.environment.model_dump() for _, record in runs(rows)])
    return listed.fillna("-").value_counts(sort=False).rename("runs").reset_index()


def payload(charts: Sequence[dict[str, Any]]) -> str:
    """The charts' data as JSON that may stand in HTML."""
    plain = [{key: c[key] for key in ("id", "arms", "views")} for c in charts]
    text = json.dumps({"charts": plain, "explorer": explorer()}, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def explorer() -> dict[str, Any]:
    """Every activation function and its derivative as tables [values, slopes], one for each of the
    slider's alphas, or a single one.

    They reach as far as the drawing, x from -6 to 6, and the offset, from -5 to 5, do together.
    """
    x, alphas = np.arange(-110, 111) / 10, np.arange(1, 21) / 10
    functions = []
    for name in options("activation"):
        shown, alpha = ACTIVATIONS[name], group_option("activation", name).get("alpha")
        tables = [
            [np.round(values, 4).tolist() for values in (tabulated.value(x), tabulated.derivative(x))]
            for tabulated in map(shown, alphas if alpha else [None])
        ]
        facts = {"name": name, "label": shown.label, "colour": shown.colour, "alpha": alpha}
        functions.append({**facts, "tables": tables})
    return {"steps_per_unit": 10, "start": x[0], "functions": functions}


def embedded(path: Path) -> str:
    """A figure as the source of an image that stands in the page, in text that stays readable."""
    return "data:image/svg+xml," + quote(path.read_text(), safe=" !$&()*+,-./:;=?@[]^_`{|}~'")


def to_train(claims: Iterable[ClaimResult]) -> tuple[int, float]:
    """How many fresh runs some claims wait for, and the hours that these take on one core."""
    names = {name for claim in claims for contrast in claim.contrasts for name in contrast.arms}
    arms = {arm.folder: arm for arm in (experiments.arm(name, PUBLISHED) for name in sorted(names))}
    missing = {f: len(arm.fresh_seeds) - evidence.stored_fresh(arm) for f, arm in arms.items()}
    hours = sum(count * cost.seconds(arms[folder].protocol) / 3600 for folder, count in missing.items())
    return sum(missing.values()), hours


def undecided(results: Results) -> columns.Rows:
    """Each undecided claim with the fresh runs that it waits for, those of the fewest hours first. Claims
    on times wait for measurements instead, and those whose planned seeds cannot decide them for nothing."""
    waiting = [claim for claim in results.claims if claim.verdict in UNDECIDED]
    costs = [(claim, *(to_train([claim]) if can_decide(claim) else (0, 0.0))) for claim in waiting]

    def left(claim: ClaimResult, runs: int) -> str:
        if not claim.evidence:
            return "measurements: make times"
        if runs:
            return str(runs)
        if claim.evidence.startswith(evidence.FRESH):
            return "none: its planned seeds leave it open"
        if can_decide(claim):
            return "none of its own: other arms of its experiments wait for theirs"
        return "none: too few are planned for its primary reading"

    return [
        {
            "Claim": claim.id,
            "Statement": claim.statement,
            "Verdict": claim.verdict,
            "Fresh runs left": left(claim, runs),
            "Hours on one core": f"{hours:.1f}" if runs else "-",
        }
        for claim, runs, hours in sorted(costs, key=lambda row: row[-1] or math.inf)
    ]


def finding_plots(finding: Finding) -> tuple[str, list[tuple[str, Markup, str]]] | None:
    """A finding's figure: what its axis has, between which ends, and its lines: label, plot, number."""
    if not finding.rows:
        return None
    low, high = shown = plots.span(contrast for _, contrast in finding.rows)
    meanings = "; ".join(dict.fromkeys(contrast.meaning for _, contrast in finding.rows))
    lines = [(label, plots.plot(c, shown), value(c)) for label, c in finding.rows]
    of = "Differences in " if all(len(contrast.arms) > 1 for _, contrast in finding.rows) else ""
    return f"{of}{meanings}. The axis goes from {digits(low)} to {digits(high)}.", lines


def render(rows: Sequence[Row], results: Results) -> str:
    """The whole page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    waiting = [columns.Line(c, c.readings[0], contrast) for c in results.claims for contrast in c.undecided]
    charts = [chart(name, group) for name, group in grouped(rows).items()]
    digests = group_option("dataset", "mnist")["digests"]
    bench = pd.read_csv(RESULTS / "bench/bench.csv") if (RESULTS / "bench/bench.csv").is_file() else None
    return environment.get_template("page.html").render(
        answer=overview.answer(results.published),
        bench=bench,
        captions=captions,
        charts=charts,
        claim_columns=columns.for_claims(results),
        columns=columns,
        digests=digests,
        environments=environments(rows),
        evidence=overview.evidence(results),
        stood=overview.stood(results, overview.explored()),
        findings=[
            (finding, finding_plots(finding)) for finding in findings.findings(results, findings.fits())
        ],
        holding=overview.holding(results.published),
        forest=embedded(RESULTS / "claims.svg"),
        identification=embedded(RESULTS / "identification/curves.svg"),
        kinds=KIND_NAMES,
        ledger=claims.ledger(results),
        marks=MARKS,
        payload=payload(charts),
        plot=plots.plot,
        plot_legend=plots.LEGEND,
        practice=overview.practice(results),
        points=POINTS,
        results=results,
        scores=scores(rows),
        about_scores=SCORES,
        script=(PAGE / "page.js").read_text(),
        style=(PAGE / "page.css").read_text(),
        power=columns.table(columns.CONTRASTS, waiting, "power"),
        to_train=to_train(results.claims),
        undecided=undecided(results),
    )


def main() -> None:
    atomic.write_text(FILE, render(declared_at(PUBLISHED), stored.load()))
    atomic.write_text(RESULTS / "README.md", index.markdown(RESULTS, SCORES))


if __name__ == "__main__":
    run_main(main)
