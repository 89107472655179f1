"""The published claims as data: experiments/claims/*.yaml, each entry checked strictly."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from elu_replication.claims import sources
from elu_replication.claims.checks import CHECKS
from elu_replication.claims.metrics import METRICS
from elu_replication.claims.results import Ambiguity, Change, Ledger, Statement
from elu_replication.config import documents, experiments
from elu_replication.config.documents import Strict, must
from elu_replication.config.schema import PUBLISHED, Finite
from elu_replication.errors import UserError

FOLDER = experiments.FOLDER / "claims"
LEDGER = FOLDER / "ledger.yaml"


class Contrast(Strict):
    """A weighted sum of arms in one metric, paired by seed.

    Either `published` is the value of a single run that a new run should give (NUM), or `expect` says
    where the sum stands to `than` according to the claim (DIR): higher, lower, or equal within the
    margin. The margin is the metric's unless stated.
    """

    metric: str
    arms: Annotated[dict[str, Finite], Field(min_length=1)]
    published: Finite | None = None
    expect: Literal["higher", "lower", "equal"] | None = None
    than: Finite = 0.0
    margin: Annotated[Finite, must("0 or more", lambda margin: margin >= 0)] = 0.0

    @model_validator(mode="after")
    def _complete(self) -> "Contrast":
        if self.metric not in METRICS:
            raise ValueError(f"metric {self.metric!r}: must be one of {', '.join(METRICS)}")
        if (self.published is None) == (self.expect is None):
            raise ValueError("a contrast has either `published` or `expect`")
        try:
            for name in self.arms:
                experiments.arm(name, PUBLISHED)
        except UserError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def reference(self) -> float:
        """What the sum is compared with: the published value, or `than`."""
        return self.than if self.published is None else self.published

    @property
    def tolerance(self) -> float:
        return self.margin or METRICS[self.metric].margin


class Claim(Statement):
    """One published claim, and how it is decided.

    `readings` holds, for each way to read what the sources leave open, the contrasts that must all come
    out as claimed; the first is the primary reading. A DET claim names its `check` in checks.py, or one for
    each reading; a TXT claim has `passages` and what comparing them gives, or what it gives by reading. The
    contrasts of either are measured beside it. A DIR claim with a `check` needs both to hold.
    """

    readings: dict[str, Annotated[list[Contrast], Field(min_length=1)]] = Field({})
    check: str | dict[str, str] | None = None

    @property
    def checks(self) -> dict[str, str]:
        """The names of the checks by reading; a single one has no label."""
        if isinstance(self.check, dict):
            return self.check
        return {"": self.check} if self.check else {}

    @model_validator(mode="after")
    def _complete(self) -> "Claim":
        known = sources.load().sources
        if not self.sources:
            raise ValueError(f"sources: must have one of {', '.join(known)}")
        if unknown := {*self.sources, *(passage.source for passage in self.passages)} - set(known):
            raise ValueError(f"source {', '.join(sorted(unknown))}: must be of {', '.join(known)}")
        for check in self.checks.values():
            if check not in CHECKS:
                raise ValueError(f"check {check!r}: must be one of {', '.join(CHECKS)}")
        if self.decided_by == "runs" and not self.readings:
            raise ValueError(f"a {self.kind} claim has readings")
        if self.kind == "DET" and not self.checks:
            raise ValueError("a DET claim names its check")
        if self.kind == "TXT" and (len(self.passages) < 2 or not self.agreements):
            raise ValueError("a TXT claim has two passages or more, and what comparing them gives")
        return self


class _File(Strict):
    claims: dict[Annotated[str, Field(pattern=r"^C[1-9]\d*$")], Claim]


@cache
def documented() -> dict[str, dict[str, Claim]]:
    """The claims of each document by id: {experiment or topic: {id: Claim}}.

    Raises UserError naming the file and the entry that is wrong.
    """
    sources.load()  # first, since an error of it inside an entry would be told as the entry's
    documents_of_claims = {
        path.stem: documents.checked(path, _File).claims
        for path in sorted(FOLDER.glob("*.yaml"))
        if path not in (LEDGER, sources.FILE)
    }
    document_of: dict[str, str] = {}
    for document, claims in documents_of_claims.items():
        for name in claims:
            if name in document_of:
                raise UserError(f"{FOLDER / document}.yaml: {name} is in {document_of[name]}.yaml already")
            document_of[name] = document
    return documents_of_claims


def load_claims() -> dict[str, Claim]:
    """Every claim by id, in the order of their numbers."""
    claims = {name: claim for group in documented().values() for name, claim in group.items()}
    return dict(sorted(claims.items(), key=lambda item: int(item[0][1:])))


def load_ledger() -> Ledger:
    """What the sources leave open; raises UserError where it names a claim that is not there."""
    ledger = documents.checked(LEDGER, Ledger)
    entries: list[Ambiguity | Change] = [*ledger.ambiguities, *ledger.changes]
    named = {name for entry in entries for name in entry.claims}
    if unknown := named - set(load_claims()):
        raise UserError(f"{LEDGER}: no such claim: {', '.join(sorted(unknown))}")
    return ledger
