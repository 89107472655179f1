"""The columns of every table on claims, each once: what machines read, what people read, and where."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from elu_replication.claims.results import (
    KIND_NAMES,
    VERDICTS,
    Ambiguity,
    ClaimResult,
    ContrastResult,
    ReadingResult,
    Results,
)

Rows = list[dict[str, Any]]
EFFECT = "Effect [95% interval]"


class Column(NamedTuple):
    """`key` is its name in files for machines, `heading` that for people. `outputs` names the tables that
    have it: csv; markdown, latex, page and headlines of claims; details (of one claim, on the page and in
    claims.md), terminal and power (what undecided claims wait for) of contrasts. People read `text`, or
    else the value. `width` is LaTeX's."""

    key: str
    heading: str
    outputs: str
    value: Callable[[Any], Any]
    text: Callable[[Any], str] | None = None
    width: str = "l"

    def show(self, row: Any) -> str:
        return self.text(row) if self.text else str(self.value(row))


def table(columns: Sequence[Column], rows: Iterable[Any], output: str) -> Rows:
    """The cells of each row in the columns that an output has; csv is for machines, the rest for people."""
    chosen = [column for column in columns if output in column.outputs.split()]
    if output == "csv":
        return [{column.key: column.value(row) for column in chosen} for row in rows]
    return [{column.heading: column.show(row) for column in chosen} for row in rows]


def number(value: float) -> str:
    """A number to four significant digits; "-" for none."""
    return "-" if math.isnan(value) else f"{value:.4g}"


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
    return f"{number(contrast.effect)} {contrast.interval}"


def claimed(contrast: ContrastResult) -> str:
    """What the claim says of the weighted sum."""
    if contrast.expect is None:
        return f"{contrast.than:.5g}"
    return (
        f"{ {'higher': 'above', 'lower': 'below', 'equal': 'equal to'}[contrast.expect] } {contrast.than:g}"
    )


def plain(names: str) -> list[Column]:
    """Columns that only files have, each with the field of its name."""
    return [Column(name, "", "csv", attrgetter(name)) for name in names.split()]


# Of a contrast, or of the contrast that stands for a claim.
NUMBERS = (
    Column("arms", "Arms", "csv markdown page details power", formula),
    Column(
        "metric",
        "Metric",
        "csv markdown latex page details power",
        attrgetter("metric"),
        attrgetter("meaning"),
        paragraph(0.12),
    ),
    Column("", "Claimed", "markdown page details terminal", claimed),
    Column("n", "n", "csv markdown latex page details terminal power", attrgetter("n"), width="r"),
    Column(
        "effect",
        EFFECT,
        "csv markdown latex page details terminal power",
        attrgetter("effect"),
        effect,
        paragraph(0.15),
    ),
    Column("low", "", "csv", attrgetter("interval.low")),
    Column("high", "", "csv", attrgetter("interval.high")),
    Column("margin", "Margin", "csv page details", attrgetter("margin"), lambda c: f"{c.margin:g}"),
)
STATISTICS = (
    Column("expect", "", "csv", lambda c: c.expect or KIND_NAMES["NUM"]),
    *plain("than published sd"),
    Column("bca_low", "", "csv", attrgetter("bca.low")),
    Column("bca_high", "", "csv", attrgetter("bca.high")),
    *plain("p p_holm p_sign_flip p_equivalence probability_of_improvement"),
    Column(
        "minimum_detectable_effect",
        "Detectable",
        "csv power",
        attrgetter("minimum_detectable_effect"),
        lambda c: number(c.minimum_detectable_effect),
    ),
    Column(
        "single_run_share",
        "Single runs that show it",
        "csv details",
        attrgetter("single_run_share"),
        lambda c: f"{c.single_run_share:.0%}" if c.n else "-",
    ),
    Column(
        "seeds_needed",
        "Seeds needed",
        "csv power",
        attrgetter("seeds_needed"),
        lambda c: str(c.seeds_needed or "-"),
    ),
    Column("verdict", "Verdict", "csv details terminal", attrgetter("verdict")),
    Column("reason", "Why", "csv details", attrgetter("reason")),
    *plain("command"),
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
        value=lambda line: column.value(line.contrast), text=lambda line: column.show(line.contrast)
    )


CONTRASTS = (
    Column("id", "Claim", "csv power", attrgetter("claim.id")),
    Column("reading", "Reading", "csv details terminal power", attrgetter("reading.label")),
    *map(of_line, (*NUMBERS, *STATISTICS)),
)


def of_claim(column: Column) -> Column:
    """The same column for a claim: of the contrast that stands for it; where mathematics decides, files
    have the metric and the effect of its finding."""

    def value(claim: ClaimResult) -> Any:
        if claim.decisive:
            return column.value(claim.decisive)
        if claim.finding and column.key in ("metric", "effect"):
            return claim.finding.what if column.key == "metric" else claim.finding.computed
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


def verdicts_of(claim: ClaimResult) -> str:
    """How many readings have each verdict."""
    counted = Counter(reading.verdict for reading in claim.readings)
    return ", ".join(f"{counted[verdict]} {verdict}" for verdict in VERDICTS if counted[verdict])


def for_claims(results: Results) -> tuple[Column, ...]:
    """The columns of a table of claims."""

    def names(claim: ClaimResult) -> str:
        return ", ".join(results.sources[source].name for source in claim.sources)

    tables = "csv markdown latex headlines"
    return (
        Column("id", "Claim", tables, attrgetter("id")),
        Column("source", "Source", "csv page", names, results.places),
        Column(
            "kind", "Kind", "csv markdown latex page", lambda c: KIND_NAMES[c.kind], width=paragraph(0.1)
        ),
        Column("statement", "Statement", tables, attrgetter("statement"), width=paragraph(0.22)),
        *map(of_claim, NUMBERS),
        Column("published", "Published", "csv page", published),
        Column("verdict", "Verdict", tables, attrgetter("verdict"), width=paragraph(0.12)),
        Column("", "Primary reading", "headlines", lambda c: c.readings[0].verdict),
        Column("", "All readings", "headlines", verdicts_of),
        Column("reason", "", "csv", attrgetter("reason")),
        Column("command", "Command", "csv page", command),
    )


def fields(headings: dict[str, str]) -> tuple[Column, ...]:
    """Columns that only people read: the field that stands beside each heading."""
    return tuple(Column("", heading, "details", attrgetter(name)) for heading, name in headings.items())


FINDINGS = (
    *fields({"Computed": "what", "Claimed": "claimed"}),
    Column("", "Value", "details", lambda finding: f"{finding.computed:.8g}"),
    Column("", "Holds", "details", lambda finding: "yes" if finding.holds else "no"),
)
CLAIMS = Column("", "Claims", "details", lambda entry: ", ".join(entry.claims))
CHANGES = (
    *fields({"Seen": "seen", "Changed": "changed", "Because": "because", "Also changed": "also"}),
    CLAIMS,
)


def for_ambiguities(results: Results) -> tuple[Column, ...]:
    """The columns of the ledger's ambiguities."""

    def dependent(ambiguity: Ambiguity) -> str:
        verdicts = {claim.id: claim.verdict for claim in results.claims}
        return ", ".join(i for i in ambiguity.claims if verdicts[i] == "protocol-dependent") or "none"

    return (
        *fields({"Question": "question", "The sources": "sources_say", "Primary reading": "primary"}),
        *fields({"Because": "because", "The others": "others"}),
        CLAIMS,
        Column("", "Of these, protocol-dependent by any reading", "details", dependent),
    )
