"""The table of what the tests' matrices tried, by their counts in results/trust/; for `make trust`."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from elu_replication import atomic
from elu_replication.errors import run_main

FOLDER = Path("results/trust")


def rows(counts: dict[str, dict[str, Any]]) -> list[list[str]]:
    """What was tried, how often, and what came of it."""
    crashes, machine = counts["crashes"].values(), counts["state_machine"]
    modules = counts["mutants"]["modules"].values()
    mutants, killed, explained = (
        sum(m[key] for m in modules) for key in ("mutants", "killed", "explained")
    )
    calls, faults, survived = (
        sum(subject[key] for subject in crashes) for key in ("calls", "faults", "survived")
    )
    entries = sum(counts["bad_input"].values())
    return [
        [
            f"Crashes: killed, disk full or disk broken, at {calls:,} calls that change a file",
            f"{faults:,} crashes",
            f"{survived:,} survived: the same command again gives the same files",
        ],
        [
            f"Histories of a store, drawn by Hypothesis: {len(machine['steps'])} kinds of steps",
            f"{machine['examples']:,} histories, {sum(machine['steps'].values()):,} steps",
            "no wrong number was shown",
        ],
        [
            f"Faults in the rules: {len(modules)} modules",
            f"{mutants:,} mutants",
            f"{killed:,} noticed ({killed / mutants:.0%}); of the others {explained:,} make no difference",
        ],
        [
            f"Bad input: {len(counts['bad_input'])} kinds of values and files",
            f"{entries:,} entries",
            "all refused in one line, nothing changed",
        ],
    ]


def main() -> None:
    counts = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    table = pd.DataFrame(rows(counts), columns=["What", "Tried", "Outcome"])
    atomic.write_text(FOLDER / "trust.md", table.to_markdown(index=False) + "\n")


if __name__ == "__main__":
    run_main(main)
