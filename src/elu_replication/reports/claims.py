"""The verdicts as files: tables, JSON, a page and a figure; the DVC stage `claims`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from elu_replication import atomic
from elu_replication.claims import schema
from elu_replication.claims.contrasts import UNDECIDED, VERDICTS
from elu_replication.claims.metrics import METRICS
from elu_replication.claims.schema import SOURCES, Ambiguity
from elu_replication.claims.statistics import CONFIDENCE
from elu_replication.claims.verdicts import RULES, ClaimResult, counts, outcomes
from elu_replication.config.experiments import RESULTS
from elu_replication.errors import one_line, run_main
from elu_replication.reports.claim_tables import (
    claimed,
    comparison_lines,
    comparison_table,
    effect_of,
    finding_lines,
    formula,
    table,
)
from elu_replication.reports.forest import forest
from elu_replication.reports.style import save

# The best-known claims, which stand first.
HEADLINES = ("C3", "C7", "C43", "C11", "C12", "C14", "C23", "C22", "C26", "C46")


def moved(reading: Ambiguity, found: Sequence[ClaimResult]) -> list[str]:
    """The claims of a ledger entry whose verdict depends on the protocol."""
    named = {each.id: each for each in found}
    return [name for name in reading.claims if named[name].verdict == "protocol-dependent"]


def as_json(found: Sequence[ClaimResult], compared: pd.DataFrame) -> str:
    """Everything about every claim, for machines, with its lines of the comparison table; NaN is null."""

    def clean(frame: pd.DataFrame) -> list[dict[str, Any]]:
        return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]

    tests = clean(compared)
    entries = []
    for each, line in zip(found, clean(table(found)), strict=True):
        entries.append(
            {
                **line,
                "place": each.claim.place,
                "note": each.claim.note,
                "group": each.group,
                "findings": [finding._asdict() for finding in each.findings],
                "passages": [passage.model_dump() for passage in each.claim.passages],
                "agreement": each.claim.agreement,
                "readings": {c.label: c.verdict for c in each.readings},
                "tests": [test for test in tests if test["id"] == each.id],
            }
        )
    read = schema.load_ledger()
    readings = [{**reading.model_dump(), "moved": moved(reading, found)} for reading in read.ambiguities]
    changes = [change.model_dump() for change in read.changes]
    content = {"counts": counts(found), "claims": entries, "ledger": readings, "changes": changes}
    return json.dumps(content, indent=1) + "\n"


def ledger(found: Sequence[ClaimResult]) -> dict[str, pd.DataFrame]:
    """The ledger's two tables by title, as a person reads them."""
    read = schema.load_ledger()
    readings = [
        {
            "Question": reading.question,
            "The sources": reading.sources_say,
            "Primary reading": reading.main,
            "Because": reading.because,
            "The others": reading.others,
            "Claims": ", ".join(reading.claims),
            "Of these, protocol-dependent by any reading": ", ".join(moved(reading, found)) or "none",
        }
        for reading in read.ambiguities
    ]
    changes = [
        {
            "Seen": change.seen,
            "Changed": change.changed,
            "Because": change.because,
            "Also changed": change.also,
            "Claims": ", ".join(change.claims),
        }
        for change in read.changes
    ]
    return {
        "The ledger: what the sources leave open": pd.DataFrame(readings),
        "Changed after results were seen": pd.DataFrame(changes),
    }


def multiplicity(compared: pd.DataFrame) -> str:
    """What adjusting for the number of tests would change, as Markdown."""
    directions = compared[compared.expect.isin(["higher", "lower"]) & ~compared.verdict.isin(UNDECIDED)]
    decided = directions[(directions.low > directions.than) | (directions.high < directions.than)]
    weak = (decided.p_holm > 1 - CONFIDENCE).sum()
    return (
        "p values, raw and with Holm's adjustment over a file of claims, are in claim_tests.csv. No verdict"
        f" is adjusted: of the {len(decided)} tests decided by the side of an interval, {weak} would not"
        f" pass it at 5%, and {decided.p.isna().sum()} have no p value, their seeds being all alike.\n"
    )


def markdown(found: Sequence[ClaimResult], compared: pd.DataFrame) -> str:
    """The page: counts, one line a claim by source, the ledger, then the details."""
    text = [f"# The {len(found)} published claims\n", overview(found)]
    text.append(
        "NUM: a published value; DIR: a direction; DET: mathematics; TXT: what is written (P: the paper)."
        " The [rules](#the-rules) are at the end; what was changed after results were seen has a"
        " [list](#changed-after-results-were-seen). A line shows one test, the one that decides the"
        " primary reading; the [details](#details) have the rest. Intervals are of the mean; of a NUM, of a"
        " new run.\n"
    )
    for source, title in SOURCES.items():
        mine = [each for each in found if each.claim.source.split(",")[0] == source]
        if not mine:
            continue
        text.append(f"## {source}: {title}\n")
        rows = [
            {
                "Claim": f"[{each.id}](#{each.id.lower()})",
                "Statement": each.claim.statement,
                "Kind": each.claim.kind,
                "Metric": METRICS[each.decisive.test.metric].meaning if each.decisive else "",
                "Arms": formula(each.decisive) if each.decisive else "",
                "Claimed": claimed(each.decisive) if each.decisive else "",
                "Effect [95% interval]": effect_of(each),
                "n": each.decisive.n if each.decisive else "",
                "Verdict": f"**{each.verdict}**",
            }
            for each in mine
        ]
        text.append(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True) + "\n")
    for title, frame in ledger(found).items():
        text.append(f"## {title}\n")
        text.append(frame.to_markdown(index=False, disable_numparse=True) + "\n")
    text.append("## Details\n")
    text += [details(each) for each in found]
    text.append("## The rules\n")
    text += [f"- {one_line(rule)}" for rule in RULES]
    text.append("\n" + multiplicity(compared))
    return "\n".join(text)


def answer(found: Sequence[ClaimResult]) -> list[str]:
    """How many claims have each verdict, in two sentences."""
    counted = counts(each for each in found if each.claim.by_runs)
    held = f"{counted['replicated']} of the {counted.total()} published claims tested by runs hold up"
    failed = counted["not replicated"]
    rest = f"{failed} {'does' if failed == 1 else 'do'} not"
    if counted["protocol-dependent"]:
        rest += f", {counted['protocol-dependent']} depend on the protocol or the reading"
    open_claims = counted["inconclusive"] + counted["not run"]
    others = counts(each for each in found if not each.claim.by_runs)
    return [
        f"{held}, {rest}, and {open_claims} are still undecided.",
        f"Of the {others.total()} settled by mathematics or by comparing texts,"
        f" {others['replicated']} hold and {others['not replicated']} do not."
        " The best-known claims, with the verdicts of their readings:",
    ]


def headlines(found: Sequence[ClaimResult]) -> pd.DataFrame:
    """The best-known claims: one line each, with how its readings are decided."""
    named, lines = {each.id: each for each in found}, []
    for each in map(named.__getitem__, HEADLINES):
        counted = Counter(reading.verdict for reading in each.readings)
        lines.append(
            {
                "Claim": each.id,
                "Statement": each.claim.statement,
                "Verdict": each.verdict,
                "Primary reading": each.readings[0].verdict,
                "All readings": ", ".join(f"{counted[v]} {v}" for v in VERDICTS if counted[v]),
            }
        )
    return pd.DataFrame(lines)


def overview(found: Sequence[ClaimResult]) -> str:
    """The answer, the best-known claims, and how many claims have each verdict by what decides
    them, as Markdown."""
    decided = pd.Series([each.claim.decided_by for each in found], name="Decided by")
    verdicts = pd.Categorical([each.verdict for each in found], VERDICTS)
    counted = pd.crosstab(decided, verdicts, dropna=False).reindex(["runs", "mathematics", "texts"])
    counted = counted.assign(claims=counted.sum(axis=1))
    counted.loc["**all**"] = counted.sum()
    tables = (headlines(found), counted.rename_axis("Decided by").reset_index())
    return "\n\n".join([*answer(found), *(table.to_markdown(index=False) for table in tables)]) + "\n"


def details(each: ClaimResult) -> str:
    """One claim: statement, place, numbers, verdict and why."""
    claim = each.claim
    text = [f"### {each.id}\n", f"**{each.verdict}.** {each.reason}.\n"]
    text.append(f"{claim.statement} ({claim.kind}; {claim.source}: {claim.place})\n")
    if claim.published:
        text.append(f"Published: {claim.published}.\n")
    if claim.note:
        text.append(f"{claim.note}\n")
    if claim.passages:
        text += [f"- {p.source}, {p.place}: {p.says}" for p in claim.passages] + [""]
    if each.findings:
        text.append(finding_lines(each.findings).to_markdown(index=False, disable_numparse=True) + "\n")
    if each.readings:
        text.append(comparison_lines(each.readings).to_markdown(index=False, disable_numparse=True) + "\n")
        text.append(f"`{each.command}`\n")
    return "\n".join(text)


def write(found: Sequence[ClaimResult], folder: Path) -> None:
    """Write schema.csv, claim_tests.csv, schema.md, claims_overview.md, schema.json and the forest plot."""
    compared = comparison_table(found)
    atomic.write_text(folder / "claims.csv", table(found).to_csv(index=False, float_format="%.8g"))
    atomic.write_text(folder / "claim_tests.csv", compared.to_csv(index=False, float_format="%.8g"))
    atomic.write_text(folder / "claims.md", markdown(found, compared))
    atomic.write_text(folder / "claims_overview.md", overview(found))
    atomic.write_text(folder / "claims.json", as_json(found, compared))
    save(forest(found), folder / "claims")


def main() -> None:
    write(outcomes(), RESULTS)


if __name__ == "__main__":
    run_main(main)
