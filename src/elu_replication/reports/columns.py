"""The columns of every table on claims, each once: what machines read, what people read, and where."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
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
    """A column: its name in files for machines, its heading for people, the outputs that have it, its
    value for machines and its text for people (the value's own where there is none), and its width on
    paper."""

    key: str
    heading: str
    outputs: str
    value: Callable[[Any], Any]
    text: Callable[[Any], str] | None = None
    width: str = "l"


def table(columns: Sequence[Column], rows: Iterable[Any], output: str) -> Rows:
    """The cells of each row by heading in the order of the columns that an output has; "csv" is for
    machines, every other output for people."""
    shown = [column for column in columns if output in column.outputs.split()]
    if output == "csv":
        return [{column.key: column.value(row) for column in shown} for row in rows]
    return [{c.heading: c.text(row) if c.text else str(c.value(row)) for c in shown} for row in rows]


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
    where = {"higher": "above", "lower": "below", "equal": "equal to"}[contrast.expect]
    return f"{where} {contrast.than:g}"


def meaning(contrast: ContrastResult) -> str:
    return contrast.meaning


def margin(contrast: ContrastResult) -> float:
    return contrast.margin


def size(contrast: ContrastResult) -> int:
    return contrast.n


def decisive(get: Callable[[ContrastResult], Any], missing: Any = "") -> Callable[[ClaimResult], Any]:
    """A value of the contrast that stands for a claim; `missing` where mathematics or texts decide."""
    return lambda claim: get(claim.decisive) if claim.decisive else missing


def metric(claim: ClaimResult) -> str:
    if claim.decisive:
        return claim.decisive.metric
    return claim.finding.what if claim.finding else ""


def computed(claim: ClaimResult) -> float:
    """The effect that stands for a claim, or what its finding computed."""
    if claim.decisive:
        return claim.decisive.effect
    return claim.finding.computed if claim.finding else math.nan


def published(claim: ClaimResult) -> str:
    return claim.published or (claim.finding.claimed if claim.finding else "")


def effect_of_claim(claim: ClaimResult) -> str:
    """The effect that stands for a claim, marked where it is not of the primary reading."""
    if claim.decisive is None:
        return ""
    return effect(claim.decisive) + " (other reading)" * claim.beside_primary


def command(claim: ClaimResult) -> str:
    """What trains a claim's runs, or explains a claim that runs do not decide."""
    return claim.command if claim.decisive else f"make claim ID={claim.id}"


def verdicts_of(claim: ClaimResult) -> str:
    """How many readings have each verdict."""
    counted = Counter(reading.verdict for reading in claim.readings)
    return ", ".join(f"{counted[verdict]} {verdict}" for verdict in VERDICTS if counted[verdict])


def for_claims(results: Results) -> tuple[Column, ...]:
    """The columns of a table of claims; files have a finding's numbers where mathematics decides."""

    def names(claim: ClaimResult) -> str:
        return ", ".join(results.sources[source].name for source in claim.sources)

    nan = math.nan
    return (
        Column("id", "Claim", "csv markdown latex headlines", lambda c: c.id),
        Column("source", "Source", "csv page", names, results.places),
        Column(
            "kind", "Kind", "csv markdown latex page", lambda c: KIND_NAMES[c.kind], width=paragraph(0.1)
        ),
        Column(
            "statement",
            "Statement",
            "csv markdown latex headlines",
            lambda c: c.statement,
            width=paragraph(0.22),
        ),
        Column("arms", "Arms", "csv markdown page", decisive(formula)),
        Column("metric", "Metric", "csv markdown latex page", metric, decisive(meaning), paragraph(0.12)),
        Column("", "Claimed", "markdown page", decisive(claimed)),
        Column("n", "n", "csv markdown latex page", decisive(size, 0), decisive(lambda c: str(c.n)), "r"),
        Column(
            "effect", EFFECT, "csv markdown latex page", computed, effect_of_claim, width=paragraph(0.15)
        ),
        Column("low", "", "csv", decisive(lambda c: c.interval.low, nan)),
        Column("high", "", "csv", decisive(lambda c: c.interval.high, nan)),
        Column("margin", "Margin", "csv page", decisive(margin, nan), decisive(lambda c: f"{c.margin:g}")),
        Column("published", "Published", "csv page", published),
        Column(
            "verdict", "Verdict", "csv markdown latex headlines", lambda c: c.verdict, width=paragraph(0.12)
        ),
        Column("", "Primary reading", "headlines", lambda c: c.readings[0].verdict),
        Column("", "All readings", "headlines", verdicts_of),
        Column("reason", "Why", "csv", lambda c: c.reason),
        Column("command", "Command", "csv page", command),
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


def of(get: Callable[[ContrastResult], Any]) -> Callable[[Line], Any]:
    return lambda line: get(line.contrast)


# Outputs: "details" is a claim's own table on the page and in claims.md, "terminal" that of `make claim`,
# "power" what undecided claims wait for.
CONTRASTS = (
    Column("id", "Claim", "csv power", lambda line: line.claim.id),
    Column("reading", "Reading", "csv details terminal power", lambda line: line.reading.label),
    Column("arms", "Arms", "csv details power", of(formula)),
    Column("metric", "Metric", "csv details power", of(lambda c: c.metric), of(meaning)),
    Column("", "Claimed", "details terminal", of(claimed)),
    Column("n", "n", "csv details terminal power", of(size)),
    Column("effect", EFFECT, "csv details terminal power", of(lambda c: c.effect), of(effect)),
    Column("low", "", "csv", of(lambda c: c.interval.low)),
    Column("high", "", "csv", of(lambda c: c.interval.high)),
    Column("margin", "Margin", "csv details", of(margin), of(lambda c: f"{c.margin:g}")),
    Column("expect", "", "csv", of(lambda c: c.expect or "published value")),
    Column("than", "", "csv", of(lambda c: c.than)),
    Column("published", "", "csv", of(lambda c: c.published)),
    Column("sd", "", "csv", of(lambda c: c.sd)),
    Column("bca_low", "", "csv", of(lambda c: c.bca.low)),
    Column("bca_high", "", "csv", of(lambda c: c.bca.high)),
    Column("p", "", "csv", of(lambda c: c.p)),
    Column("p_holm", "", "csv", of(lambda c: c.p_holm)),
    Column("p_sign_flip", "", "csv", of(lambda c: c.p_sign_flip)),
    Column("p_equivalence", "", "csv", of(lambda c: c.p_equivalence)),
    Column("probability_of_improvement", "", "csv", of(lambda c: c.probability_of_improvement)),
    Column(
        "minimum_detectable_effect",
        "Detectable",
        "csv power",
        of(lambda c: c.minimum_detectable_effect),
        of(lambda c: number(c.minimum_detectable_effect)),
    ),
    Column(
        "single_run_share",
        "Single runs that show it",
        "csv details",
        of(lambda c: c.single_run_share),
        of(lambda c: f"{c.single_run_share:.0%}" if c.n else "-"),
    ),
    Column(
        "seeds_needed",
        "Seeds needed",
        "csv power",
        of(lambda c: c.seeds_needed),
        of(lambda c: str(c.seeds_needed or "-")),
    ),
    Column("verdict", "Verdict", "csv details terminal", of(lambda c: c.verdict)),
    Column("reason", "Why", "csv details", of(lambda c: c.reason)),
    Column("command", "", "csv", of(lambda c: c.command)),
)

FINDINGS = (
    Column("", "Computed", "details", lambda finding: finding.what),
    Column("", "Claimed", "details", lambda finding: finding.claimed),
    Column("", "Value", "details", lambda finding: f"{finding.computed:.8g}"),
    Column("", "Holds", "details", lambda finding: "yes" if finding.holds else "no"),
)


def for_ambiguities(results: Results) -> tuple[Column, ...]:
    """The columns of the ledger's ambiguities."""

    def dependent(ambiguity: Ambiguity) -> str:
        verdicts = {claim.id: claim.verdict for claim in results.claims}
        return ", ".join(i for i in ambiguity.claims if verdicts[i] == "protocol-dependent") or "none"

    return (
        Column("", "Question", "details", lambda a: a.question),
        Column("", "The sources", "details", lambda a: a.sources_say),
        Column("", "Primary reading", "details", lambda a: a.primary),
        Column("", "Because", "details", lambda a: a.because),
        Column("", "The others", "details", lambda a: a.others),
        Column("", "Claims", "details", lambda a: ", ".join(a.claims)),
        Column("", "Of these, protocol-dependent by any reading", "details", dependent),
    )


CHANGES = (
    Column("", "Seen", "details", lambda change: change.seen),
    Column("", "Changed", "details", lambda change: change.changed),
    Column("", "Because", "details", lambda change: change.because),
    Column("", "Also changed", "details", lambda change: change.also),
    Column("", "Claims", "details", lambda change: ", ".join(change.claims)),
)
