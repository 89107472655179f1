"""`make claim ID=C7` explains a claim in the terminal; `make plan` says which fresh seeds are left."""

import argparse
import textwrap

from elu_replication.claims import results as stored
from elu_replication.claims.results import KIND_NAMES, ClaimResult, Results
from elu_replication.config import experiments
from elu_replication.config.options import option, require_root
from elu_replication.config.schema import PUBLISHED, Campaign
from elu_replication.console import say, table
from elu_replication.errors import UserError, run_main
from elu_replication.reports import columns
from elu_replication.runs import store
from elu_replication.training import campaign, cost

MOST_LINES = 40  # that a claim takes without -v: what fits a terminal
WIDEST_LABEL = 55  # characters of a reading's label, so that its line fits 120


def named(text: str, results: Results) -> list[ClaimResult]:
    """The claims that a text such as "C7", "c7 8" or "C7,C8" names; raises UserError on an unknown one."""
    ids = [f"C{word.upper().removeprefix('C')}" for word in text.replace(",", " ").split()]
    known = results.by_id
    if not ids or not set(ids) <= set(known):
        last = list(known)[-1]
        raise UserError(f"ID={text}: no such claim; ID=C7 is one, and there are C1 to {last}")
    return [known[name] for name in ids]


def explain(claim: ClaimResult, results: Results, verbose: bool) -> None:
    """The verdict, why, and the readings one line each; with `verbose`, every contrast and its data by
    seed."""
    say(f"{claim.id}: {claim.verdict}")
    say(f"  {claim.statement}")
    say(f"Why: {claim.reason}.")
    findings = columns.table(columns.FINDINGS, claim.findings, "details")
    show("Computed", findings)
    for passage in claim.passages:
        say(f"  {results.sources[passage.source].name}, {passage.place}: {passage.says}")
    decisive = [columns.Line(claim, reading, reading.decisive) for reading in claim.readings]
    room = len(decisive) if verbose else MOST_LINES - 14 - len(findings)
    rows = columns.table(columns.CONTRASTS, decisive[:room], "terminal")
    show(
        "Readings, the primary one first",
        [{**row, "Reading": textwrap.shorten(row["Reading"], WIDEST_LABEL)} for row in rows],
    )
    if len(decisive) > room:
        say(f"... and {len(decisive) - room} more readings: make claim ID={claim.id} V=1")
    say(f"Source: {results.places(claim)}")
    say(f"Kind: {KIND_NAMES[claim.kind]}" + f"; published: {claim.published}" * bool(claim.published))
    if claim.note:
        say(f"Note: {claim.note}")
    if claim.readings:
        say(f"Evidence: {claim.evidence or 'measured times'}")
        say(f"Runs: {claim.command}")
    for line in columns.lines([claim] if verbose else []):
        contrast = line.contrast
        say(f"{line.reading.label}: {contrast.meaning}, {columns.formula(contrast)}: {contrast.verdict}")
        say(f"  {contrast.reason}")
        say("  by seed: " + ", ".join(f"{seed}: {value:.6g}" for seed, value in contrast.values.items()))


def show(title: str, rows: columns.Rows) -> None:
    """A table, unless it is empty."""
    if rows:
        table(title, list(rows[0]), [list(row.values()) for row in rows])


def plan() -> None:
    """How many of the declared fresh seeds are stored, and the hours that the rest take on all cores."""
    arms = experiments.selected(PUBLISHED, option(Campaign, "campaign", "fresh")).values()
    left, rows = campaign.pending(arms), []
    for batch in dict.fromkeys(map(campaign.batch, arms)):
        missing = [job for job in left if campaign.batch(job.arm) == batch]
        seeds = [seed for arm in arms if campaign.batch(arm) == batch for seed in arm.seeds]
        stored_seeds = f"{len(seeds) - len(missing)} of {len(seeds)}"
        size = f"{len(seeds) // batch[1]} x {batch[1]}"
        rows.append([batch[0], size, stored_seeds, f"{campaign.minutes(missing) / 60:.1f}"])
    table("The fresh seeds, in this order", ["Experiment", "Arms x seeds", "Stored", "Hours left"], rows)
    say(f"Left: {len(left)} runs, {campaign.minutes(left) / 60:.1f} hours on {cost.cores()} cores")
    say("`make replicate SET='campaign=fresh'` trains them, with ARMS='...' those of some experiments")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id", nargs="?", default="", help="claims, e.g. C7 or 'C7 C8'")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="every contrast, with its data by seed"
    )
    parser.add_argument("--plan", action="store_true", help="the fresh seeds that are left")
    options = parser.parse_args()
    require_root()
    store.require_whole(experiments.every_arm(PUBLISHED))
    if options.plan:
        plan()
        return
    results = stored.load()
    chosen = named(options.id, results)
    for claim in chosen:
        explain(claim, results, options.verbose)
    names = dict.fromkeys(
        name for claim in chosen for contrast in claim.contrasts for name in contrast.arms
    )
    if fewer := store.incomplete(experiments.arm(name, PUBLISHED) for name in names):
        say(f"Fewer seeds than declared: {fewer}")


if __name__ == "__main__":
    run_main(main)
