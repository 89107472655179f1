"""The verdicts as tables, JSON, a page and a figure; the DVC stage `claims`."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from elu_replication import atomic, claims
from elu_replication.claims import SOURCES, Choice
from elu_replication.errors import run_main
from elu_replication.experiments import RESULTS
from elu_replication.mathematics import Finding
from elu_replication.metrics import METRICS
from elu_replication.plots import save
from elu_replication.verdicts import VERDICTS, Compared, Outcome, counts, holm_by_test, outcomes

# Colour and marker of each verdict, told apart without colour too.
LOOKS = {
    "replicated": ("#009E73", "o"),
    "not replicated": ("#D55E00", "X"),
    "protocol-dependent": ("#CC79A7", "D"),
    "inconclusive": ("#7F7F7F", "s"),
    "not run": ("#BBBBBB", "."),
}
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
    """One line a test of each choice, with all of its statistics."""
    adjusted = holm_by_test(found)
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
                        "p_holm": adjusted.get(id(compared), math.nan),
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
    return pd.DataFrame(lines).astype({"seeds_needed": "Int64"})


def moved(choice: Choice, found: Sequence[Outcome]) -> list[str]:
    """The claims of a ledger entry whose verdict depends on the choice made."""
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
    counted = ", ".join(f"{n} {verdict}" for verdict, n in counts(found).items())
    text = [f"# The {len(found)} published claims\n", f"{counted}.\n"]
    text.append("The rules are at the end; what was chosen after a first look is in the ledger.\n")
    for source, title in SOURCES.items():
        mine = [each for each in found if each.claim.source.split(",")[0] == source]
        if not mine:
            continue
        text.append(f"## {source}: {title}\n")
        rows = [
            {
                "Claim": f"[{each.id}](#{each.id.lower()})",
                "Statement": each.claim.statement,
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
            "Verdicts that depend on it or on another choice": ", ".join(moved(choice, found)) or "none",
        }
        for choice in claims.ledger()
    ]
    text.append(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True) + "\n")
    text.append("## Details\n")
    text += [details(each) for each in found]
    text.append(RULES)
    return "\n".join(text)


def overview(found: Sequence[Outcome]) -> str:
    """How many claims of each source have each verdict, as a Markdown table."""
    sources = [each.claim.source.split(",")[0] for each in found]
    verdicts = pd.Categorical([each.verdict for each in found], VERDICTS)
    counted = pd.crosstab(pd.Series(sources, name="Source"), verdicts, dropna=False)
    counted = counted.reindex([s for s in SOURCES if s in sources]).assign(claims=lambda t: t.sum(axis=1))
    counted.loc["all"] = counted.sum()
    counted.index = counted.index.map(lambda source: SOURCES.get(source, "**All**"))
    return counted.rename_axis("Source").reset_index().to_markdown(index=False) + "\n"


RULES = """## The rules

- A published value (NUM) is replicated if it lies in the 95% prediction interval of a new run, and not
  if outside; inconclusive with fewer than 5 runs, or if the interval reaches more than three margins to a
  side.
- A direction (DIR) is replicated if the 95% interval of the mean difference, paired by seed, lies wholly on
  the claimed side; not if wholly on the other, or if the difference is equivalent to none within the margin
  (two one-sided t-tests at 5%); else inconclusive.
- A mathematical claim (DET) is computed. A claim about texts (TXT) is decided by the passages compared.
- A choice holds if all of its tests do. Choices decided differently make a claim protocol-dependent.
- p values are raw, with Holm's adjustment over the tests of one file of claims beside them.
"""


def effect(compared: Compared) -> str:
    """E.g. "-0.0012 [-0.003, 0.001]"."""
    low, high = compared.interval
    return f"{number(compared.effect)} [{number(low)}, {number(high)}]" if compared.n else "-"


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
        text.append(comparison_lines(each).to_markdown(index=False, disable_numparse=True) + "\n")
        commands = dict.fromkeys(t.command for choice in each.choices for t in choice.tests)
        text += [f"- `{command}`" for command in commands]
        text.append("")
    return "\n".join(text)


FINDING_COLUMNS = ["Computed", "Claimed", "Value", "Holds"]


def finding_cells(finding: Finding) -> list[str]:
    """A finding as a person reads it, in the order of FINDING_COLUMNS."""
    holds = "yes" if finding.holds else "no"
    return [finding.what, finding.claimed, f"{finding.computed:.10g}", holds]


def comparison_lines(each: Outcome) -> pd.DataFrame:
    """The tests of a claim as a person reads them."""
    rows = [
        {
            "Choice": choice.label,
            "Metric": METRICS[t.test.metric].meaning,
            "Arms": formula(t),
            "Claimed": claimed(t),
            "n": t.n,
            "Effect [95% interval]": effect(t),
            "Margin": f"{t.test.tolerance:g}",
            "Single runs that show it": f"{t.single_run_share:.0%}" if t.n else "-",
            "Verdict": t.verdict,
        }
        for choice in each.choices
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
    """Each quantitative claim that has runs: the effect and interval of the test that decides it, in
    margins from what it is compared with, and where the published scores put it."""
    shown = [each for each in found if each.decisive and each.decisive.n][::-1]
    made = Figure(figsize=(11, 0.32 * len(shown) + 2.2), layout="constrained")
    axes = made.subplots()
    for place, each in enumerate(shown):
        compared = each.decisive
        assert compared is not None
        colour, marker = LOOKS[each.verdict]

        def margins(value: float, compared: Compared = compared) -> float:
            apart = (value - compared.reference) / compared.test.tolerance
            return min(max(apart, -FARTHEST), FARTHEST)

        if compared.n > 1:
            axes.plot(
                [margins(end) for end in compared.interval], [place, place], color=colour, linewidth=2
            )
        axes.plot(margins(compared.effect), place, marker, color=colour, markersize=7)
        if not math.isnan(compared.published_effect):
            axes.plot(margins(compared.published_effect), place, "|", color="black", markersize=12)
    axes.axvspan(-1, 1, color="0.5", alpha=0.15, linewidth=0)
    axes.axvline(0, color="0.4", linewidth=0.8)
    labels = [f"{e.id}  {METRICS[e.decisive.test.metric].meaning}" for e in shown if e.decisive]
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.set_xscale("symlog", linthresh=1)
    ticks = [-30, -10, -3, -1, 0, 1, 3, 10, 30]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlim(-FARTHEST * 1.1, FARTHEST * 1.1)
    axes.set_xlabel("margins from what the claim compares with (log axis beyond 1; cut at 30)")
    axes.grid(alpha=0.25)
    handles = [Line2D([], [], color=LOOKS[v][0], marker=LOOKS[v][1], label=v) for v in VERDICTS[:-1]]
    handles.append(Line2D([], [], color="black", marker="|", linestyle="", label="by the published scores"))
    axes.legend(handles=handles, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    axes.set_title("Quantitative claims: effect and 95% interval", fontsize=11)
    return made


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
