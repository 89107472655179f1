"""`make claim ID=C7` explains a claim in the terminal."""

import argparse
import math
import textwrap

from elu_replication.claims import results as stored
from elu_replication.claims.results import KIND_NAMES, ClaimResult, Results
from elu_replication.config import experiments
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED
from elu_replication.console import console, say, table
from elu_replication.errors import UserError, run_main
from elu_replication.reports import columns
from elu_replication.runs import store
from elu_replication.training import campaign

MOST_LINES = 40  # that a claim takes without -v: what fits a terminal
WIDEST_LABEL = 55  # characters of a reading's label, so that its line fits 120
PRIMARY = "* "
WORST_FIRST = ("not replicated", "inconclusive", "replicated", "not run")  # the last say nothing


def named(text: str, results: Results) -> list[ClaimResult]:
    """The claims that a text such as "C7", "c7 8" or "C7,C8" names; raises UserError on an unknown one."""
    ids = [f"C{word.upper().removeprefix('C')}" for word in text.replace(",", " ").split()]
    known = results.by_id
    if not ids or not set(ids) <= set(known):
        last = list(known)[-1]
        raise UserError(f"ID={text}: no such claim; ID=C7 is one, and there are C1 to {last}")
    return [known[name] for name in ids]


def explain(claim: ClaimResult, results: Results, verbose: bool) -> None:
    """The verdict, why, and the readings one line each, the worst first; with `verbose`, every contrast and
    its data by seed."""
    first = [f"{claim.id}: {claim.verdict}", f"  {claim.statement}", f"Why: {claim.reason}."]
    passages = [f"  {results.sources[p.source].name}, {p.place}: {p.says}" for p in claim.passages]
    published = f"; published: {claim.published}" * bool(claim.published)
    last = [f"Source: {results.places(claim)}", f"Kind: {KIND_NAMES[claim.kind]}{published}"]
    last += [f"Note: {claim.note}"] * bool(claim.note)
    if claim.readings:
        last += [f"Evidence: {claim.evidence or 'measured times'}", f"Runs: {claim.command}"]
    findings = columns.table(columns.FINDINGS, claim.findings, "details")
    taken = sum(math.ceil(len(line) / console.width) for line in (*first, *passages, *last))
    room = MOST_LINES - taken - len(findings) - 2 * bool(findings) - 3  # titles and headings; "... and"
    say("\n".join(first))
    show("Computed", findings)
    for passage in passages:
        say(passage)
    show_readings(claim, len(claim.readings) if verbose else max(1, room))
    say("\n".join(last))
    for line in columns.lines([claim] if verbose else []):
        contrast = line.contrast
        say(f"{line.reading.label}: {contrast.meaning}, {columns.formula(contrast)}: {contrast.verdict}")
        say(f"  {contrast.reason}")
        say("  by seed: " + ", ".join(f"{seed}: {value:.6g}" for seed, value in contrast.values.items()))


def show_readings(claim: ClaimResult, room: int) -> None:
    """A line for each reading, the worst first, and for no more than `room`; the primary one, which gives
    the verdict, is among them."""
    readings = sorted(claim.readings, key=lambda reading: WORST_FIRST.index(reading.verdict))
    shown = readings[:room]
    if shown and claim.readings[0] not in shown:
        shown[-1] = claim.readings[0]
    lines = [columns.Line(claim, reading, reading.decisive) for reading in shown]
    rows = columns.table(columns.CONTRASTS, lines, "terminal")
    for row, reading in zip(rows, shown, strict=True):
        label = PRIMARY * (reading is claim.readings[0]) + reading.label
        row["Reading"] = textwrap.shorten(label, WIDEST_LABEL)
    show(f"Readings, the worst first ({PRIMARY.strip()} the primary one)", rows)
    if len(readings) > room:
        say(f"... and {len(readings) - room} more readings: make claim ID={claim.id} V=1")


def show(title: str, rows: columns.Rows) -> None:
    """A table, unless it is empty."""
    if rows:
        table(title, list(rows[0]), [list(row.values()) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id", nargs="?", default="", help="claims, e.g. C7 or 'C7 C8'")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="every contrast, with its data by seed"
    )
    options = parser.parse_args()
    require_root()
    store.require_whole(experiments.every_arm(PUBLISHED))
    results = stored.load()
    chosen = named(options.id, results)
    for claim in chosen:
        explain(claim, results, options.verbose)
    names = dict.fromkeys(
        name for claim in chosen for contrast in claim.contrasts for name in contrast.arms
    )
    if fewer := store.incomplete(campaign.counted(experiments.arm(name, PUBLISHED) for name in names)):
        say(f"Fewer seeds than declared: {fewer}")


if __name__ == "__main__":
    run_main(main)
