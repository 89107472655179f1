"""The stored verdicts as tables, a document and a figure; the DVC stage `claims`."""

from pathlib import Path

import pandas as pd

from elu_replication import atomic
from elu_replication.claims import results as stored
from elu_replication.claims.results import AS_PLANNED, KIND_NAMES, ClaimResult, Results
from elu_replication.config.experiments import RESULTS
from elu_replication.errors import run_main
from elu_replication.reports import captions, columns
from elu_replication.reports.columns import Rows, table
from elu_replication.reports.forest import forest
from elu_replication.reports.overview import overview
from elu_replication.reports.style import save
from elu_replication.reports.tables import csv

SOURCES = (
    "The article is MachineCurve's, on a CNN. The student report is from ASU, on a deep MLP. The paper"
    " behind both is Clevert et al. 2015."
)


def markdown(rows: Rows) -> str:
    """A table for people."""
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True) + "\n"


def ledger(results: Results) -> dict[str, Rows]:
    """The ledger's two tables by title."""
    ambiguities = table(columns.for_ambiguities(results), results.ledger.ambiguities, "details")
    changes = table(columns.CHANGES, results.ledger.changes, "details")
    return {
        "The ledger: what the sources leave open": ambiguities,
        "Changed after results were seen": changes,
    }


def document(results: Results) -> str:
    """claims.md: counts, one line a claim by source, the ledger, then the details."""
    text = [f"# The {len(results.claims)} claims\n", f"{SOURCES}\n", overview(results)]
    own = len(results.claims) - len(results.published)
    text.append(
        f"{own} of the claims are this project's own; counts of published claims leave them out."
        " A claim is of a published value, of a direction, of mathematics or of a text."
        " The [rules](#the-rules) stand before the details; what was changed after results were seen has a"
        " [list](#changed-after-results-were-seen). A line shows one contrast, the one that decides the"
        " primary reading; the [details](#details) have the rest. Intervals are of the mean or, beside a"
        " published value, of a new run, at 95% for all scores of a reading together.\n"
    )
    if all(claim.plan == AS_PLANNED for claim in results.claims):
        text.append("Every claim is as it was planned.\n")
    for key, source in results.sources.items():
        if not (claims := [claim for claim in results.claims if next(iter(claim.sources)) == key]):
            continue
        text.append(f'## {source.name}: {source.author}, "{source.title}"\n')
        rows = table(columns.for_claims(results), claims, "markdown")
        text.append(markdown([{**row, **emphasized(row)} for row in rows]))
    for title, rows in ledger(results).items():
        text += [f"## {title}\n", markdown(rows)]
    text.append(f"## The rules\n\nVersion {results.rules_version}.\n")
    text += [f"- {rule}" for rule in results.rules]
    text.append(f"\n{results.multiplicity}\n")
    text.append("## Details\n")
    text += [details(claim, results) for claim in results.claims]
    return "\n".join(text)


def emphasized(row: dict[str, str]) -> dict[str, str]:
    """A claim's cells that Markdown shows as a link and in bold."""
    return {"Claim": f"[{row['Claim']}](#{row['Claim'].lower()})", "Verdict": f"**{row['Verdict']}**"}


def details(claim: ClaimResult, results: Results) -> str:
    """One claim: statement, place, numbers, verdict and why."""
    text = [f"### {claim.id}\n", f"**{claim.verdict}.** {claim.reason}.\n"]
    text.append(f"{claim.statement} ({KIND_NAMES[claim.kind]}; {results.places(claim)})\n")
    if claim.published:
        text.append(f"Published: {claim.published}.\n")
    if claim.note:
        text.append(f"{claim.note}\n")
    if claim.passages:
        text += [f"- {results.sources[p.source].name}, {p.place}: {p.says}" for p in claim.passages] + [""]
    if claim.findings:
        text.append(markdown(table(columns.FINDINGS, claim.findings, "details")))
    if claim.readings:
        text += [f"Evidence: {claim.evidence}.\n"] * bool(claim.evidence)
        text.append(markdown(table(columns.CONTRASTS, columns.lines([claim]), "details")))
        text.append(f"`{claim.command}`\n")
    return "\n".join(text)


def write(results: Results, folder: Path) -> None:
    """Write claims.csv, claim_tests.csv, claims.md, claims_overview.md and the forest plot."""
    claims = pd.DataFrame(table(columns.for_claims(results), results.claims, "csv"))
    contrasts = pd.DataFrame(table(columns.CONTRASTS, columns.lines(results.claims), "csv"))
    contrasts = contrasts.astype({"seeds_needed": "Int64"})  # empty where none is needed
    atomic.write_text(folder / "claims.csv", csv(claims, 8))
    atomic.write_text(folder / "claim_tests.csv", csv(contrasts, 8))
    atomic.write_text(folder / "claims.md", document(results))
    atomic.write_text(folder / "claims_overview.md", overview(results))
    save(forest(results), folder / "claims", captions.CLAIMS, ("png", "svg"))


def main() -> None:
    write(stored.load(), RESULTS)


if __name__ == "__main__":
    run_main(main)
