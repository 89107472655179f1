"""The verdict on each claim, by RULES and by margins of accuracy and loss fixed before the runs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from elu_replication.claims import schema
from elu_replication.claims.checks import CHECKS, Finding
from elu_replication.claims.contrasts import (
    LEAST_PAIRS,
    LEAST_RUNS,
    UNDECIDED,
    VERDICTS,
    WIDEST,
    ContrastResult,
    Verdict,
    command,
    weighted_sums,
)
from elu_replication.claims.schema import Claim

RULES = (
    f"""A published value (NUM) is replicated if it lies inside the 95% prediction interval of a new run,
    and not replicated if outside. It is inconclusive, wherever it lies (the reason tells how far out), with
    fewer than {LEAST_RUNS} runs or if the interval reaches more than {WIDEST:g} margins to a side.""",
    f"""A direction (DIR) is replicated if the 95% interval of the mean difference, paired by seed, lies
    wholly on the claimed side, even within the margin. It is not replicated if the interval lies wholly on
    the other side or, when compared with 0, if the difference is equivalent to 0 within the margin (two
    one-sided t-tests at 5%: the 90% interval lies within it). Otherwise, or with fewer than
    {LEAST_PAIRS} pairs, it is inconclusive.""",
    """An equality that is claimed (DIR) is replicated if the arms are equivalent within the margin, and not
    if the interval lies wholly beyond it.""",
    """A run that diverged has no score. A test takes the seeds that diverged in none of its arms, and
    says how many did; where no seed is left it is inconclusive.""",
    """A reading is one reading of what a source leaves open: a protocol, a metric or a comparison. It holds
    if all of its tests do, and fails if one does. The primary reading gives the claim's verdict, inconclusive
    where only others have runs; but if one reading is replicated and another is not, the claim is
    protocol-dependent. A direction that has a computation too holds only if both do.""",
    """A mathematical claim (DET) is decided by computing it; a claim about texts (TXT) by comparing the
    passages, and one that they contradict or do not support counts as not replicated. What runs show of
    either is told, but does not decide.""",
    """Verdicts are given anew as seeds are added; the 5% are those of one look, at the declared number of
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


@dataclass(frozen=True)
class ReadingResult:
    """One reading of a claim, and its tests."""

    label: str
    tests: list[ContrastResult]

    @property
    def verdict(self) -> Verdict:
        return combined(compared.verdict for compared in self.tests)

    @property
    def decisive(self) -> ContrastResult:
        """The first test that has the reading's verdict."""
        return next(compared for compared in self.tests if compared.verdict == self.verdict)


@dataclass(frozen=True)
class ClaimResult:
    """A claim with all that was computed for it."""

    id: str
    group: str
    claim: Claim
    readings: list[ReadingResult]
    findings: list[Finding]

    @property
    def leading(self) -> ReadingResult | None:
        """The reading whose numbers stand for the claim: the main one, or the first that has runs where
        the main one has none; None for a claim that runs do not decide."""
        if not self.claim.by_runs:
            return None
        ran = [reading for reading in self.readings if reading.verdict != "not run"]
        return (ran or self.readings)[0]

    @property
    def beside_main(self) -> bool:
        """Whether the leading reading is another than the main one."""
        return self.leading is not None and self.leading is not self.readings[0]

    @cached_property
    def of_readings(self) -> Verdict:
        """Protocol-dependent where readings are decided differently, else as the main one; inconclusive
        where others have runs, but not the main one."""
        main, *others = (reading.verdict for reading in self.readings)
        if {"replicated", "not replicated"} <= {main, *others}:
            return "protocol-dependent"
        return "inconclusive" if main == "not run" and set(others) - {main} else main

    @cached_property
    def verdict(self) -> Verdict:
        parts: list[Verdict] = []
        if self.findings:
            parts.append("replicated" if all(f.holds for f in self.findings) else "not replicated")
        if self.claim.agreement:
            parts.append("replicated" if self.claim.agreement == "agrees" else "not replicated")
        if self.claim.by_runs:
            parts.append(self.of_readings)
        return combined(parts)

    @property
    def reason(self) -> str:
        """Why, in a few sentences."""
        told = []
        if self.finding and not self.finding.holds:
            told.append(
                f"{self.finding.what}: {self.finding.computed:.6g}, claimed: {self.finding.claimed}"
            )
        elif self.findings:
            told.append("computed as claimed: " + "; ".join(f.what for f in self.findings[:3]))
        if self.claim.agreement:
            told.append(f"the passages compared: {self.claim.agreement}")
        if not self.claim.by_runs:
            told += [
                f"measured as well, without deciding it, {c.label} ({c.verdict}): {c.decisive.told}"
                for c in self.readings
            ]
        elif self.of_readings == "protocol-dependent":
            for verdict in ("replicated", "not replicated"):
                labels = [c.label for c in self.readings if c.verdict == verdict]
                which = f": {'; '.join(labels)}" * (len(labels) <= MOST_NAMED)
                told.append(f"{verdict} in {len(labels)} of {len(self.readings)} readings{which}")
        elif self.leading:
            told.append(f"{self.leading.label}: {self.leading.decisive.told}")
            if self.beside_main:
                told.append(f"the primary reading, {self.readings[0].label}, is not run")
        if self.claim.by_runs:
            named = {"replicated", "not replicated"} if self.of_readings == "protocol-dependent" else set()
            alone = [] if named else [self.readings[0], self.leading]
            rest = Counter(c.verdict for c in self.readings if c.verdict not in named and c not in alone)
            told += [f"{n} other reading{'s' * (n > 1)} {v}" for v, n in rest.items()]
        return ". ".join(sentence[0].upper() + sentence[1:] for sentence in told)

    @property
    def command(self) -> str:
        """What trains the runs of all readings, or takes their times."""
        return command([compared for reading in self.readings for compared in reading.tests])

    @property
    def decisive(self) -> ContrastResult | None:
        """The test whose numbers stand for the claim."""
        return self.leading.decisive if self.leading else None

    @property
    def finding(self) -> Finding | None:
        """The first finding that is wrong, or else the first."""
        return min(self.findings, key=lambda finding: finding.holds, default=None)

    @property
    def undecided(self) -> list[ContrastResult]:
        """What the claim waits for, where it is undecided: those tests of its primary reading that are."""
        if self.verdict not in UNDECIDED:
            return []
        return [compared for compared in self.readings[0].tests if compared.verdict in UNDECIDED]


def outcome(name: str, group: str, claim: Claim) -> ClaimResult:
    """Compute all that a claim needs from the stored runs."""
    readings = [
        ReadingResult(label, [ContrastResult(test, weighted_sums(test)) for test in tests])
        for label, tests in claim.readings.items()
    ]
    return ClaimResult(name, group, claim, readings, CHECKS[claim.check]() if claim.check else [])


def outcomes(names: Sequence[str] = ()) -> list[ClaimResult]:
    """The outcome of every claim, or of those named, in the order of their numbers."""
    group_of = {name: group for group, held in schema.claim_groups().items() for name in held}
    listed = schema.load_claims()
    return [outcome(name, group_of[name], listed[name]) for name in names or listed]


def counts(found: Iterable[ClaimResult]) -> Counter[Verdict]:
    """How many claims have each verdict, in the order of VERDICTS."""
    counted = Counter(each.verdict for each in found)
    return Counter({verdict: counted[verdict] for verdict in VERDICTS})
