"""The plan: a digest of all that decides a verdict, frozen in experiments/plan.lock before runs.

What bears on stored fresh runs changes only by an amendment, which the file keeps.
"""

import ast
import hashlib
import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from elu_replication import atomic
from elu_replication.claims import identification, schema
from elu_replication.claims.schema import Claim
from elu_replication.config import documents, experiments
from elu_replication.config.documents import Strict
from elu_replication.config.schema import PUBLISHED, Arm
from elu_replication.errors import UserError
from elu_replication.runs import evidence, store
from elu_replication.runs.code_version import plain_text

# The modules by which a verdict is reached from claims and stored runs.
RULES = ("checks", "contrasts", "metrics", "statistics", "timing", "verdicts")
ALL = "all"  # of the experiments
PROSE = {"sources", "statement", "published", "note", "passages", "readings"}
HEADER = "# Written by `make freeze`. Every run names the digest of this file under which it was trained.\n"
Runs = dict[str, list[int]]


class Entry(Strict):
    """The digest of something that decides, and the experiments or arms on whose runs it bears."""

    digest: str
    bears_on: list[str]


class Amendment(Strict):
    """A change after fresh runs were there: old and new digest by what changed ("": it was not there),
    and the fresh seeds that were stored then, by arm."""

    date: str
    reason: str
    changes: dict[str, tuple[str, str]]
    runs: Runs


class Plan(Strict):
    """The file: entries by name, as "claim C7", "rule statistics" or "arm asu_mlp-sgd_elu"."""

    entries: dict[str, Entry]
    amendments: list[Amendment]


def digest(content: Any) -> str:
    """16 hexadecimal digits for JSON values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def of_code(module: Path) -> str:
    """The digest of what a module does, whatever its docstrings and comments say."""
    return digest(plain_text(ast.parse(module.read_text())))


def of_claim(claim: Claim) -> Entry:
    """All that decides a claim. The order of readings counts, since the first is the primary one; their
    labels do not."""
    contrasts = [
        [{**contrast.model_dump(mode="json"), "margin": contrast.tolerance} for contrast in reading]
        for reading in claim.readings.values()
    ]
    arms = {name for reading in claim.readings.values() for contrast in reading for name in contrast.arms}
    homes = {experiments.arm(name, PUBLISHED).folder.parent.name for name in arms}
    content = [claim.decided_by, claim.model_dump(mode="json", exclude=PROSE), contrasts]
    return Entry(digest=digest(content), bears_on=sorted(homes))


def of_arm(arm: Arm) -> Entry:
    """The arm's protocol and fresh seeds."""
    return Entry(digest=digest([arm.protocol.as_dict(), arm.fresh_seeds]), bears_on=[arm.name])


def entries() -> dict[str, Entry]:
    """What the tree says now, in the form of the file."""
    folder = Path(__file__).parent
    rules = {f"rule {name}": folder / f"{name}.py" for name in RULES}
    rules["rule evidence"] = Path(evidence.__file__)
    rules["identification"] = Path(identification.__file__)
    return {
        **{f"claim {name}": of_claim(claim) for name, claim in schema.load_claims().items()},
        **{name: Entry(digest=of_code(module), bears_on=[ALL]) for name, module in rules.items()},
        "published curves": Entry(digest=digest(documents.read(identification.CURVES)), bears_on=[ALL]),
        **{f"arm {arm.name}": of_arm(arm) for arm in experiments.every_arm(PUBLISHED) if arm.fresh_seeds},
    }


def load() -> Plan:
    """The frozen plan, empty where nothing is frozen; raises UserError where the file is damaged."""
    return documents.checked(store.PLAN, Plan) if store.PLAN.is_file() else Plan(entries={}, amendments=[])


def fresh_runs() -> Runs:
    """The fresh seeds that have a stored run, by arm, whatever is declared now."""
    runs: Runs = {}
    for folder in sorted((experiments.RESULTS / PUBLISHED.name / "runs").glob("*/*/seed-*")):
        if (seed := int(folder.name.removeprefix("seed-"))) >= experiments.FIRST_FRESH:
            runs.setdefault(f"{folder.parts[-3]}-{folder.parts[-2]}", []).append(seed)
    return {arm: sorted(seeds) for arm, seeds in runs.items()}


def touched(bears_on: Iterable[str], runs: Runs) -> Runs:
    """Those of some runs on which an entry bears."""
    names = set(bears_on)
    return {a: seeds for a, seeds in runs.items() if names & {ALL, a, a.partition("-")[0]}}


def changes(old: dict[str, Entry], new: dict[str, Entry]) -> dict[str, tuple[Entry | None, Entry | None]]:
    """The entries that differ, before and after, by name; None where there is none."""
    names = dict.fromkeys((*new, *old))
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def check() -> None:
    """Raise UserError naming what differs from the frozen plan; nothing where none is frozen."""
    if store.PLAN.is_file() and (changed := changes(load().entries, entries())):
        raise UserError(
            f"{store.PLAN} is not what the tree holds: {', '.join(changed)}; `make freeze` renews it"
        )


def freeze(reason: str) -> list[str]:
    """Write the plan as the tree has it; returns the names of the entries that changed.

    Raises UserError, writing nothing, where a change bears on stored fresh runs and `reason` is empty.
    """
    old, new, runs = load(), entries(), fresh_runs()
    changed = changes(old.entries, new)
    amended: dict[str, tuple[str, str]] = {}
    seen: Runs = {}
    for name, (before, after) in changed.items():
        borne = touched([*(before.bears_on if before else []), *(after.bears_on if after else [])], runs)
        if borne:
            amended[name] = (before.digest if before else "", after.digest if after else "")
            seen |= borne
    if amended and not reason:
        raise UserError(
            f"{', '.join(amended)}: {sum(map(len, seen.values()))} fresh runs are stored; undo the change,"
            " or `make freeze REASON='...'` keeps it as an amendment for ever"
        )
    amendments = list(old.amendments)
    if amended:
        today = date.today().isoformat()
        amendments.append(Amendment(date=today, reason=reason, changes=amended, runs=seen))
    if changed:
        content = Plan(entries=new, amendments=amendments).model_dump(mode="json")
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
        atomic.write_text(store.PLAN, HEADER + text)
    return list(changed)
