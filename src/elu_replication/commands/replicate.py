"""`make replicate`: list what is out of date, train it on all cores, let DVC make the rest."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elu_replication.claims import results as stored
from elu_replication.commands import audit, scores
from elu_replication.config import experiments, params
from elu_replication.config.experiments import RESULTS
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED, Arm, Launcher
from elu_replication.console import say, table
from elu_replication.errors import UserError, run_main
from elu_replication.reports import findings
from elu_replication.runs import store
from elu_replication.training import campaign, cost
from elu_replication.training.job import Job

Status = dict[str, list[Any]]
PREPARATIONS = ("fetch", "code_version")
AUDITED = Path(".audited")  # exists once the stored runs were audited in this clone


def dvc(*arguments: str, capture: bool = False) -> str:
    """Run a DVC command of this environment; raises UserError when it fails."""
    command = [sys.executable, "-m", "dvc", *arguments]
    process = subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True)
    if process.returncode:
        raise UserError(f"`dvc {' '.join(arguments)}` failed: its message is above")
    return process.stdout or ""


def status() -> Status:
    """DVC's changes by stage, without the stages that are up to date."""
    return json.loads(dvc("status", "--json", capture=True))


def reason(changes: Sequence[Any]) -> str:
    """DVC's changes of a stage in a few words; its outputs only if nothing else changed."""
    reasons: dict[str, list[str]] = {"changed deps": [], "changed outs": []}
    for change in changes:
        if isinstance(change, str):  # e.g. "changed command"
            reasons["changed deps"].append(change)
            continue
        for kind, files in change.items():
            for file, how in files.items():
                if (file, how) == ("params.yaml", "new"):
                    return "not in dvc.lock yet"
                reasons[kind].append("parameters modified" if isinstance(how, dict) else f"{file} {how}")
    return ", ".join(reasons["changed deps"] or reasons["changed outs"])


def plan(jobs: Sequence[Job], arms: dict[str, Arm], changed: Status, launcher: Launcher) -> None:
    """Print what will be trained, why and for how long, and what is skipped."""
    stages: dict[str, list[Arm]] = {}
    for arm in arms.values():
        stages.setdefault(stage_of(arm), []).append(arm)
    jobs_of = {arm.name: [job for job in jobs if job.arm is arm] for arm in arms.values()}
    skipped, skipped_arms, rows = [], 0, []
    for stage, stage_arms in stages.items():
        name, because = stage.partition("@")[2], reason(changed.get(stage, [])) or "asked for"
        due = [arm.name for arm in stage_arms if jobs_of[arm.name]]
        if not due and stage not in changed:
            skipped.append(name)
            skipped_arms += len(stage_arms)
        elif not due:
            rows.append([name, "none: all are stored", "-", because])
        for arm_name in due:
            seeds = ", ".join(str(job.seed) for job in jobs_of[arm_name])
            about = f"{campaign.minutes(jobs_of[arm_name]):.1f} min"
            rows.append([arm_name, f"seeds {seeds}", about, because])
    if skipped:
        say(
            "Skipped, up to date (parameters, data, training code and runs are those of dvc.lock): "
            f"{skipped_arms} arms of {', '.join(skipped)}"
        )
    if rows:
        table("To bring up to date", ["Arm", "Runs to train", "About", "Because"], rows)
        total, cores = campaign.minutes(jobs), cost.cores()
        elsewhere = "" if launcher.name == "local" else f" here; they run where {launcher.name} places them"
        say(f"{len(jobs)} runs to train, about {total:.0f} min on {cores} cores{elsewhere}")
    for stage in changed:
        if not stage.startswith(("train@", "custom@")):
            say(f"To make again: {stage} ({reason(changed[stage])})")


def stage_of(arm: Arm) -> str:
    """The DVC stage that trains an arm of params.yaml; the custom arm is called "arm"."""
    return "custom@arm" if arm.name == "arm" else f"train@{params.experiment_of(arm)}"


def bring_up_to_date(again: bool) -> None:
    """Bring everything in params.yaml up to date; with `again`, retrain all its arms."""
    values = params.read()
    arms, launcher = params.stated_arms(values), values.launcher
    retrained = {arm.folder for arm in arms.values()} if again else set()
    stored = (*experiments.every_arm(PUBLISHED), *arms.values())
    store.require_whole(arm for arm in stored if arm.folder not in retrained)
    changed = status()
    if preparations := [s for s in changed if s.partition("@")[0] in PREPARATIONS]:
        dvc("repro", "--quiet", "--single-item", *preparations)
        changed = status()
    outdated = [arm for arm in arms.values() if again or stage_of(arm) in changed]
    jobs = campaign.pending(outdated, again)
    plan(jobs, arms, changed, launcher)
    campaign.train(jobs, launcher)
    if changed or jobs:
        say("dvc repro: recording the runs, making tables and figures")
        dvc("repro", "--quiet")


def conclude(scope: str) -> None:
    """Print what the results say and where to look: findings of published runs, scores of others."""
    if scope == PUBLISHED.name:
        results = stored.load()
        say("What the published runs say:")
        for finding in findings.findings(results, findings.identified()):
            say(f"- {finding.title}")
        say("Claims:  " + ", ".join(f"{n} {verdict}" for verdict, n in results.counts.items()))
        say(findings.evidence(results))
        say("Report:  results/report.html (`make report` opens it, `make claim ID=C7` explains a claim)")
        say("Scores:  `make scores` prints those of every arm")
    else:
        scores.show(scope)
    say(f"Tables:  {RESULTS / scope / 'tables/summary.md'}")
    say(f"Figures: {RESULTS / scope / 'figures'} and {RESULTS / scope / 'internals'}")


def audit_once() -> None:
    """Audit a minute's sample of the stored runs, once in a clone, so that nobody has to trust runs of
    others. Raises UserError if a run is not as stored."""
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
    parser.add_argument("--again", action="store_true", help="train them even if they are stored")
    parser.add_argument("--no-audit", action="store_true", help="leave out the audit of the first time")
    options = parser.parse_args()
    require_root()
    overrides = params.words(options.set)
    if options.arms:
        names = ",".join(options.arms.replace(",", " ").split())
        overrides += ["campaign.name=named", f"campaign.arms=[{names}]"]
        overrides += ["campaign.exclude=[]", "campaign.max_seeds=null"]
    with params.alone(), params.replaced(overrides):
        bring_up_to_date(options.again)
        (scope,) = params.read().reports
        if scope == "published" and not options.no_audit:
            audit_once()
        conclude(scope)
        if params.read().custom:
            conclude("custom")  # last, so that it stays on the screen


if __name__ == "__main__":
    run_main(main)
