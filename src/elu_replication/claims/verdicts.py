"""The verdict on each claim, by the rules below.

The DVC stage `verdicts` computes them all once and writes results/claims.json; whatever shows them reads
that file.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from elu_replication import atomic
from elu_replication.claims import results, schema, sources, statistics
from elu_replication.claims.checks import CHECKS
from elu_replication.claims.contrasts import (
    LARGEST_MARGIN,
    LEAST_PAIRS,
    LEAST_PROCESSORS,
    LEAST_RUNS,
    WIDEST,
    arms_of,
    command,
    evaluate,
    weighted_sums,
)
from elu_replication.claims.metrics import METRICS
from elu_replication.claims.results import (
    UNDECIDED,
    Agreement,
    ClaimResult,
    ContrastResult,
    Factor,
    Finding,
    Pattern,
    ReadingResult,
    Results,
    Statement,
    Verdict,
)
from elu_replication.claims.schema import Claim, Contrast
from elu_replication.config import experiments
from elu_replication.config.schema import PUBLISHED
from elu_replication.errors import one_line, run_main
from elu_replication.runs import evidence, store

VERSION = 2  # of the rules; version 1 judged the exploratory runs (results/exploration.csv)
SIGNS = ", ".join(f"{statistics.fewest_on_a_side(n)} of {n}" for n in (6, 12, 20))
RULES = (
    """A direction is replicated if the 95% t interval of the mean difference, paired by seed, lies wholly
    on the claimed side of 0 or of a stated threshold, even within the margin. It is not replicated if the
    interval lies wholly on the other side.""",
    f"""A direction is not replicated either if the difference is equivalent to 0 within the margin (two
    one-sided t-tests at 5%: the 90% interval lies within it), unless the margin is more than
    {LARGEST_MARGIN:g} of the difference that was published. Otherwise, and with fewer than {LEAST_PAIRS}
    pairs, it is inconclusive.""",
    """An equality is replicated if the difference is equivalent to 0 within the margin, and not replicated
    if the interval lies wholly beyond the margin.""",
    """The exact sign-flip test stands beside each t interval, and a reason says where the two disagree on
    5%. Where arms do not differ, both hold their 5% however skewed their outcomes are, the t tests to
    within one percent.""",
    """Where differences themselves are as skewed as an exponential distribution about a mean of 0, the t
    interval takes their short tail for an effect in 11% of studies of 6 pairs, 9% of 12 and 7% of 20, not
    in 2.5%; they are equated with a value one margin away in 15%, 13% and 11%, not in 5%. A collapse of one
    run in ten is seen in no seed of 53% of studies of 6 pairs and 28% of 12, which then miss what it
    costs.""",
    """A run that diverged counts, with the accuracy that it had last and from then on an infinite loss; a
    target that was never reached is reached at infinity. What is measured in a trained network (units,
    gradients, noise) does not exist for a run that diverged, and the reason says how many did.""",
    f"""Where a value is infinite, or the metric counts epochs to a target, the exact two-sided sign test at
    5% takes the place of the t interval ({SIGNS} pairs), and shows the median with its exact interval. Ties
    count against either side, and two arms that never reach a target are tied, not equivalent.""",
    f"""A published value is not replicated if it lies outside the 95% prediction interval of a new run,
    however wide, and replicated if it lies inside and the interval reaches no more than {WIDEST:g} margins
    to a side. Otherwise (the reason says where no number of runs would make it so narrow), with fewer than
    {LEAST_RUNS} runs, or with an infinite value, it is inconclusive.""",
    """The k published scores of one reading have intervals of 1 - 5%/k each, so that all hold together with
    95%.""",
    """For normal values these rates are exact. Of values as skewed as an exponential distribution a new run
    lies outside in up to 8% (5.5% at k = 2), of values of two kinds in up to 9% (7.5%).""",
    f"""Times are compared within a measurement, by the median over its rounds of the log ratio. The test is
    over measurements: {LEAST_PAIRS} or more, on {LEAST_PROCESSORS} or more kinds of processor.""",
    """A reading is one way to read what a source leaves open: a protocol, a metric or a comparison. It is
    replicated if all of its contrasts are, and not replicated if one is not.""",
    """The primary reading, tested at 5%, gives the claim's verdict; where only others have runs, the claim
    is inconclusive. The others are adjusted together by Holm's method, and if of all readings one is then
    replicated and another not, the claim is protocol-dependent.""",
    """The p of a reading is the largest of its contrasts' where all must hold, and where one fails the
    least times their number, one-sided if the interval contradicts. Published values inside have none.""",
    """The pattern beside a verdict says in how many readings a claim holds and fails, each at 5%, and in
    how many after the adjustment. Where one part of the protocol alone tells them apart, it is named.""",
    """A claim of mathematics is decided by computing it; a claim about texts by comparing the passages, and
    one that they contradict or do not support counts as not replicated. Either may have readings, and is
    protocol-dependent if one holds and another does not. What runs show of either is reported, but does not
    decide; a direction that has a computation too holds only if both do. A claim whose passage is damaged
    in the copy at hand is not testable.""",
    f"""The 5% hold for one look, at the declared number of seeds: no verdict comes of adding seeds to those
    that were looked at. "Seeds needed" is the size of a fresh study with a power of {statistics.POWER:.0%}
    for {statistics.SHRINKAGE:.0%} of the effect that was seen.""",
    """"Single runs that show it" is the share of seeds whose own result agrees: it has the claimed sign or,
    for a published value or an equality, lies within the margin. No verdict uses it, so it can be low where
    a claim is replicated.""",
)

BY_AGREEMENT: dict[Agreement, Verdict] = {
    "agrees": "replicated",
    "contradicted": "not replicated",
    "unsupported": "not replicated",
    "not testable": "not testable",
}
MOST_NAMED = 4  # readings that a reason names; the table below it has all


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on what holds only if all of its parts do."""
    parts = set(verdicts)
    worst_first: tuple[Verdict, ...] = (
        "not replicated",
        "not testable",
        "not run",
        "inconclusive",
        "protocol-dependent",
    )
    return next((worst for worst in worst_first if worst in parts), "replicated")


def settled(claim: Statement, findings: Sequence[Finding]) -> dict[str, Verdict]:
    """The verdicts on the readings of a claim that mathematics or the passages decide, by label."""
    holds: dict[str, bool] = {}
    for finding in findings:
        holds[finding.reading] = holds.get(finding.reading, True) and finding.holds
    return {
        **{label: "replicated" if held else "not replicated" for label, held in holds.items()},
        **{label: BY_AGREEMENT[agreement] for label, agreement in claim.agreements.items()},
    }


def read(label: str, contrasts: list[ContrastResult]) -> ReadingResult:
    """The result of a reading, which holds only if all of its contrasts do."""
    verdict, p = together([(contrast.verdict, contrast.p_verdict) for contrast in contrasts])
    return ReadingResult(label=label, verdict=verdict, contrasts=contrasts, p=p, adjusted=verdict)


def together(contrasts: Sequence[tuple[Verdict, float]]) -> tuple[Verdict, float]:
    """The verdict on a reading and its p, from those of its contrasts: the largest p where all must hold,
    the smallest times their number where one fails; NaN without a test."""
    verdict = combined(each for each, _ in contrasts)
    if verdict == "not replicated":
        return verdict, min(1.0, len(contrasts) * min(p for each, p in contrasts if each == verdict))
    return verdict, max((p for _, p in contrasts if not math.isnan(p)), default=math.nan)


def adjusted(readings: Sequence[tuple[Verdict, float]]) -> list[tuple[Verdict, float]]:
    """What remains of verdicts with their p, the primary one first, when the p of the others are adjusted
    together by Holm's method."""
    p_values = [math.nan, *statistics.holm([p for _, p in readings[1:]])]
    return [
        ("inconclusive" if p > 1 - statistics.CONFIDENCE else verdict, float(p))
        for (verdict, _), p in zip(readings, p_values, strict=False)
    ]


def over_readings(verdicts: Sequence[Verdict]) -> Verdict:
    """Protocol-dependent where adjusted verdicts on readings differ, else as the primary one; inconclusive
    where others have runs, but not the primary one."""
    primary, *others = verdicts
    if {"replicated", "not replicated"} <= {primary, *others}:
        return "protocol-dependent"
    return "inconclusive" if primary == "not run" and set(others) - {primary} else primary


def pattern(readings: Sequence[ReadingResult]) -> Pattern | None:
    """How readings differ; None for a single one."""
    if len(readings) < 2:
        return None
    at_5, after = (Counter(getattr(r, name) for r in readings) for name in ("verdict", "adjusted"))
    return Pattern(
        readings=len(readings) - at_5["not run"],
        holds=at_5["replicated"],
        fails=at_5["not replicated"],
        holds_adjusted=after["replicated"],
        fails_adjusted=after["not replicated"],
        factor=separating(readings),
    )


def separating(readings: Sequence[ReadingResult]) -> Factor | None:
    """The one part of protocols whose values are different ones wherever a claim holds and wherever it
    fails; None where there is none, or more than one."""
    holding, failing = (
        [values_of_factors(r) for r in readings if r.verdict == verdict]
        for verdict in ("replicated", "not replicated")
    )
    factors: list[Factor] = []
    for name in sorted({key for values in holding + failing for key in values}):
        yes, no = ({values.get(name, "none") for values in side} for side in (holding, failing))
        # Another option brings other values with it: "optimizer" is named, not its learning rate.
        if yes and no and not yes & no and name.partition(".")[0] not in [f.name for f in factors]:
            factors.append(Factor(name=name, holds=sorted(yes), fails=sorted(no)))
    return factors[0] if len(factors) == 1 else None


def values_of_factors(reading: ReadingResult) -> dict[str, str]:
    """What the arms of a reading have of each part of a protocol, e.g. {"optimizer": "sgd"}. Of
    activations, which are what claims compare, only ELU's alpha counts."""
    values = defaultdict[str, set[str]](set)
    for name in {name for contrast in reading.contrasts for name in contrast.arms}:
        flat = experiments.arm(name, PUBLISHED).protocol.flat()
        alpha = flat.pop("activation.alpha", None)
        if flat.pop("activation") == "elu":
            flat["ELU's alpha"] = alpha
        for key, value in flat.items():
            values[key].add(f"{value:g}" if isinstance(value, float) else str(value))
    return {key: " and ".join(sorted(of_arms)) for key, of_arms in values.items()}


def evaluated(contrasts: Sequence[Contrast]) -> list[ContrastResult]:
    """The contrasts of a reading on the stored runs."""
    scores = max(1, sum(contrast.published is not None for contrast in contrasts))
    return [evaluate(contrast, weighted_sums(contrast), scores) for contrast in contrasts]


def conclude(
    name: str, document: str, claim: Claim, readings: list[ReadingResult], findings: list[Finding]
) -> ClaimResult:
    """The verdict on a claim from the results of its readings and what was computed for it."""
    after = adjusted([(reading.verdict, reading.p) for reading in readings])
    readings = [
        reading.model_copy(update={"adjusted": verdict, "p_holm": p})
        for reading, (verdict, p) in zip(readings, after, strict=True)
    ]
    by_runs = [reading.adjusted for reading in readings] if claim.decided_by == "runs" else []
    groups = [[*settled(claim, findings).values()], by_runs]
    contrasts = [contrast for reading in claim.readings.values() for contrast in reading]
    result = ClaimResult(
        id=name,
        document=document,
        verdict=combined(over_readings(group) for group in groups if group),
        reason="",
        readings=readings,
        pattern=pattern(readings),
        findings=findings,
        command=command(contrasts) if contrasts else "",
        evidence=evidence_of([*claim.readings.values()]),
        **claim.model_dump(exclude={"readings", "check"}),
    )
    return result.model_copy(update={"reason": reason(result)})


def evidence_of(readings: Sequence[Sequence[Contrast]]) -> str:
    """What the seeds of a claim are, apart for the primary reading where it alone has its fresh ones."""
    primary, everything = (
        evidence.evidence(
            arm
            for contrast in chain.from_iterable(part)
            if not METRICS[contrast.metric].timed
            for arm in arms_of(contrast).values()
        )
        for part in (readings[:1], readings)
    )
    if primary == evidence.FRESH != everything:
        return f"{primary}; other readings: {everything}"
    return everything


def reason(result: ClaimResult) -> str:
    """Why a claim has its verdict, in a few sentences."""
    sentences = []
    by_reading = settled(result, result.findings)
    if len(set(by_reading.values())) > 1:
        sentences += differing(by_reading)
    elif result.finding and not result.finding.holds:
        wrong = result.finding
        sentences.append(f"{wrong.title}: {wrong.computed:.6g}, claimed: {wrong.claimed}")
    elif result.findings:
        sentences.append("computed as claimed: " + "; ".join(f.what for f in result.findings[:3]))
    elif result.agreement:
        sentences.append(f"the passages compared: {', '.join(result.agreements.values())}")
    if result.leading is None:
        sentences += [
            f"measured as well, without deciding it, {reading.label} ({reading.verdict}):"
            f" {compared(reading)}"
            for reading in result.readings
        ]
    else:
        sentences += reasons_of_readings(result, result.leading)
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def reasons_of_readings(result: ClaimResult, leading: ReadingResult) -> list[str]:
    """How the readings of a claim that runs decide came out; the rest are counted."""
    readings, pattern = result.readings, result.pattern
    mixed = [str(pattern)] if pattern and pattern.holds and pattern.fails else []
    named: set[Verdict] = {"replicated", "not replicated"} if mixed else set()
    shown = [readings[0], leading]
    if over_readings([reading.adjusted for reading in readings]) == "protocol-dependent":
        shown = []
        sentences = [*mixed, *differing({reading.label: reading.verdict for reading in readings})]
    else:
        sentences = [f"{leading.label}: {compared(leading)}", *mixed]
        if leading is not readings[0]:
            sentences.append(f"the primary reading, {readings[0].label}, is not run")
    rest = Counter(r.verdict for r in readings if r.verdict not in named and r not in shown)
    return sentences + [f"{n} other reading{'s' * (n > 1)} {verdict}" for verdict, n in rest.items()]


def differing(verdicts: Mapping[str, Verdict]) -> list[str]:
    """In which readings, by label, a claim holds and in which it fails, where they are few."""
    sentences = []
    for verdict in ("replicated", "not replicated"):
        labels = [label for label, each in verdicts.items() if each == verdict]
        sentences += [f"{verdict}: {'; '.join(labels)}"] * (len(labels) <= MOST_NAMED)
    return sentences


def compared(reading: ReadingResult) -> str:
    """What decided a reading, and how it came out."""
    return f"{reading.decisive.meaning}: {reading.decisive.reason}"


def multiplicity(claims: Sequence[ClaimResult]) -> str:
    """What adjusting for the number of readings changes."""
    others = [reading for claim in claims for reading in claim.readings[1:]]
    decided = [reading for reading in others if reading.verdict not in UNDECIDED]
    kept = sum(reading.adjusted == reading.verdict for reading in decided)
    return (
        f"Of the {len(decided)} readings beside a primary one that are decided at 5%, {kept} are after"
        " Holm's adjustment within their claim. p values, raw and adjusted, are in claim_tests.csv."
    )


def compute() -> Results:
    """The verdicts on all claims, in the order of their numbers, from the stored runs."""
    document_of = {name: group for group, claims in schema.documented().items() for name in claims}
    claims = []
    for name, claim in schema.load_claims().items():
        readings = [read(label, evaluated(contrasts)) for label, contrasts in claim.readings.items()]
        findings = [
            replace(finding, reading=label)
            for label, check in claim.checks.items()
            for finding in CHECKS[check]()
        ]
        claims.append(conclude(name, document_of[name], claim, readings, findings))
    facts = sources.load()
    return Results(
        counts=results.counts(claims),
        claims=claims,
        sources=facts.sources,
        ledger=schema.load_ledger(),
        rules_version=VERSION,
        rules=[one_line(rule) for rule in RULES],
        multiplicity=multiplicity(claims),
    )


def compared_with_plan(judged: Results) -> Results:
    """Results that say of each claim whether it is as planned."""
    from elu_replication.claims import plan  # which has a digest of this module among its entries

    status = plan.status()
    claims = [claim.model_copy(update={"plan": status[claim.id]}) for claim in judged.claims]
    return judged.model_copy(update={"claims": claims})


def main() -> None:
    store.require_whole(experiments.every_arm(PUBLISHED))
    atomic.write_text(results.FILE, compared_with_plan(compute()).model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    run_main(main)
