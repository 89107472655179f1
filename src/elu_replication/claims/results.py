"""The verdicts as results/claims.json stores them. This module selects and computes nothing from runs, so
that a terminal or a page can show results without the libraries that computed them."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import BeforeValidator, Field, PlainSerializer

from elu_replication.claims.sources import Source
from elu_replication.config.documents import Strict
from elu_replication.errors import UserError

FILE = Path("results/claims.json")
Verdict = Literal[
    "replicated", "not replicated", "protocol-dependent", "inconclusive", "not run", "not testable"
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
UNDECIDED = ("inconclusive", "not run")
AS_PLANNED = "as planned"
# What comparing passages gives; "not testable" where the copy of a source is damaged.
Agreement = Literal["agrees", "contradicted", "unsupported", "not testable"]
Kind = Literal["NUM", "DIR", "DET", "TXT"]
KIND_NAMES: dict[Kind, str] = {
    "NUM": "published value",
    "DIR": "direction",
    "DET": "mathematics",
    "TXT": "text",
}
DecidedBy = Literal["runs", "mathematics", "texts"]
DECIDED_BY: dict[Kind, DecidedBy] = {"NUM": "runs", "DIR": "runs", "DET": "mathematics", "TXT": "texts"}
# Of the mean of differences (t), of their signs, or of a new run's value (prediction).
Test = Literal["t", "sign", "prediction"]


def _in_json(value: float) -> float | str | None:
    return float(value) if math.isfinite(value) else None if math.isnan(value) else str(value)


# JSON has no NaN or infinity: a number that does not exist is null there, an infinite one "inf" or "-inf".
Number = Annotated[
    float,
    BeforeValidator(lambda value: math.nan if value is None else float(value)),
    PlainSerializer(_in_json, when_used="json"),
]


class Interval(NamedTuple):
    low: Number
    high: Number

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        return f"[{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Finding:
    """One thing that a claim says, what was computed, and whether that is as claimed. `reading` is the
    label of the reading that it decides, where a mathematical claim has several."""

    what: str
    claimed: str
    computed: Number
    holds: bool
    reading: str = ""

    @property
    def title(self) -> str:
        return f"{self.reading}: {self.what}" if self.reading else self.what


class Passage(Strict):
    """What a source says at some place, in our words."""

    source: str
    place: str
    says: str


class Ambiguity(Strict):
    """What the sources leave open or contradict, and what was done."""

    question: str
    sources_say: str
    primary: str
    because: str
    others: str
    claims: list[str]


class Change(Strict):
    """What was changed after results were seen."""

    seen: str
    changed: str
    because: str
    also: str
    claims: list[str]


class Ledger(Strict):
    """Every ambiguity that bears on verdicts, and every change after results were seen."""

    ambiguities: list[Ambiguity]
    changes: list[Change]


class ContrastResult(Strict, frozen=False):
    """A contrast, its value for each seed (of times, for each measurement), and their statistics.

    `interval` is of the mean (test t), of the median (sign, where `effect` is the median), or of a new run
    (prediction: at 95% for all scores of a reading together). `than` is what the effect is compared with;
    `published` is the effect by the sources' own scores. `p` is of the difference from `than` by the test,
    `p_verdict` of what gave the verdict: `p` (half of it on the side that contradicts a direction), or that
    of equivalence; 1 where the test did not decide.
    A number that does not exist is NaN; so is the value of a seed with which two arms are tied at infinity.
    """

    test: Test
    metric: str
    meaning: str
    arms: dict[str, float]
    expect: Literal["higher", "lower", "equal"] | None
    than: float
    margin: float
    published: Number
    values: dict[int, Number]
    effect: Number
    interval: Interval
    sd: Number
    p: Number
    p_sign_flip: Number
    p_equivalence: Number
    p_verdict: Number
    probability_of_improvement: Number
    minimum_detectable_effect: Number = math.nan
    single_run_share: Number
    seeds_needed: int | None
    verdict: Verdict
    reason: str
    command: str

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def directed(self) -> bool:
        """Whether a side is claimed, not a value or an equality."""
        return self.expect in ("higher", "lower")

    @property
    def published_mark(self) -> float:
        """What was published, as figures mark it: the value that the claim states for arms with a score of
        their own, or `published`; NaN where two arms have one printed score, which says nothing of their
        difference."""
        if self.than and not self.directed and not math.isnan(self.published):
            return self.than
        return math.nan if len(self.arms) > 1 and self.published == 0 else self.published

    @property
    def equivalence_interval(self) -> Interval | None:
        """The 90% interval that lies within the margin, as the reason has it (four digits), where two
        one-sided tests gave the verdict; None elsewhere."""
        ends = re.match(r"equivalent to .* the 90% interval being \[(\S+), (\S+)\]", self.reason)
        if not ends or self.verdict in UNDECIDED:
            return None
        return Interval(*map(float, ends.groups()))


class ReadingResult(Strict):
    """One reading of a claim, and its contrasts, all of which must hold.

    `p` is of its verdict. For a reading beside the primary one, `p_holm` is adjusted for all of these, and
    `adjusted` is the verdict that remains; the primary reading's stays. NaN where there is no test.
    """

    label: str
    verdict: Verdict
    contrasts: list[ContrastResult]
    p: Number = math.nan
    p_holm: Number = math.nan
    adjusted: Verdict

    @property
    def decisive(self) -> ContrastResult:
        """The first contrast that has the reading's verdict."""
        return next(contrast for contrast in self.contrasts if contrast.verdict == self.verdict)


class Factor(Strict):
    """The one part of protocols whose values tell readings that hold from those that fail; a value such as
    "0.1 and 1" is of a reading whose arms have several."""

    name: str
    holds: list[str]
    fails: list[str]


def _of_arms(value: str) -> str:
    """A factor's value in words."""
    first, several, others = value.partition(" and ")
    return f"{first} in one arm and {others} in another" if several else first


class Pattern(Strict):
    """In how many of the readings that have runs a claim holds and fails, each at 5%, and in how many after
    Holm's adjustment."""

    readings: int
    holds: int
    fails: int
    holds_adjusted: int
    fails_adjusted: int
    factor: Factor | None = None

    def __str__(self) -> str:
        text = f"holds in {self.holds} of {self.readings} readings and fails in {self.fails}"
        if (self.holds, self.fails) != (self.holds_adjusted, self.fails_adjusted):
            text += (
                f" (after Holm's adjustment holds in {self.holds_adjusted}, fails in {self.fails_adjusted})"
            )
        if self.factor:
            yes, no = (" or ".join(map(_of_arms, part)) for part in (self.factor.holds, self.factor.fails))
            text += f"; it holds with {self.factor.name} {yes}, and fails with {no}"
        return text


class Statement(Strict):
    """What sources claim: `sources` has the place in each source by the source's id. `agreement` is what
    comparing the passages gives, by reading where there are several."""

    sources: dict[str, str]
    statement: str
    kind: Kind
    published: str = ""
    note: str = ""
    passages: list[Passage] = Field([])
    agreement: Agreement | dict[str, Agreement] | None = None

    @property
    def agreements(self) -> dict[str, Agreement]:
        """What comparing the passages gives, by reading; a single one has no label."""
        if isinstance(self.agreement, dict):
            return self.agreement
        return {"": self.agreement} if self.agreement else {}

    @property
    def decided_by(self) -> DecidedBy:
        return DECIDED_BY[self.kind]


class ClaimResult(Statement):
    """A claim, its verdict, and all that the verdict rests on; the first reading is the primary one.

    `document` is the file of experiments/claims that holds it, `command` what trains the runs of all
    readings, `evidence` what those runs are: exploration, or fresh seeds; `plan` is as
    claims.plan.status() has it.
    """

    id: str
    document: str
    verdict: Verdict
    reason: str
    readings: list[ReadingResult]
    pattern: Pattern | None
    findings: list[Finding]
    command: str
    evidence: str = ""
    plan: str = ""

    @property
    def contrasts(self) -> list[ContrastResult]:
        return [contrast for reading in self.readings for contrast in reading.contrasts]

    @property
    def leading(self) -> ReadingResult | None:
        """The reading whose numbers stand for the claim: the primary one, or the first that has runs where
        the primary one has none; None for a claim that runs do not decide."""
        if self.decided_by != "runs":
            return None
        ran = [reading for reading in self.readings if reading.verdict != "not run"]
        return (ran or self.readings)[0]

    @property
    def beside_primary(self) -> bool:
        """Whether the leading reading is another than the primary one."""
        return self.leading is not None and self.leading is not self.readings[0]

    @property
    def decisive(self) -> ContrastResult | None:
        """The contrast whose numbers stand for the claim."""
        return self.leading.decisive if self.leading else None

    @property
    def finding(self) -> Finding | None:
        """The first finding that is wrong, or else the first."""
        return min(self.findings, key=lambda finding: finding.holds, default=None)

    @property
    def undecided(self) -> list[ContrastResult]:
        """The contrasts that an undecided claim waits for: the undecided ones of its primary reading."""
        if self.verdict not in UNDECIDED:
            return []
        return [contrast for contrast in self.readings[0].contrasts if contrast.verdict in UNDECIDED]


class Results(Strict):
    """Everything in claims.json; `rules` are the sentences by which the verdicts were given, and
    `rules_version` the number of their version."""

    counts: dict[Verdict, int]
    claims: list[ClaimResult]
    sources: dict[str, Source]
    ledger: Ledger
    rules_version: int
    rules: list[str]
    multiplicity: str

    @property
    def by_id(self) -> dict[str, ClaimResult]:
        return {claim.id: claim for claim in self.claims}

    @property
    def published(self) -> list[ClaimResult]:
        """The claims that a published source makes, not this project."""
        return [c for c in self.claims if any(self.sources[key].published for key in c.sources)]

    def places(self, claim: ClaimResult) -> str:
        """Where the sources make a claim, by their names."""
        return "; ".join(f"{self.sources[key].name}, {place}" for key, place in claim.sources.items())


def load(path: Path = FILE) -> Results:
    """The stored verdicts; raises UserError where there are none, or where they are of another version."""
    try:
        return Results.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no verdicts yet; `make replicate` gives them") from error
    except (OSError, ValueError, TypeError) as error:  # TypeError: of a list for a number
        raise UserError(
            f"{path}: damaged or of another version; `rm -r {path}; make replicate` makes it again"
        ) from error


def counts(claims: Iterable[ClaimResult]) -> Counter[Verdict]:
    """How many claims have each verdict, in the order of VERDICTS."""
    counted = Counter(claim.verdict for claim in claims)
    return Counter({verdict: counted[verdict] for verdict in VERDICTS})
