"""The stored verdicts as tables, a document and a figure; the DVC stage `claims`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from elu_replication import atomic
from elu_replication.claims import results as stored
from elu_replication.claims.results import KIND_NAMES, UNDECIDED, ClaimResult, Results, Verdict, counts
from elu_replication.config.experiments import RESULTS
from elu_replication.errors import run_main
from elu_replication.reports import captions, columns, findings
from elu_replication.reports.columns import Rows, table
from elu_replication.reports.forest import forest
from elu_replication.reports.style import save
from elu_replication.reports.tables import csv

SOURCES = (
    "The article is MachineCurve's, on a CNN. The student report is from ASU, on a deep MLP. The paper"
    " behind both is Clevert et al. 2015."
)
MOST_LEFT = 2  # readings that are left open are named, if they are no more
HEDGES = "How much is *much*, and how little *slightly*, is not tested."


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


def answer(claims: Sequence[ClaimResult]) -> list[str]:
    """How many claims have each verdict, in two sentences."""
    by_runs = counts(claim for claim in claims if claim.decided_by == "runs")
    others = counts(claim for claim in claims if claim.decided_by != "runs")

    def sentence(verdicts: Counter[Verdict]) -> str:
        decided: tuple[Verdict, ...] = ("replicated", "not replicated", "protocol-dependent")
        return ", ".join(f"{verdict} for {verdicts[verdict]}" for verdict in decided)

    return [
        f"Of the {by_runs.total()} published claims that runs decide, the verdict is {sentence(by_runs)},"
        f" and inconclusive or not run for {by_runs['inconclusive'] + by_runs['not run']}.",
        f"Of the {others.total()} that mathematics or a comparison of texts decides, it is"
        f" {sentence(others)}, and not testable on this copy of the sources for {others['not testable']}.",
    ]


def holding(claims: Iterable[ClaimResult]) -> dict[str, list[ClaimResult]]:
    """The claims that runs support, by what these are: fresh seeds, exploration or measurements."""
    held: dict[str, list[ClaimResult]] = {}
    for claim in claims:
        if claim.decided_by == "runs" and claim.verdict == "replicated":
            kind, beyond, _ = claim.evidence.partition("; other readings")
            kind = f"{kind} in the primary reading" if beyond else kind.partition(";")[0]
            held.setdefault(kind or "measurements", []).append(claim)
    return held


def support(claim: ClaimResult) -> str:
    """How far a claim holds: its pattern, and the readings beside the primary one that are left open."""
    text = f" It {claim.pattern}." if claim.pattern else ""
    left = [reading.label for reading in claim.readings[1:] if reading.adjusted in UNDECIDED]
    return f"{text} Left open: {'; '.join(left)}." if 0 < len(left) <= MOST_LEFT else text


def overview(results: Results) -> str:
    """The answer, the findings, and how many claims hold and which, as Markdown."""
    titles = [
        f"- {finding.title} ({finding.rests_on})."
        for finding in findings.findings(results, findings.identified())
    ]
    held = [
        f"- {claim.id} ({kind}): {claim.statement}{support(claim)}"
        for kind, claims in holding(results.published).items()
        for claim in claims
    ]
    first, second = answer(results.published)
    evidence = f"{findings.evidence(results)} {findings.stood(results, findings.explored())}"
    *advice, limits = findings.practice(results)
    answers = "\n".join(f"- {paragraph}" for paragraph in advice)
    parts = [answers, limits, "What was found:", "\n".join(titles), first, second, evidence]
    if held:
        parts += [f"Runs replicate these claims. {HEDGES}", "\n".join(held)]
    return "\n\n".join(parts) + "\n"


def document(results: Results) -> str:
    """claims.md: counts, one line a claim by source, the ledger, then the details."""
    text = [f"# The {len(results.claims)} claims\n", f"{SOURCES}\n", overview(results)]
    own = len(results.claims) - len(results.published)
    text.append(
        f"{own} of the claims are this project's own; counts of published claims leave them out."
        " A claim is of a published value, of a direction, of mathematics or of a text."
        " The [rules](#the-rules) are at the end; what was changed after results were seen has a"
        " [list](#changed-after-results-were-seen). A line shows one contrast, the one that decides the"
        " primary reading; the [details](#details) have the rest. Intervals are of the mean or, beside a"
        " published value, of a new run, at 95% for all scores of a reading together.\n"
    )
    for key, source in results.sources.items():
        if not (claims := [claim for claim in results.claims if next(iter(claim.sources)) == key]):
            continue
        text.append(f'## {source.name}: {source.author}, "{source.title}"\n')
        rows = table(columns.for_claims(results), claims, "markdown")
        text.append(markdown([{**row, **emphasized(row)} for row in rows]))
    for title, rows in ledger(results).items():
        text += [f"## {title}\n", markdown(rows)]
    text.append("## Details\n")
    text += [details(claim, results) for claim in results.claims]
    text.append(f"## The rules\n\nVersion {results.rules_version}.\n")
    text += [f"- {rule}" for rule in results.rules]
    text.append(f"\n{results.multiplicity}\n")
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
