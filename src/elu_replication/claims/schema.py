"""The published claims as data: experiments/claims/*.yaml, each entry checked strictly."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from elu_replication.claims.checks import CHECKS
from elu_replication.claims.metrics import METRICS
from elu_replication.config import documents, experiments
from elu_replication.config.documents import Strict
from elu_replication.config.schema import PUBLISHED
from elu_replication.errors import UserError

FOLDER = experiments.FOLDER / "claims"
LEDGER = FOLDER / "ledger.yaml"
SOURCES = {
    "M": 'MachineCurve, "How to use ELU with Keras?"',
    "B": 'Basak, "Exponential Linear Units are the New Cool"',
    "A": 'Patni and Gonarkar, "Deep Learning with Exponential Linear Units (ELUs)", ASU report',
    "P": "Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289",
}
Kind = Literal["NUM", "DIR", "DET", "TXT"]
DECIDED_BY: dict[Kind, Literal["runs", "mathematics", "texts"]] = {
    "NUM": "runs",
    "DIR": "runs",
    "DET": "mathematics",
    "TXT": "texts",
}
Id = Annotated[str, Field(pattern=r"^C[1-9]\d*$")]


class Contrast(Strict):
    """One comparison on stored runs: a weighted sum of arms, paired by seed, in one metric.

    Either `published` is the value of a single run that a new run should give (NUM), or `expect` says
    where the sum stands to `than` according to the claim (DIR): higher, lower, or equal within the
    margin. The margin is the metric's unless stated.
    """

    metric: str
    arms: dict[str, float]
    published: float | None = None
    expect: Literal["higher", "lower", "equal"] | None = None
    than: float = 0.0
    margin: float = 0.0

    @model_validator(mode="after")
    def _complete(self) -> "Contrast":
        if self.metric not in METRICS:
            raise ValueError(f"metric {self.metric!r}: must be one of {', '.join(METRICS)}")
        if (self.published is None) == (self.expect is None):
            raise ValueError("a test has either `published` or `expect`")
        try:
            for name in self.arms:
                experiments.arm(name, PUBLISHED)
        except UserError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def tolerance(self) -> float:
        return self.margin or METRICS[self.metric].margin


class Passage(Strict):
    """What a source says at some place, in our words."""

    source: str
    place: str
    says: str


class Claim(Strict):
    """One published claim.

    `readings` holds, for each way to read what the source leaves open, the tests that must all come out
    as claimed; the first is the main one. A DET claim names its `check` in mathematics.py; a TXT claim
    has `passages` and what comparing them gives; readings of either are measured beside it. A DIR claim
    with a `check` needs both to hold.
    """

    source: str
    place: str
    statement: str
    kind: Kind
    published: str = ""
    note: str = ""
    readings: dict[str, list[Contrast]] = Field({})
    check: str | None = None
    passages: list[Passage] = Field([])
    agreement: Literal["agrees", "contradicted", "unsupported"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Claim":
        if unknown := set(self.source.replace(",", " ").split()) - set(SOURCES):
            raise ValueError(f"source {', '.join(unknown)}: must be of {', '.join(SOURCES)}")
        if self.check is not None and self.check not in CHECKS:
            raise ValueError(f"check {self.check!r}: must be one of {', '.join(CHECKS)}")
        if self.kind in ("NUM", "DIR") and not self.readings:
            raise ValueError(f"a {self.kind} claim has readings")
        if self.kind == "DET" and self.check is None:
            raise ValueError("a DET claim names its check")
        if self.kind == "TXT" and (len(self.passages) < 2 or self.agreement is None):
            raise ValueError("a TXT claim has two passages or more, and what comparing them gives")
        return self

    @property
    def decided_by(self) -> Literal["runs", "mathematics", "texts"]:
        return DECIDED_BY[self.kind]

    @property
    def by_runs(self) -> bool:
        """Whether runs decide it, and not just what is computed or read."""
        return self.decided_by == "runs"

    @property
    def arms(self) -> list[str]:
        """The full names of all arms that its tests use, each once."""
        tests = [test for tests in self.readings.values() for test in tests]
        return list(dict.fromkeys(name for test in tests for name in test.arms))


class Ambiguity(Strict):
    """What the sources leave open or contradict, and what was done."""

    question: str
    sources_say: str
    main: str
    because: str
    others: str
    claims: list[Id]


class Change(Strict):
    """What was changed after results were seen."""

    seen: str
    changed: str
    because: str
    also: str
    claims: list[Id]


class Ledger(Strict):
    """Every ambiguity that bears on verdicts, and every change after results were seen."""

    ambiguities: list[Ambiguity]
    changes: list[Change]


class _File(Strict):
    claims: dict[Id, Claim]


@cache
def claim_groups() -> dict[str, dict[str, Claim]]:
    """The claims of each file but the ledger, by id: {experiment or topic: {id: Claim}}.

    Raises UserError naming the file and the entry that is wrong.
    """
    read = {
        path.stem: documents.checked(path, _File).claims
        for path in sorted(FOLDER.glob("*.yaml"))
        if path != LEDGER
    }
    seen: dict[str, str] = {}
    for group, claims in read.items():
        for name in claims:
            if name in seen:
                raise UserError(f"{FOLDER / group}.yaml: {name} is in {seen[name]}.yaml already")
            seen[name] = group
    return read


def load_claims() -> dict[str, Claim]:
    """Every claim by id, in the order of their numbers."""
    listed = {name: claim for claims in claim_groups().values() for name, claim in claims.items()}
    return dict(sorted(listed.items(), key=lambda item: int(item[0][1:])))


def load_ledger() -> Ledger:
    """What the sources leave open; raises UserError where it names a claim that is not there."""
    read = documents.checked(LEDGER, Ledger)
    entries: list[Ambiguity | Change] = [*read.ambiguities, *read.changes]
    if unknown := {name for entry in entries for name in entry.claims} - set(load_claims()):
        raise UserError(f"{LEDGER}: no such claim: {', '.join(sorted(unknown))}")
    return read
