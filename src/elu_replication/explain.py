"""`make claim ID=C7` explains a claim in the terminal; `make plan` says what would decide the undecided."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from elu_replication import campaign, claims, cost, experiments
from elu_replication.claim_report import FINDING_COLUMNS, claimed, effect, finding_cells, formula
from elu_replication.claims import SOURCES
from elu_replication.config import Scale, require_root
from elu_replication.errors import UserError, run_main
from elu_replication.metrics import METRICS
from elu_replication.runs import Job
from elu_replication.terminal import say, table
from elu_replication.verdicts import Outcome, outcomes

FIRST_SEEDS = 6  # where one seed shows no spread yet; with 5, a sign-flip test cannot reach 5%


def explain(each: Outcome) -> None:
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
        table("Mathematics", FINDING_COLUMNS, [finding_cells(f) for f in each.findings])
    for choice in each.choices:
        rows = [
            [
                METRICS[t.test.metric].meaning,
                claimed(t),
                str(t.n),
                effect(t),
                f"{t.test.tolerance:g}",
                f"{t.single_run_share:.0%}" if t.n else "-",
                f"{t.verdict}: {t.judged[1]}",
            ]
            for t in choice.tests
        ]
        columns = ["Metric", "Claimed", "n", "Effect [95%]", "Margin", "Single runs show it", "Verdict"]
        table(f"{choice.label}: {choice.verdict}", columns, rows)
        for sums in dict.fromkeys(formula(t) for t in choice.tests):
            say(f"  {sums}")
    if each.claim.arms:
        say(
            "Protocols: "
            + ", ".join(sorted({f"experiments/{a.partition('-')[0]}.yaml" for a in each.claim.arms}))
        )
        say(f"Runs: make replicate ARMS='{' '.join(each.claim.arms)}'")
    say(f"Verdict: {each.verdict}. {each.reason}.")


def hours(jobs: Sequence[Job]) -> float:
    """Estimated hours to train `jobs` here, on all cores."""
    return sum(cost.seconds(job.arm.protocol) for job in jobs) / campaign.processes() / 3600


def plan(found: Sequence[Outcome]) -> None:
    """For each inconclusive test, the seeds that would decide it if mean and SD stay as they are (a first
    handful where there is one), and the hours on all cores to train those that are missing."""
    rows, every = [], dict[str, Job]()
    for each in (each for each in found if each.verdict == "inconclusive"):
        for label, compared in each.undecided:
            arms = [experiments.arm(name, Scale("published")) for name in compared.test.arms]
            needed = compared.seeds_needed or (FIRST_SEEDS if compared.n < 2 else None)
            row = [each.id, label, compared.test.metric, str(len(arms)), str(compared.n)]
            if METRICS[compared.test.metric].compute is None or needed is None:
                rows.append([*row, "-", "beyond reach"])
                continue
            jobs = campaign.pending(replace(arm, seeds=tuple(range(needed))) for arm in arms)
            every |= {str(job): job for job in jobs}
            rows.append([*row, str(needed), f"{hours(jobs):.1f}"])
    if not rows:
        say("No claim is inconclusive.")
        return
    columns = ["Claim", "Choice", "Metric", "Arms", "Seeds", "Needed", "Hours to train the rest"]
    table("What would decide the inconclusive claims", columns, rows)
    say(
        f"All of them: {len(every)} runs, {hours(list(every.values())):.1f} hours"
        f" on {campaign.processes()} cores"
    )
    say("Declare more `seeds` where needed; `make replicate ARMS=...` trains what is missing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id", nargs="?", default="", help="a claim, e.g. C7; without one, the plan")
    parser.add_argument("--plan", action="store_true", help="what would decide the inconclusive claims")
    options = parser.parse_args()
    require_root()
    if options.plan:
        plan(outcomes())
        return
    known = claims.load()
    if options.id not in known:
        raise UserError(f"ID={options.id}: no such claim; there are C1 to C{len(known)}")
    (each,) = outcomes([options.id])
    explain(each)


if __name__ == "__main__":
    run_main(main)
