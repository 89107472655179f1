"""`make claim ID=C7` explains a claim in the terminal; `make plan` says what would decide the undecided."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from elu_replication.claims import schema
from elu_replication.claims.schema import SOURCES
from elu_replication.claims.verdicts import ClaimResult, outcomes
from elu_replication.config import experiments
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED
from elu_replication.console import say, table
from elu_replication.errors import UserError, run_main
from elu_replication.reports.claim_tables import comparison_lines, finding_lines
from elu_replication.training import campaign
from elu_replication.training.job import Job


def explain(each: ClaimResult) -> None:
    """Statement, protocol, runs used, numbers, verdict and why."""
    claim = each.claim
    say(f"{each.id} ({claim.kind}): {claim.statement}")
    for source in claim.source.replace(",", " ").split():
        say(f"  {source}: {SOURCES[source]}")
    say(f"  place: {claim.place}")
    if claim.published:
        say(f"  published: {claim.published}")
    if claim.note:
        say(f"  note: {claim.note}")
    for passage in claim.passages:
        say(f"  {passage.source}, {passage.place}: {passage.says}")
    if each.findings:
        found = finding_lines(each.findings)
        table("Mathematics", [*found.columns], found.to_numpy().tolist())
    for reading in each.readings:
        say(f"{reading.label}: {reading.verdict}")
        for t in comparison_lines([reading]).to_dict("records"):
            say(f"  {t['Metric']}: {t['Arms']}, claimed {t['Claimed']}")
            say(f"    {t['Effect [95% interval]']}, margin {t['Margin']}, n {t['n']}: {t['Why']}")
            say(f"    single runs that show it: {t['Single runs that show it']}")
    if each.readings:
        documents = sorted({f"experiments/{arm.partition('-')[0]}.yaml" for arm in each.claim.arms})
        say(f"Protocols: {', '.join(documents)}")
        say(f"Runs: {each.command}")
    say(f"Verdict: {each.verdict}. {each.reason}.")


def plan(found: Sequence[ClaimResult]) -> None:
    """For each undecided claim, the seeds that would decide its primary reading if mean and SD stay as they are
    (the least that a verdict takes where there is no SD), and the hours on all cores to train those that
    are missing."""
    rows, every = [], dict[str, Job]()
    for each in (each for each in found if each.undecided):
        needed = [compared.seeds_needed for compared in each.undecided]
        row = [each.id, each.readings[0].label, str(min(compared.n for compared in each.undecided))]
        if None in needed:
            rows.append([*row, "-", "beyond reach, or diverged"])
            continue
        jobs: dict[str, Job] = {}
        for compared, seeds in zip(each.undecided, needed, strict=True):
            arms = [experiments.arm(name, PUBLISHED) for name in compared.test.arms]
            missing = campaign.pending(replace(arm, seeds=tuple(range(seeds or 0))) for arm in arms)
            jobs |= {str(job): job for job in missing}
        every |= jobs
        hours = campaign.minutes([*jobs.values()]) / 60
        rows.append([*row, str(max(seeds or 0 for seeds in needed)), f"{hours:.1f}"])
    if not rows:
        say("Every claim is decided.")
        return
    columns = ["Claim", "Primary reading", "Seeds", "Needed", "Hours to train the rest"]
    table("What would decide the undecided claims", columns, rows)
    say(
        f"All of them: {len(every)} runs, {campaign.minutes([*every.values()]) / 60:.1f} hours"
        f" on {campaign.processes()} cores"
    )
    say("Declare more `seeds` where needed; `make replicate ARMS=...` trains what is missing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id", nargs="?", default="", help="a claim, e.g. C7")
    parser.add_argument("--plan", action="store_true", help="what would decide the undecided claims")
    options = parser.parse_args()
    require_root()
    if options.plan:
        plan(outcomes())
        return
    known = schema.load_claims()
    if (name := options.id.upper()) not in known:
        raise UserError(f"ID={options.id}: no such claim; ID=C7 is one, and there are C1 to C{len(known)}")
    (each,) = outcomes([name])
    explain(each)


if __name__ == "__main__":
    run_main(main)
