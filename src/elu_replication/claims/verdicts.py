"""The verdict on each claim, by the rules below and by margins of accuracy and loss fixed before the runs.

The DVC stage `verdicts` computes them all once and writes results/claims.json; whatever shows them reads
that file.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from elu_replication import atomic
from elu_replication.claims import results, schema, sources, statistics
from elu_replication.claims.checks import CHECKS
from elu_replication.claims.contrasts import (
    LEAST_PAIRS,
    LEAST_RUNS,
    WIDEST,
    command,
    evaluate,
    weighted_sums,
)
from elu_replication.claims.results import (
    UNDECIDED,
    ClaimResult,
    ContrastResult,
    Finding,
    ReadingResult,
    Results,
    Verdict,
)
from elu_replication.claims.schema import Claim
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED
from elu_replication.errors import one_line, run_main
from elu_replication.runs import store

RULES = (
    f"""A published value is replicated if it lies inside the 95% prediction interval of a new run, and
    not replicated if outside. It is inconclusive, wherever it lies (the reason tells how far out), with
    fewer than {LEAST_RUNS} runs or if the interval reaches more than {WIDEST:g} margins to a side.""",
    f"""A direction is replicated if the 95% interval of the mean difference, paired by seed, lies wholly
    on the claimed side, even within the margin. It is not replicated if the interval lies wholly on the
    other side or, when compared with 0, if the difference is equivalent to 0 within the margin (two
    one-sided t-tests at 5%: the 90% interval lies within it). Otherwise, or with fewer than
    {LEAST_PAIRS} pairs, it is inconclusive.""",
    """An equality that is claimed is replicated if the arms are equivalent within the margin, and not if
    the interval lies wholly beyond it.""",
    """A run that diverged has no score. A contrast takes the seeds that diverged in none of its arms, and
    says how many did; where no seed is left it is inconclusive.""",
    """A reading is one way to read what a source leaves open: a protocol, a metric or a comparison. It
    holds if all of its contrasts do, and fails if one does. The primary reading gives the claim's verdict,
    inconclusive where only others have runs; but if one reading is replicated and another is not, the claim
    is protocol-dependent. A direction that has a computation too holds only if both do.""",
    """A claim of mathematics is decided by computing it; a claim about texts by comparing the passages,
    and one that they contradict or do not support counts as not replicated. What runs show of either is
    reported, but does not decide.""",
    """Verdicts are computed again as seeds are added; the 5% hold for one look, at the declared number of
    seeds.""",
    """"Single runs that show it" is the share of seeds whose own result agrees: it has the claimed sign
    or, for a published value or an equality, lies within the margin. No verdict uses it, so it can be low
    where a claim is replicated.""",
)

MOST_NAMED = 4  # readings that a reason names; the table below it has all


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on what holds only if all of its parts do."""
    parts = set(verdicts)
    worst_first: tuple[Verdict, ...] = ("not replicated", "not run", "inconclusive", "protocol-dependent")
    return next((worst for worst in worst_first if worst in parts), "replicated")


def read(label: str, contrasts: list[ContrastResult]) -> ReadingResult:
    """The result of a reading, which holds only if all of its contrasts do."""
    verdict = combined(contrast.verdict for contrast in contrasts)
    return ReadingResult(label=label, verdict=verdict, contrasts=contrasts)


def over_readings(readings: Sequence[ReadingResult]) -> Verdict:
    """Protocol-dependent where readings are decided differently, else as the primary one; inconclusive
    where others have runs, but not the primary one."""
    primary, *others = (reading.verdict for reading in readings)
    if {"replicated", "not replicated"} <= {primary, *others}:
        return "protocol-dependent"
    return "inconclusive" if primary == "not run" and set(others) - {primary} else primary


def conclude(
    name: str, document: str, claim: Claim, readings: list[ReadingResult], findings: list[Finding]
) -> ClaimResult:
    """The verdict on a claim from the results of its readings and what was computed for it."""
    parts: list[Verdict] = []
    if findings:
        parts.append("replicated" if all(finding.holds for finding in findings) else "not replicated")
    if claim.agreement:
        parts.append("replicated" if claim.agreement == "agrees" else "not replicated")
    if claim.decided_by == "runs":
        parts.append(over_readings(readings))
    contrasts = [contrast for reading in claim.readings.values() for contrast in reading]
    result = ClaimResult(
        id=name,
        document=document,
        verdict=combined(parts),
        reason="",
        readings=readings,
        findings=findings,
        command=command(contrasts) if contrasts else "",
        **claim.model_dump(exclude={"readings", "check"}),
    )
    return result.model_copy(update={"reason": reason(result)})


def reason(result: ClaimResult) -> str:
    """Why a claim has its verdict, in a few sentences."""
    sentences = []
    if result.finding and not result.finding.holds:
        wrong = result.finding
        sentences.append(f"{wrong.what}: {wrong.computed:.6g}, claimed: {wrong.claimed}")
    elif result.findings:
        sentences.append("computed as claimed: " + "; ".join(f.what for f in result.findings[:3]))
    if result.agreement:
        sentences.append(f"the passages compared: {result.agreement}")
    if result.leading is None:
        sentences += [
            f"measured as well, without deciding it, {reading.label} ({reading.verdict}):"
            f" {compared(reading)}"
            for reading in result.readings
        ]
    else:
        sentences += reasons_of_readings(result.readings, result.leading)
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def reasons_of_readings(readings: Sequence[ReadingResult], leading: ReadingResult) -> list[str]:
    """How the readings of a claim that runs decide came out; the rest are counted."""
    sentences = []
    named: set[Verdict] = set()
    shown = [readings[0], leading]
    if over_readings(readings) == "protocol-dependent":
        named, shown = {"replicated", "not replicated"}, []
        for verdict in ("replicated", "not replicated"):
            labels = [reading.label for reading in readings if reading.verdict == verdict]
            which = f": {'; '.join(labels)}" * (len(labels) <= MOST_NAMED)
            sentences.append(f"{verdict} in {len(labels)} of {len(readings)} readings{which}")
    else:
        sentences.append(f"{leading.label}: {compared(leading)}")
        if leading is not readings[0]:
            sentences.append(f"the primary reading, {readings[0].label}, is not run")
    rest = Counter(r.verdict for r in readings if r.verdict not in named and r not in shown)
    return sentences + [f"{n} other reading{'s' * (n > 1)} {verdict}" for verdict, n in rest.items()]


def compared(reading: ReadingResult) -> str:
    """What decided a reading, and how it came out."""
    return f"{reading.decisive.meaning}: {reading.decisive.reason}"


def adjust(claims: Sequence[ClaimResult]) -> None:
    """Set Holm's adjusted p of each direction, over those of the claims of a document, each once."""
    families = defaultdict[str, dict[str, list[ContrastResult]]](dict)
    for claim in claims:
        for contrast in claim.contrasts:
            if contrast.directed:
                test = f"{contrast.arms} {contrast.metric} {contrast.than}"
                families[claim.document].setdefault(test, []).append(contrast)
    for family in families.values():
        adjusted = statistics.holm([same[0].p for same in family.values()]).tolist()
        for same, p in zip(family.values(), adjusted, strict=True):
            for contrast in same:
                contrast.p_holm = p


def multiplicity(claims: Sequence[ClaimResult]) -> str:
    """What adjusting for the number of contrasts would change."""
    contrasts = [contrast for claim in claims for contrast in claim.contrasts]
    directions = [c for c in contrasts if c.directed and c.verdict not in UNDECIDED]
    decided = [c for c in directions if c.interval.low > c.than or c.interval.high < c.than]
    weak = sum(c.p_holm > 1 - statistics.CONFIDENCE for c in decided)
    return (
        "p values, raw and with Holm's adjustment over a file of claims, are in claim_tests.csv. No verdict"
        f" is adjusted: of the {len(decided)} contrasts decided by the side of an interval, {weak} would"
        f" not pass it at 5%, and {sum(math.isnan(c.p) for c in decided)} have no p value, since all seeds"
        " gave the same."
    )


def compute() -> Results:
    """The verdicts on all claims, in the order of their numbers, from the stored runs."""
    document_of = {name: group for group, claims in schema.documented().items() for name in claims}
    claims = []
    for name, claim in schema.load_claims().items():
        readings = [
            read(label, [evaluate(contrast, weighted_sums(contrast)) for contrast in contrasts])
            for label, contrasts in claim.readings.items()
        ]
        findings = CHECKS[claim.check]() if claim.check else []
        claims.append(conclude(name, document_of[name], claim, readings, findings))
    adjust(claims)
    facts = sources.load()
    return Results(
        counts=results.counts(claims),
        claims=claims,
        sources=facts.sources,
        headlines=facts.headlines,
        ledger=schema.load_ledger(),
        rules=[one_line(rule) for rule in RULES],
        multiplicity=multiplicity(claims),
    )


def main() -> None:
    store.require_whole(experiments.every_arm(PUBLISHED))
    atomic.write_text(results.FILE, compute().model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    run_main(main)
