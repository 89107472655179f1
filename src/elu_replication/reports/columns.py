"""The columns of every table on claims, each once: what machines read, what people read, and where."""

import math
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from elu_replication.claims.results import (
    AS_PLANNED,
    KIND_NAMES,
    Ambiguity,
    ClaimResult,
    ContrastResult,
    ReadingResult,
    Results,
)

Rows = list[dict[str, Any]]
EFFECT = "Effect [95% interval]"


class Column(NamedTuple):
    """`key` is its name in files for machines and, without a `value`, the field that it shows; `heading` is
    that for people, who read `text`, or else the value. `outputs` names the tables that have it: csv;
    markdown, latex and page of claims; details (of one claim, on the page and in claims.md; of the ledger),
    terminal and power (what undecided claims wait for) of contrasts. `width` is LaTeX's."""

    key: str
    heading: str
    outputs: str
    value: Callable[[Any], Any] | None = None
    text: Callable[[Any], str] | None = None
    width: str = "l"

    def get(self, row: Any) -> Any:
        return (self.value or attrgetter(self.key))(row)

    def show(self, row: Any) -> str:
        return self.text(row) if self.text else str(self.get(row))


def table(columns: Sequence[Column], rows: Iterable[Any], output: str) -> Rows:
    """The cells of each row in the columns that an output has; csv is for machines, the rest for people."""
    chosen = [column for column in columns if output in column.outputs.split()]
    if output == "csv":
        return [{column.key: column.get(row) for column in chosen} for row in rows]
    return [{column.heading: column.show(row) for column in chosen} for row in rows]


def number(value: float) -> str:
    """A number to four significant digits; "-" for none. What rounding leaves of a zero is a zero."""
    return "-" if math.isnan(value) else f"{value if abs(value) > 1e-15 else 0:.4g}"


def paragraph(width: float) -> str:
    """A LaTeX column that breaks its lines at a share of the text's width."""
    return rf"p{{{width:g}\textwidth}}"


def formula(contrast: ContrastResult) -> str:
    """The weighted sum of a contrast, e.g. "he_elu1 - he_relu", by the arms' full names."""
    parts = [
        f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} '}{name}"
        for name, weight in contrast.arms.items()
    ]
    return " ".join(parts).removeprefix("+ ")


def effect(contrast: ContrastResult) -> str:
    """E.g. "-0.0012 [-0.003, 0.001]"."""
    if contrast.n < 2:
        return f"{number(contrast.effect)} (one seed)" if contrast.n else "-"
    return f"{'median ' * (contrast.test == 'sign')}{number(contrast.effect)} {contrast.interval}"


def claimed(contrast: ContrastResult) -> str:
    """What the claim says of the weighted sum."""
    words = {"higher": "above", "lower": "below", "equal": "equal to"}
    return f"{words[contrast.expect]} {contrast.than:g}" if contrast.expect else f"{contrast.than:.5g}"


def single_runs(contrast: ContrastResult) -> str:
    return f"{contrast.single_run_share:.0%}" if contrast.n else "-"


# Of a contrast, or of the contrast that stands for a claim.
NUMBERS = (
    Column("arms", "Arms", "csv markdown page details power", formula),
    Column(
        "metric",
        "Metric",
        "csv markdown latex page details power",
        None,
        attrgetter("meaning"),
        paragraph(0.12),
    ),
    Column("", "Claimed", "markdown page details terminal", claimed),
    Column("n", "n", "csv markdown latex page details terminal power", width="r"),
    Column(
        "effect", EFFECT, "csv markdown latex page details terminal power", None, effect, paragraph(0.15)
    ),
    Column("low", "", "csv", attrgetter("interval.low")),
    Column("high", "", "csv", attrgetter("interval.high")),
    Column("margin", "Margin", "csv page details", text=lambda c: f"{c.margin:g}"),
)
STATISTICS = (
    Column("expect", "", "csv", lambda c: c.expect or KIND_NAMES["NUM"]),
    *(Column(name, "", "csv") for name in ("test", "than", "published", "sd")),
    *(Column(name, "", "csv") for name in ("p", "p_sign_flip", "p_equivalence", "p_verdict")),
    Column("probability_of_improvement", "", "csv"),
    Column(
        "minimum_detectable_effect",
        "Detectable",
        "csv power",
        text=lambda c: number(c.minimum_detectable_effect),
    ),
    Column("single_run_share", "Single runs that show it", "csv details", text=single_runs),
    Column("seeds_needed", "Seeds needed", "csv power", text=lambda c: str(c.seeds_needed or "-")),
    Column("verdict", "Verdict", "csv details terminal"),
)


class Line(NamedTuple):
    """A contrast with the claim and the reading that it belongs to."""

    claim: ClaimResult
    reading: ReadingResult
    contrast: ContrastResult


def lines(claims: Iterable[ClaimResult]) -> list[Line]:
    """All contrasts of some claims."""
    return [
        Line(claim, r, contrast) for claim in claims for r in claim.readings for contrast in r.contrasts
    ]


def of_line(column: Column) -> Column:
    """The same column for a line."""
    return column._replace(
        value=lambda line: column.get(line.contrast), text=lambda line: column.show(line.contrast)
    )


CONTRASTS = (
    Column("id", "Claim", "csv power", attrgetter("claim.id")),
    Column("reading", "Reading", "csv details terminal power", attrgetter("reading.label")),
    *map(of_line, (*NUMBERS, *STATISTICS)),
    Column("p_holm", "", "csv", attrgetter("reading.p_holm")),
    Column("adjusted", "Reading, adjusted", "csv details", attrgetter("reading.adjusted")),
    Column("reason", "Why", "csv details", attrgetter("contrast.reason")),
    Column("command", "", "csv", attrgetter("contrast.command")),
)


def of_claim(column: Column) -> Column:
    """The same column for a claim: of the contrast that stands for it; where mathematics decides, files
    have the metric and the effect of its finding."""

    def value(claim: ClaimResult) -> Any:
        if claim.decisive:
            return column.get(claim.decisive)
        if claim.finding and column.key in ("metric", "effect"):
            return claim.finding.title if column.key == "metric" else claim.finding.computed
        return 0 if column.key == "n" else None

    def text(claim: ClaimResult) -> str:
        other = " (other reading)" * (column.key == "effect" and claim.beside_primary)
        return column.show(claim.decisive) + other if claim.decisive else ""

    return column._replace(value=value, text=text)


def published(claim: ClaimResult) -> str:
    return claim.published or (claim.finding.claimed if claim.finding else "")


def command(claim: ClaimResult) -> str:
    """What trains a claim's runs, or explains a claim that runs do not decide."""
    return claim.command if claim.decisive else f"make claim ID={claim.id}"


def for_claims(results: Results) -> tuple[Column, ...]:
    """The columns of a table of claims."""

    def names(claim: ClaimResult) -> str:
        return ", ".join(results.sources[source].name for source in claim.sources)

    changed = any(claim.plan != AS_PLANNED for claim in results.claims)
    tables = "csv markdown latex"
    return (
        Column("id", "Claim", tables),
        Column("source", "Source", "csv page", names, results.places),
        Column(
            "kind", "Kind", "csv markdown latex page", lambda c: KIND_NAMES[c.kind], width=paragraph(0.1)
        ),
        Column("statement", "Statement", tables, width=paragraph(0.22)),
        *map(of_claim, NUMBERS),
        Column("published", "Published", "csv page", published),
        Column("verdict", "Verdict", tables, width=paragraph(0.12)),
        Column("evidence", "Evidence", "csv markdown page"),
        Column("plan", "Plan", "csv page" + " markdown" * changed),
        Column("pattern", "", "csv", lambda c: str(c.pattern or "")),
        Column("reason", "", "csv"),
        Column("command", "Command", "csv page", command),
    )


FINDINGS = (
    Column("title", "Computed", "details"),
    Column("claimed", "Claimed", "details"),
    Column("computed", "Value", "details", text=lambda finding: f"{finding.computed:.8g}"),
    Column("holds", "Holds", "details", text=lambda finding: "yes" if finding.holds else "no"),
)
CLAIMS = Column("claims", "Claims", "details", text=lambda entry: ", ".join(entry.claims))
CHANGES = (
    Column("seen", "Seen", "details"),
    Column("changed", "Changed", "details"),
    Column("because", "Because", "details"),
    Column("also", "Also changed", "details"),
    CLAIMS,
)


def for_ambiguities(results: Results) -> tuple[Column, ...]:
    """The columns of the ledger's ambiguities."""

    def dependent(ambiguity: Ambiguity) -> str:
        verdicts = {claim.id: claim.verdict for claim in results.claims}
        return ", ".join(i for i in ambiguity.claims if verdicts[i] == "protocol-dependent") or "none"

    return (
        Column("question", "Question", "details"),
        Column("sources_say", "The sources", "details"),
        Column("primary", "Primary reading", "details"),
        Column("because", "Because", "details"),
        Column("others", "The others", "details"),
        CLAIMS,
        Column("", "Of these, protocol-dependent by any reading", "details", dependent),
    )
