"""The plan: digests of all that decides a verdict, frozen in experiments/plan.lock before runs are trained.

What bears on stored fresh runs changes only by an amendment, which the file keeps.
"""

import ast
import os
from datetime import date
from pathlib import Path

import yaml

from elu_replication import atomic
from elu_replication.claims import identification, schema, verdicts
from elu_replication.claims.contrasts import LEAST_PAIRS, LEAST_RUNS
from elu_replication.claims.results import AS_PLANNED, ClaimResult
from elu_replication.claims.schema import Claim
from elu_replication.config import documents, experiments
from elu_replication.config.documents import Strict, unlike
from elu_replication.config.experiments import digest
from elu_replication.config.schema import PUBLISHED
from elu_replication.errors import UserError, one_line
from elu_replication.runs import evidence, frames, store
from elu_replication.runs.code_version import plain_text

# The modules that lead from claims and stored runs to verdicts.
RULES = ("checks", "contrasts", "identification", "metrics", "statistics", "timing", "verdicts")
RUNS = (evidence.__file__, frames.__file__)  # and those that say which runs these are
PROSE = {"sources", "statement", "published", "note", "passages", "readings"}
EVERYTHING = "everything"
HEADER = (
    "# Written by `make freeze`. A run names the digest of this file as it was when the run was trained.\n"
)
Runs = dict[str, list[int]]


class Entry(Strict):
    """The digest of something that decides, and the experiments or arms on whose runs it bears."""

    digest: str
    bears_on: list[str]


class Amendment(Strict):
    """A change of what bears on stored runs: the digests before and after, by entry (null: no entry), and
    the fresh seeds that were stored, by arm."""

    date: str
    reason: str
    changes: dict[str, tuple[str | None, str | None]]
    runs: Runs


class Plan(Strict):
    """The file; entries are called "claim C7", "rule statistics" or "arm asu_mlp-sgd_elu"."""

    entries: dict[str, Entry]
    amendments: list[Amendment]


def of_code(module: Path) -> str:
    """A digest of what a module does, whatever its docstrings and comments say."""
    return digest(plain_text(ast.parse(module.read_text())))


def of_claim(claim: Claim) -> Entry:
    """All that decides a claim. The order of its readings counts, since the first is the primary one; their
    labels do not."""
    readings = [
        [{**contrast.model_dump(mode="json"), "margin": contrast.tolerance} for contrast in reading]
        for reading in claim.readings.values()
    ]
    arms = {name for reading in readings for contrast in reading for name in contrast["arms"]}
    content = [claim.decided_by, claim.model_dump(mode="json", exclude=PROSE), readings]
    homes = {experiments.arm(name, PUBLISHED).folder.parent.name for name in arms}
    return Entry(digest=digest(content), bears_on=sorted(homes))


def entries() -> dict[str, Entry]:
    """What the tree holds now, in the form of the file."""
    modules = [*(Path(__file__).with_stem(name) for name in RULES), *map(Path, RUNS)]
    rules = {f"rule {module.stem}": of_code(module) for module in modules}
    rules[f"rules, version {verdicts.VERSION}"] = digest([one_line(rule) for rule in verdicts.RULES])
    rules["published curves"] = digest(documents.read(identification.CURVES))
    return {
        **{f"claim {name}": of_claim(claim) for name, claim in schema.load_claims().items()},
        **{name: Entry(digest=each, bears_on=[EVERYTHING]) for name, each in rules.items()},
        **{
            f"arm {arm.name}": Entry(
                digest=digest([arm.protocol.as_dict(), arm.fresh_seeds]), bears_on=[arm.name]
            )
            for arm in experiments.every_arm(PUBLISHED)
            if arm.fresh_seeds
        },
    }


def load() -> Plan:
    """The frozen plan, empty where nothing is frozen; raises UserError where the file is damaged."""
    if not os.path.lexists(store.PLAN):
        return Plan(entries={}, amendments=[])
    try:
        return documents.checked(store.PLAN, Plan)
    except UserError as error:
        raise UserError(f"{error}; `git checkout -- {store.PLAN}` brings the plan back") from error


def fresh_runs() -> Runs:
    """The fresh seeds that have a stored run, by arm, whatever is declared now."""
    runs: Runs = {}
    for folder in sorted((experiments.RESULTS / PUBLISHED.name / "runs").glob("*/*/seed-???*")):
        *_, experiment, arm, name = folder.parts
        seed = name.removeprefix("seed-")
        if seed.isdecimal():  # not a copy beside it
            runs.setdefault(f"{experiment}-{arm}", []).append(int(seed))
    return runs


def check() -> None:
    """Raise UserError naming what differs from the frozen plan; nothing where none is frozen."""
    if (frozen := load().entries) and (names := unlike(entries(), frozen)):
        raise UserError(
            f"{store.PLAN} is not what the tree holds: {', '.join(names)}; `make freeze` renews it"
        )


def status() -> dict[str, str]:
    """By claim: whether it is as planned, was amended after fresh runs, or is not planned as it is."""
    plan, now = load(), entries()
    amended = {name for amendment in plan.amendments for name in amendment.changes}

    def of(name: str) -> str:
        if plan.entries.get(name) != now[name]:
            return "not planned"
        return "amended after fresh runs" if name in amended else AS_PLANNED

    return {name: of(f"claim {name}") for name in schema.load_claims()}


def can_decide(claim: ClaimResult) -> bool:
    """Whether enough fresh seeds are planned for the primary reading of a claim on runs."""
    needed = LEAST_PAIRS if claim.kind == "DIR" else LEAST_RUNS
    arms = {name for contrast in claim.readings[0].contrasts for name in contrast.arms}
    planned = (len(experiments.arm(name, PUBLISHED).fresh_seeds) for name in arms)
    return bool(claim.evidence) and all(number >= needed for number in planned)


def freeze(reason: str) -> list[str]:
    """Write the plan as the tree has it; returns the names of the entries that changed.

    Raises UserError, writing nothing, where one of them bears on stored fresh runs and `reason` is empty.
    """
    old, new, stored = load(), entries(), fresh_runs()
    names = unlike(new, old.entries)
    changes: dict[str, tuple[str | None, str | None]] = {}
    seen: Runs = {}
    for name in names:
        before, after = old.entries.get(name), new.get(name)
        bears_on = {experiment for entry in (before, after) if entry for experiment in entry.bears_on}
        runs = {a: s for a, s in stored.items() if bears_on & {EVERYTHING, a, a.partition("-")[0]}}
        if runs:
            changes[name] = (before.digest if before else None, after.digest if after else None)
            seen |= runs
    amendments = list(old.amendments)
    if changes:
        if not reason:
            count = sum(map(len, seen.values()))
            raise UserError(
                f"{', '.join(changes)}: {count} fresh runs are stored; undo the change, or"
                " `make freeze REASON='...'` keeps it as an amendment for ever"
            )
        today = date.today().isoformat()
        amendments.append(Amendment(date=today, reason=reason, changes=changes, runs=seen))
    if names:
        content = Plan(entries=new, amendments=amendments).model_dump(mode="json")
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
        atomic.write_text(store.PLAN, HEADER + text)
    return names
