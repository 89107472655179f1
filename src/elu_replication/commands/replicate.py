"""`make replicate`: list what is out of date, train it on all cores, let DVC make the rest."""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from elu_replication import atomic
from elu_replication.claims import results as stored
from elu_replication.commands import audit, scores
from elu_replication.config import documents, experiments, params
from elu_replication.config.documents import Strict
from elu_replication.config.experiments import RESULTS
from elu_replication.config.options import require_root
from elu_replication.config.schema import PUBLISHED, Arm, Launcher, Params
from elu_replication.console import say, table
from elu_replication.datasets import fetch
from elu_replication.errors import UserError, run_main
from elu_replication.reports import findings, overview
from elu_replication.runs import store
from elu_replication.training import campaign, cost
from elu_replication.training.job import Job

Status = dict[str, list[Any]]
DVC_LOCK = Path("dvc.lock")
BROKEN_LOCK = re.compile(r"dvc\.lock' (is invalid|validation failed)")  # in DVC's words
LOCK_REMEDY = (
    f"`git checkout HEAD {DVC_LOCK}` takes the last commit's, `rm -r {DVC_LOCK}` lets it be made again, in"
    " minutes and without training"
)
DVC_LOCAL = Path(".dvc/config.local")
NO_SCM = "[core]\n    no_scm = true\n"
AUDITED = Path(".audited")  # there once the stored runs have been audited in this clone


def dvc(*arguments: str) -> str:
    """What a DVC command prints. Raises UserError where it fails, after its messages, or where dvc.lock is
    not whole, as after a merge with conflicts or a kill while DVC was writing it."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        messages = f"{done.stdout}\n{done.stderr}".strip()
        if BROKEN_LOCK.search(messages):
            raise UserError(f"{DVC_LOCK}: DVC cannot read it; {LOCK_REMEDY}")
        sys.stderr.write(f"{messages}\n" * bool(messages))
        above = ": its message is above" if messages else f" with exit code {done.returncode}"
        raise UserError(f"`dvc {' '.join(arguments)}` failed{above}")
    return done.stdout


def status() -> Status:
    """What DVC finds changed, by stage; a stage that is up to date is not there, nor are those that fetch
    data, which is done when something is trained."""
    changed: Status = json.loads(dvc("status", "--json"))
    return {stage: changes for stage, changes in changed.items() if not stage.startswith("fetch@")}


class Lock(Strict):
    """What dvc.lock must hold for DVC to read it."""

    schema_: Literal["2.0"] = Field(alias="schema")
    stages: dict[str, dict[Literal["cmd", "deps", "params", "outs"], Any]]


def require_lock() -> None:
    """Raise UserError where DVC could not read dvc.lock, as after a merge with conflicts."""
    if not os.path.lexists(DVC_LOCK):
        return
    try:
        documents.checked(DVC_LOCK, Lock)
    except UserError as error:
        raise UserError(f"{error}; {LOCK_REMEDY}") from error


def without_git() -> None:
    """Let DVC work in a folder that git does not know, as that of an unpacked archive."""
    if Path(".git").exists():
        if DVC_LOCAL.exists() and DVC_LOCAL.read_text() == NO_SCM:
            DVC_LOCAL.unlink()
    elif not DVC_LOCAL.exists():
        atomic.write_text(DVC_LOCAL, NO_SCM)


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
            about = f"{campaign.minutes(jobs_of[arm_name], launcher):.1f} min"
            rows.append([arm_name, f"seeds {seeds}", about, because])
    if skipped:
        say(
            "Skipped, up to date (parameters, data, training code and runs are those of dvc.lock): "
            f"{skipped_arms} arms of {', '.join(skipped)}"
        )
    if rows:
        table("To bring up to date", ["Arm", "Runs to train", "About", "Because"], rows)
        total, cores = campaign.minutes(jobs, launcher), launcher.processes or cost.cores()
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
    arms = params.stated_arms(values)
    retrained = {arm.folder for arm in arms.values()} if again else set()
    stored = (*experiments.every_arm(PUBLISHED), *arms.values())
    store.require_whole(arm for arm in stored if arm.folder not in retrained)
    changed = status()
    if "code_version" in changed:
        dvc("repro", "--single-item", "code_version")
        changed = status()
    outdated = [arm for arm in arms.values() if again or stage_of(arm) in changed]
    if not again:
        campaign.take_published(outdated)
    jobs = campaign.pending(outdated, again)
    plan(jobs, arms, changed, values.launcher)
    fetch.ensure_all((job.arm.protocol for job in jobs), values.dataset)
    campaign.train(jobs, values.launcher)
    trained = [
        stage for job in jobs for stage in (f"fetch@{job.arm.protocol.dataset.name}", stage_of(job.arm))
    ]
    if stages := dict.fromkeys([*trained, *changed]):
        say("dvc repro: recording the runs, making tables and figures")
        dvc("repro", "--downstream", *stages)  # and not those that would fetch data for nothing


def conclude(values: Params, everything: bool) -> None:
    """Print what the results say and where to look: the findings of published runs where `everything` was
    brought up to date, else the scores of the arms that were asked for, a custom arm's last."""
    scope = values.scale.name
    if everything:
        results = stored.load()
        say("What the published runs say:")
        for finding in findings.findings(results, findings.fits()):
            say(f"- {finding.title}")
        say("Claims:  " + ", ".join(f"{n} {verdict}" for verdict, n in results.counts.items()))
        say(overview.evidence(results))
        say(overview.stood(results, overview.explored()))
        say("Report:  results/report.html (`make report` opens it, `make claim ID=C7` explains a claim)")
        say("Scores:  `make scores` prints those of every arm")
        if fewer := store.incomplete(campaign.counted(experiments.every_arm(values.scale))):
            say(f"Fewer seeds than declared: {fewer}")
    elif values.custom:
        scope = "custom"
        scores.show(scope)
    else:
        scores.show(scope, {str(arm.folder) for arm in params.stated_arms(values).values()})
    say(f"Tables:  {RESULTS / scope / 'tables/summary.md'}")
    say(f"Figures: {RESULTS / scope / 'figures'} and {RESULTS / scope / 'internals'}")


def audit_once(arms: Sequence[Arm]) -> None:
    """In a clone that has not done so, audit a minute's sample of the stored runs, so that what others
    trained is not taken on trust. Raises UserError where one is not as stored."""
    jobs = [] if AUDITED.exists() else audit.sample(audit.stored_jobs(arms, 1), minutes=1.0)
    if not jobs:
        return
    say("First time here: a sample of the stored runs is begun anew (AUDIT=0 leaves this out)")
    try:
        fetch.ensure_all(job.arm.protocol for job in jobs)
    except UserError as error:
        say(f"audit: not done, for lack of data; the next `make replicate` tries again ({error})")
        return
    # The data are now here, but DVC knows only of what its own stage brought.
    dvc("commit", "--force", *sorted({f"fetch@{job.arm.protocol.dataset.name}" for job in jobs}))
    audit.audit(jobs)
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
        named = ["campaign.name=named", f"campaign.arms=[{names}]"]
        # Every seed of the arms that are named is meant, unless the user's own settings say less.
        overrides = ["campaign.exclude=[]", "campaign.max_seeds=null", *overrides, *named]
    require_lock()
    without_git()
    with params.alone(), params.replaced(overrides):
        bring_up_to_date(options.again)
        values = params.read()
        if values.scale.name == PUBLISHED.name and not options.no_audit:
            audit_once([*params.stated_arms(values).values()])
        conclude(values, everything=not overrides)  # last, so that it stays on the screen


if __name__ == "__main__":
    run_main(main)
