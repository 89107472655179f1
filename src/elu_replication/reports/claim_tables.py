"""Claims and their tests as tables: for machines, and as a person reads them."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from elu_replication.claims import statistics
from elu_replication.claims.checks import Finding
from elu_replication.claims.contrasts import ContrastResult, command
from elu_replication.claims.metrics import METRICS
from elu_replication.claims.verdicts import ClaimResult, ReadingResult


def number(value: float) -> str:
    """A number to four significant digits; "-" for none."""
    return "-" if math.isnan(value) else f"{value:.4g}"


def formula(compared: ContrastResult) -> str:
    """The weighted sum of a test, e.g. "he_elu1 - he_relu", by the arms' full names."""
    parts = [
        f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} '}{name}"
        for name, weight in compared.test.arms.items()
    ]
    return " ".join(parts).removeprefix("+ ")


def numbers(compared: ContrastResult) -> dict[str, Any]:
    """The numbers of a test, by column."""
    return {
        "arms": formula(compared),
        "metric": compared.test.metric,
        "n": compared.n,
        "effect": compared.effect,
        "low": compared.interval.low,
        "high": compared.interval.high,
        "margin": compared.test.tolerance,
    }


def table(found: Sequence[ClaimResult]) -> pd.DataFrame:
    """One line a claim, with the numbers of the test that decides it; a DET claim's are those of its
    first finding that is wrong, or else of its first."""
    lines = []
    for each in found:
        values: dict[str, Any] = dict.fromkeys(("arms", "metric"), "")
        values |= {"n": 0} | dict.fromkeys(("effect", "low", "high", "margin"), math.nan)
        shown = f"make claim ID={each.id}"
        if each.decisive:
            values, shown = numbers(each.decisive), each.command
        elif each.finding:
            values |= {"metric": each.finding.what, "effect": each.finding.computed}
        claim = each.claim
        lines.append(
            {"id": each.id, "source": claim.source, "kind": claim.kind, "statement": claim.statement}
            | values
            | {
                "published": claim.published or (each.finding.claimed if each.finding else ""),
                "verdict": each.verdict,
                "reason": each.reason,
                "command": shown,
            }
        )
    return pd.DataFrame(lines)


def comparison_table(found: Sequence[ClaimResult]) -> pd.DataFrame:
    """One line a test of each reading, with all of its statistics; Holm's adjustment is over the tests of
    a direction, each once, of the claims that one file holds."""
    lines = []
    for each in found:
        for reading in each.readings:
            for compared in reading.tests:
                difference = compared.difference
                lines.append(
                    {"id": each.id, "reading": reading.label}
                    | numbers(compared)
                    | {
                        "expect": compared.test.expect or "published value",
                        "than": compared.reference,
                        "published": compared.published_effect,
                        "sd": difference.sd,
                        "bca_low": difference.bca.low + compared.reference,
                        "bca_high": difference.bca.high + compared.reference,
                        "p": difference.p,
                        "p_holm": math.nan,
                        "p_sign_flip": difference.sign_flip_p,
                        "p_equivalence": compared.equivalence_p,
                        "probability_of_improvement": compared.improvement,
                        "minimum_detectable_effect": compared.detectable,
                        "single_run_share": compared.single_run_share,
                        "seeds_needed": compared.seeds_needed,
                        "verdict": compared.verdict,
                        "reason": compared.judged[1],
                        "command": command([compared]),
                    }
                )
    table = pd.DataFrame(lines).astype({"seeds_needed": "Int64"})
    table.loc[table.expect == "published value", ["p", "p_sign_flip"]] = math.nan  # tests of the mean alone
    file_of = {each.id: each.group for each in found}
    directions = table[table.expect.isin(["higher", "lower"])].assign(file=table.id.map(file_of))
    test = ["file", "arms", "metric", "than"]
    adjusted = directions.groupby(test).p.first().groupby("file").transform(statistics.holm)
    table["p_holm"] = directions[test].join(adjusted, on=test).p
    return table


def effect(compared: ContrastResult) -> str:
    """E.g. "-0.0012 [-0.003, 0.001]"."""
    if compared.n < 2:
        return f"{number(compared.effect)} (one seed)" if compared.n else "-"
    return f"{number(compared.effect)} {compared.interval}"


def effect_of(each: ClaimResult) -> str:
    """The effect of the test that stands for a claim, marked where it is not of the primary reading."""
    if each.decisive is None:
        return ""
    return effect(each.decisive) + " (other reading)" * each.beside_main


def claimed(compared: ContrastResult) -> str:
    """What the claim says of the weighted sum."""
    if compared.test.published is not None:
        return f"{compared.test.published:.5g}"
    where = {"higher": "above", "lower": "below", "equal": "equal to"}[str(compared.test.expect)]
    return f"{where} {compared.test.than:g}"


def finding_lines(findings: Sequence[Finding]) -> pd.DataFrame:
    """What mathematics finds, as a person reads it."""
    rows = [
        {
            "Computed": finding.what,
            "Claimed": finding.claimed,
            "Value": f"{finding.computed:.8g}",
            "Holds": "yes" if finding.holds else "no",
        }
        for finding in findings
    ]
    return pd.DataFrame(rows)


def comparison_lines(readings: Sequence[ReadingResult]) -> pd.DataFrame:
    """The tests of a claim's readings as a person reads them."""
    rows = [
        {
            "Reading": reading.label,
            "Metric": METRICS[t.test.metric].meaning,
            "Arms": formula(t),
            "Claimed": claimed(t),
            "n": str(t.n),
            "Effect [95% interval]": effect(t),
            "Margin": f"{t.test.tolerance:g}",
            "Single runs that show it": f"{t.single_run_share:.0%}" if t.n else "-",
            "Verdict": t.verdict,
            "Why": t.judged[1],
        }
        for reading in readings
        for t in reading.tests
    ]
    return pd.DataFrame(rows)
