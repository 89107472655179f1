"""The verdicts as tables, JSON, a page and a figure; the DVC stage `claims`."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from elu_replication import atomic, claims, inference
from elu_replication.claims import SOURCES, LedgerEntry
from elu_replication.errors import one_line, run_main
from elu_replication.experiments import RESULTS
from elu_replication.mathematics import Finding
from elu_replication.metrics import METRICS
from elu_replication.plots import save
from elu_replication.verdicts import RULES, VERDICTS, Chosen, Compared, Outcome, counts, outcomes

# Colour and marker of each verdict, told apart without colour too.
LOOKS = {
    "replicated": ("#009E73", "o"),
    "not replicated": ("#D55E00", "X"),
    "protocol-dependent": ("#CC79A7", "D"),
    "inconclusive": ("#7F7F7F", "s"),
    "not run": ("#BBBBBB", "."),
}
# What the answer is made of: the claims that people ask about first.
HEADLINES = ("C3", "C7", "C43", "C11", "C12", "C14", "C23", "C22", "C26", "C46")
FARTHEST = 30.0  # margins from the reference at which the figure cuts intervals


def number(value: float, digits: int = 4) -> str:
    """A number to so many significant digits; "-" for none."""
    return "-" if math.isnan(value) else f"{value:.{digits}g}"


def formula(compared: Compared) -> str:
    """The weighted sum of a test, e.g. "he_elu1 - he_relu", by the arms' full names."""
    parts = [
        f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} '}{name}"
        for name, weight in compared.test.arms.items()
    ]
    return " ".join(parts).removeprefix("+ ")


def numbers(compared: Compared) -> dict[str, Any]:
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


def table(found: Sequence[Outcome]) -> pd.DataFrame:
    """One line a claim, with the numbers of the test that decides it; a DET claim's are those of its
    first finding that is wrong, or else of its first."""
    lines = []
    for each in found:
        values: dict[str, Any] = dict.fromkeys(("arms", "metric"), "")
        values |= {"n": 0} | dict.fromkeys(("effect", "low", "high", "margin"), math.nan)
        command = f"make claim ID={each.id}"
        if each.decisive:
            values, command = numbers(each.decisive), each.decisive.command
        elif each.findings:
            shown = next((f for f in each.findings if not f.holds), each.findings[0])
            values |= {"metric": shown.what, "effect": shown.computed}
        claim = each.claim
        lines.append(
            {"id": each.id, "source": claim.source, "kind": claim.kind, "statement": claim.statement}
            | values
            | {
                "published": published(each),
                "verdict": each.verdict,
                "reason": each.reason,
                "command": command,
            }
        )
    return pd.DataFrame(lines)


def published(each: Outcome) -> str:
    """What the source gives for a claim: its numbers, or what its first finding claims."""
    if each.claim.published or not each.findings:
        return each.claim.published
    return next((f for f in each.findings if not f.holds), each.findings[0]).claimed


def comparison_table(found: Sequence[Outcome]) -> pd.DataFrame:
    """One line a test of each choice, with all of its statistics; Holm's adjustment is over the tests of
    a direction of the claims that one file holds."""
    lines = []
    for each in found:
        for choice in each.choices:
            for compared in choice.tests:
                difference = compared.difference
                lines.append(
                    {"id": each.id, "choice": choice.label}
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
                        "command": compared.command,
                    }
                )
    table = pd.DataFrame(lines).astype({"seeds_needed": "Int64"})
    directions = table[table.expect.isin(["higher", "lower"])]
    files = directions.id.map({each.id: each.group for each in found})
    table["p_holm"] = directions.groupby(files).p.transform(inference.holm)
    return table


def moved(choice: LedgerEntry, found: Sequence[Outcome]) -> list[str]:
    """The claims of a ledger entry whose verdict depends on the protocol."""
    named = {each.id: each for each in found}
    return [name for name in choice.claims if named[name].verdict == "protocol-dependent"]


def as_json(found: Sequence[Outcome], compared: pd.DataFrame) -> str:
    """Everything about every claim, for machines, with its lines of the comparison table; NaN is null."""

    def clean(frame: pd.DataFrame) -> list[dict[str, Any]]:
        return json.loads(frame.to_json(orient="records", double_precision=10))

    tests = clean(compared)
    entries = []
    for each, line in zip(found, clean(table(found)), strict=True):
        entries.append(
            {
                **line,
                "place": each.claim.place,
                "note": each.claim.note,
                "group": each.group,
                "findings": [finding._asdict() for finding in each.findings],
                "passages": [passage.model_dump() for passage in each.claim.passages],
                "agreement": each.claim.agreement,
                "choices": {c.label: c.verdict for c in each.choices},
                "tests": [test for test in tests if test["id"] == each.id],
            }
        )
    choices = [{**choice.model_dump(), "moved": moved(choice, found)} for choice in claims.ledger()]
    content = {"counts": counts(found), "claims": entries, "ledger": choices}
    return json.dumps(content, indent=1) + "\n"


def markdown(found: Sequence[Outcome]) -> str:
    """The page: counts, one line a claim by source, the ledger, then the details."""
    text = [f"# The {len(found)} published claims\n", overview(found)]
    text.append(
        "NUM: a published value; DIR: a direction; DET: mathematics; TXT: what is written (P: the paper)."
        " The rules are at the [end](#the-rules), what was chosen after a first look under"
        " [what the sources leave open](#what-the-sources-leave-open). Intervals are of the mean, for a NUM"
        " of a new run.\n"
    )
    for source, title in SOURCES.items():
        mine = [each for each in found if each.claim.source.split(",")[0] == source]
        if not mine:
            continue
        text.append(f"## {source}: {title}\n")
        rows = [
            {
                "Claim": f"[{each.id}](#{each.id.lower()})",
                "Statement": each.claim.statement,
                "Kind": each.claim.kind,
                "Metric": METRICS[each.decisive.test.metric].meaning if each.decisive else "",
                "Claimed": claimed(each.decisive) if each.decisive else "",
                "Effect [95% interval]": effect(each.decisive) if each.decisive else "",
                "n": each.decisive.n if each.decisive else "",
                "Verdict": f"**{each.verdict}**",
            }
            for each in mine
        ]
        text.append(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True) + "\n")
    text.append("## What the sources leave open\n")
    rows = [
        {
            "Question": choice.question,
            "The sources": choice.sources_say,
            "Main choice": choice.main,
            "Because": choice.because,
            "The others": choice.others,
            "Claims": ", ".join(choice.claims),
            "Of these, protocol-dependent": ", ".join(moved(choice, found)) or "none",
        }
        for choice in claims.ledger()
    ]
    text.append(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True) + "\n")
    text.append("## Details\n")
    text += [details(each) for each in found]
    text.append("## The rules\n")
    text += [f"- {one_line(rule)}" for rule in RULES]
    text.append(
        "\np values, raw and with Holm's adjustment over a file of claims, are in claim_tests.csv.\n"
    )
    return "\n".join(text)


def answer(found: Sequence[Outcome]) -> list[str]:
    """The verdicts in plain words: how many there are of each, then the claims asked about first."""
    counted = counts(each for each in found if each.claim.by_runs)
    held = f"{counted['replicated']} of the {counted.total()} published claims that runs decide hold up"
    failed = counted["not replicated"]
    rest = f"{failed} {'does' if failed == 1 else 'do'} not"
    if counted["protocol-dependent"]:
        rest += f", {counted['protocol-dependent']} depend on the protocol"
    open_claims = counted["inconclusive"] + counted["not run"]
    told = [f"{held}, {rest}, and {open_claims} are not decided by the runs so far."]
    others = counts(each for each in found if not each.claim.by_runs)
    told.append(
        f"Of the {others.total()} that mathematics or the texts themselves decide,"
        f" {others['replicated']} hold and {others['not replicated']} do not."
        " Of the claims that are asked about most:"
    )
    named = {each.id: each for each in found}
    for verdict in VERDICTS:
        mine = [named[name] for name in HEADLINES if named[name].verdict == verdict]
        if mine:
            said = " ".join(f"{each.claim.statement.rstrip('.')} ({each.id})." for each in mine)
            told.append(f"{verdict.capitalize()}: {said}")
    return told


def overview(found: Sequence[Outcome]) -> str:
    """The answer, and how many claims have each verdict by what decides them, as Markdown."""
    decided = pd.Series([each.claim.decided_by for each in found], name="Decided by")
    verdicts = pd.Categorical([each.verdict for each in found], VERDICTS)
    counted = pd.crosstab(decided, verdicts, dropna=False).reindex(["runs", "mathematics", "texts"])
    counted = counted.assign(claims=counted.sum(axis=1))
    counted.loc["**all**"] = counted.sum()
    table = counted.rename_axis("Decided by").reset_index().to_markdown(index=False)
    return "\n\n".join([*answer(found), table]) + "\n"


def effect(compared: Compared) -> str:
    """E.g. "-0.0012 [-0.003, 0.001]"."""
    if compared.n < 2:
        return f"{number(compared.effect)} (one seed)" if compared.n else "-"
    low, high = compared.interval
    return f"{number(compared.effect)} [{number(low)}, {number(high)}]"


def details(each: Outcome) -> str:
    """One claim: statement, place, numbers, verdict and why."""
    claim = each.claim
    text = [f"### {each.id}\n", f"**{each.verdict}.** {each.reason}.\n"]
    text.append(f"{claim.statement} ({claim.kind}; {claim.source}: {claim.place})\n")
    if claim.published:
        text.append(f"Published: {claim.published}.\n")
    if claim.note:
        text.append(f"{claim.note}\n")
    if claim.passages:
        text += [f"- {p.source}, {p.place}: {p.says}" for p in claim.passages] + [""]
    if each.findings:
        rows = [dict(zip(FINDING_COLUMNS, finding_cells(f), strict=True)) for f in each.findings]
        text.append(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True) + "\n")
    if each.choices:
        text.append(comparison_lines(each.choices).to_markdown(index=False, disable_numparse=True) + "\n")
        commands = dict.fromkeys(t.command for choice in each.choices for t in choice.tests)
        text += [f"- `{command}`" for command in commands]
        text.append("")
    return "\n".join(text)


FINDING_COLUMNS = ["Computed", "Claimed", "Value", "Holds"]


def finding_cells(finding: Finding) -> list[str]:
    """A finding as a person reads it, in the order of FINDING_COLUMNS."""
    holds = "yes" if finding.holds else "no"
    return [finding.what, finding.claimed, f"{finding.computed:.10g}", holds]


def comparison_lines(choices: Sequence[Chosen]) -> pd.DataFrame:
    """The tests of a claim's choices as a person reads them."""
    rows = [
        {
            "Choice": choice.label,
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
        for choice in choices
        for t in choice.tests
    ]
    return pd.DataFrame(rows)


def claimed(compared: Compared) -> str:
    """What the claim says of the weighted sum."""
    if compared.test.published is not None:
        return f"{compared.test.published:.5g}"
    than = f"{compared.test.than:g}"
    return {"higher": f"above {than}", "lower": f"below {than}", "equal": f"equal to {than}"}[
        str(compared.test.expect)
    ]


def forest(found: Sequence[Outcome]) -> Figure:
    """Each claim that runs decide and have: the effect and interval of the test that stands for it, in
    margins from what it is compared with (a direction's towards what is claimed), and where the
    published scores put it."""
    shown = [each for each in found if each.decisive and each.decisive.n][::-1]
    figure = Figure(figsize=(11, 0.32 * len(shown) + 2.2), layout="constrained")
    axes = figure.subplots()
    labels = []
    for place, each in enumerate(shown):
        compared = each.decisive
        assert compared is not None
        labels.append(f"{each.id}  {METRICS[compared.test.metric].meaning}")
        colour, marker = LOOKS[each.verdict]
        unit = compared.test.tolerance * (-1 if compared.test.expect == "lower" else 1)
        at = np.array([*compared.interval, compared.effect, compared.published_effect])
        low, high, effect, published = np.clip((at - compared.reference) / unit, -FARTHEST, FARTHEST)
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        face = colour if compared.n > 1 else "white"
        looks: dict[str, Any] = {"markerfacecolor": face, "markersize": 7, "clip_on": False}
        axes.plot(effect, place, marker, color=colour, **looks)
        axes.plot(published, place, "|", color="black", markersize=12, clip_on=False)
    axes.axvspan(-1, 1, color="0.5", alpha=0.15, linewidth=0)
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.set_xscale("symlog", linthresh=1)
    ticks = [-30, -10, -3, -1, 0, 1, 3, 10, 30]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlim(-FARTHEST * 1.1, FARTHEST * 1.1)
    axes.set_xlabel(
        "margins from what the claim compares with; where it claims a direction, that is to the right\n"
        "(log axis beyond 1; cut at 30)"
    )
    axes.grid(alpha=0.25)
    handles = [Line2D([], [], color=LOOKS[v][0], marker=LOOKS[v][1], label=v) for v in VERDICTS[:-1]]
    handles.append(Line2D([], [], color="0.4", marker="s", markerfacecolor="white", label="one seed"))
    handles.append(Line2D([], [], color="black", marker="|", linestyle="", label="by the published scores"))
    axes.legend(handles=handles, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    axes.set_title("Claims that runs decide: effect and 95% interval", fontsize=11)
    return figure


def write(found: Sequence[Outcome], folder: Path) -> None:
    """Write claims.csv, claim_tests.csv, claims.md, claims_overview.md, claims.json and the forest plot."""
    compared = comparison_table(found)
    atomic.write_text(folder / "claims.csv", table(found).to_csv(index=False, float_format="%.8g"))
    atomic.write_text(folder / "claim_tests.csv", compared.to_csv(index=False, float_format="%.8g"))
    atomic.write_text(folder / "claims.md", markdown(found))
    atomic.write_text(folder / "claims_overview.md", overview(found))
    atomic.write_text(folder / "claims.json", as_json(found, compared))
    save(forest(found), folder / "claims")


def main() -> None:
    write(outcomes(), RESULTS)


if __name__ == "__main__":
    run_main(main)
