"""`make replicate`: say what is out of date, train it on all cores, let DVC make the rest."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elu_replication.commands import audit
from elu_replication.config import experiments, params
from elu_replication.config.experiments import RESULTS
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED, Arm, Launcher
from elu_replication.console import say, table
from elu_replication.errors import UserError, run_main
from elu_replication.runs import store
from elu_replication.training import campaign, cost
from elu_replication.training.job import Job

Status = dict[str, list[Any]]
PREPARATIONS = ("fetch", "code_version")
AUDITED = Path(".audited")  # there once the stored runs have been audited in this clone


def dvc(*arguments: str, capture: bool = False) -> str:
    """Run a DVC command of this environment; raises UserError when it fails."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True)
    if done.returncode:
        raise UserError(f"`dvc {' '.join(arguments)}` failed: its message is above")
    return done.stdout or ""


def status() -> Status:
    """What DVC finds changed, by stage; a stage that is up to date is not there."""
    return json.loads(dvc("status", "--json", capture=True))


def reason(changes: Sequence[Any]) -> str:
    """DVC's changes of a stage in a few words; its own outputs only where nothing else changed."""
    told: dict[str, list[str]] = {"changed deps": [], "changed outs": []}
    for change in changes:
        if isinstance(change, str):  # "changed command", say
            told["changed deps"].append(change)
            continue
        for kind, things in change.items():
            for thing, how in things.items():
                if (thing, how) == ("params.yaml", "new"):
                    return "not in dvc.lock yet"
                told[kind].append("parameters modified" if isinstance(how, dict) else f"{thing} {how}")
    return ", ".join(told["changed deps"] or told["changed outs"])


def plan(jobs: Sequence[Job], arms: dict[str, Arm], changed: Status, launcher: Launcher) -> None:
    """Say what will be trained, why, and for how long, and what is skipped."""
    stages: dict[str, list[Arm]] = {}
    for arm in arms.values():
        stages.setdefault(stage_of(arm), []).append(arm)
    due = {job.arm.name for job in jobs}
    fresh = [s for s, held in stages.items() if s not in changed and not due & {a.name for a in held}]
    if fresh:
        held = sum(len(stages[stage]) for stage in fresh)
        say(
            "Skipped, up to date (parameters, data, training code and runs are those of dvc.lock): "
            f"{held} arms of {', '.join(stage.partition('@')[2] for stage in fresh)}"
        )
    rows = []
    for stage in (stage for stage in stages if stage not in fresh):
        because = reason(changed.get(stage, [])) or "asked for"
        if not due & {arm.name for arm in stages[stage]}:
            rows.append([stage.partition("@")[2], "none: all are stored", "-", because])
        for arm in (arm for arm in stages[stage] if arm.name in due):
            mine = [job for job in jobs if job.arm is arm]
            seeds = ", ".join(str(job.seed) for job in mine)
            rows.append([arm.name, f"seeds {seeds}", f"{campaign.minutes(mine):.1f} min", because])
    if rows:
        table("To bring up to date", ["Arm", "Runs to train", "About", "Because"], rows)
        total, cores = campaign.minutes(jobs), cost.cores()
        elsewhere = "" if launcher.name == "local" else f" here; they run where {launcher.name} places them"
        say(f"{len(jobs)} runs to train, about {total:.0f} min on {cores} cores{elsewhere}")
    for stage in changed:
        if not stage.startswith(("train@", "custom@")):
            say(f"To make again: {stage} ({reason(changed[stage])})")


def stage_of(arm: Arm) -> str:
    """The DVC stage that trains an arm of params.yaml; the custom one is called "arm"."""
    return "custom@arm" if arm.name == "arm" else f"train@{params.experiment_of(arm)}"


def bring_up_to_date(again: bool) -> None:
    """Make everything that params.yaml states current; with `again`, train all its arms anew."""
    values = params.read()
    arms, launcher = params.stated_arms(values), values.launcher
    anew = {arm.folder for arm in arms.values()} if again else set()
    stored = (*experiments.every_arm(PUBLISHED), *arms.values())
    store.require_whole(arm for arm in stored if arm.folder not in anew)
    changed = status()
    if preparations := [s for s in changed if s.partition("@")[0] in PREPARATIONS]:
        dvc("repro", "--quiet", "--single-item", *preparations)
        changed = status()
    wanted = [arm for arm in arms.values() if again or stage_of(arm) in changed]
    jobs = campaign.pending(wanted, again)
    plan(jobs, arms, changed, launcher)
    campaign.train(jobs, launcher)
    if changed or jobs:
        say("dvc repro: recording the runs, making tables and figures")
        dvc("repro", "--quiet")


def conclude(scope: str) -> None:
    """The summary of what has runs, how many arms have none, and the files to open."""
    from elu_replication.reports import tables  # pandas, which a wrong option need not wait for
    from elu_replication.reports.arms import declared

    summary = tables.summary(declared(scope))
    ran = summary[summary.status != "not run"]
    cut = " (cut: for trying the pipeline, not a result)" if scope == "quick" else ""
    tables.show(ran, f"Scale {scope}{cut}: last epoch, mean ± standard deviation over seeds")
    if missing := len(summary) - len(ran):
        say(
            f"{missing} declared arms are not run: ARMS='experiment-arm ...' trains those named, "
            "SET='campaign=full' all but clevert_fig3"
        )
    if scope == "published":
        counted = json.loads((RESULTS / "claims.json").read_text())["counts"]
        say("Claims:  " + ", ".join(f"{n} {verdict}" for verdict, n in counted.items()))
        say("Report:  results/report.html (`make report` opens it, `make claim ID=C7` explains a claim)")
    say(f"Tables:  {RESULTS / scope / 'tables/summary.md'}")
    say(f"Figures: {RESULTS / scope / 'figures'} and {RESULTS / scope / 'internals'}")


def audit_once() -> None:
    """In a clone that has not done so, audit a minute's sample of the stored runs, so that what others
    trained is not taken on trust. Raises UserError where one is not as stored."""
    if AUDITED.exists():
        return
    jobs = audit.stored_jobs(list(params.stated_arms(params.read()).values()), 1)
    if jobs:
        say("First time here: a sample of the stored runs is begun anew (AUDIT=0 leaves this out)")
        audit.audit(audit.sample(jobs, minutes=1.0))
        AUDITED.touch()


def main() -> None:
    parser = argparse.ArgumentParser(description="Bring the replication up to date.")
    parser.add_argument("--set", default="", help="Hydra overrides, e.g. 'scale=quick'")
    parser.add_argument("--arms", default="", help="only these arms (or experiments) are trained")
    parser.add_argument("--again", action="store_true", help="train them even where they are stored")
    parser.add_argument("--no-audit", action="store_true", help="leave the first time's audit out")
    options = parser.parse_args()
    require_root()
    overrides = params.words(options.set)
    if options.arms:
        listed = ",".join(options.arms.replace(",", " ").split())
        overrides += ["campaign.name=named", f"campaign.arms=[{listed}]"]
        overrides += ["campaign.exclude=[]", "campaign.max_seeds=null"]
    with params.alone(), params.replaced(overrides):
        bring_up_to_date(options.again)
        (scope,) = params.read().reports
        conclude(scope)
        if params.read().custom:
            conclude("custom")
        if scope == "published" and not options.no_audit:
            audit_once()


if __name__ == "__main__":
    run_main(main)
