"""The answer in prose: what to choose in practice, which claims hold, and what the verdicts rest on."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from elu_replication.claims.results import UNDECIDED, ClaimResult, Results, Verdict, counts
from elu_replication.config.experiments import RESULTS
from elu_replication.reports import findings
from elu_replication.reports.findings import (
    CNN,
    INITIALIZERS,
    MLP,
    by_alpha,
    by_optimizer,
    differences,
    gain,
    minus_relu,
    on_fashion,
)
from elu_replication.reports.phrases import clear_side, find, joint, kind, listed
from elu_replication.runs.evidence import EXPLORATION, FRESH

EXPLORED = RESULTS / "exploration.csv"
MOST_LEFT = 2  # readings that are left open are named, if they are no more
HEDGES = "How much is *much*, and how little *slightly*, is not tested."


def equivalent(results: Results) -> list[str]:
    """The initializers with which both scores of ELU with alpha 0.1 lie within the margins of ReLU's."""
    scores = (minus_relu(results, metric, elu="elu01") for metric in ("test_loss", "test_accuracy"))
    return [
        init.capitalize()
        for init, *pairs in zip(INITIALIZERS, *scores, strict=True)
        if all(contrast.p_equivalence < 0.05 for _, contrast in pairs)
    ]


def practice(results: Results) -> list[str]:
    """When one would choose ELU on this evidence, a paragraph for each network, and the limits."""
    of_loss = minus_relu(results, "test_loss")
    losses, accuracies = (
        {*map(clear_side, pairs)} for pairs in (of_loss, minus_relu(results, "test_accuracy"))
    )
    relu = find(results, "C1", "test_loss", f"{CNN}glorot_relu").contrast
    size = f"({differences(of_loss)}; ReLU's is {relu.effect:.4f} with Glorot)"
    if losses == {"higher"} and "higher" not in accuracies:
        choice = (
            f"take ReLU: ELU with alpha 1 has the higher test loss {size}, and no gain in accuracy is shown"
        )
    elif losses == {"lower"} and "lower" not in accuracies:
        choice = f"take ELU: it has the lower test loss {size}, and no loss of accuracy is shown"
    else:
        choice = "the runs do not decide between ELU and ReLU"
    of_cnn = [f"For a small CNN such as the article's, {choice}."]
    if joint(by_alpha(results)) == "holds":
        close = equivalent(results)
        but = f"; with {' and with '.join(close)}, both its scores are close to ReLU's (within margins)"
        of_cnn.append(
            f"If ELU is used there, alpha 0.1 gives a lower test loss than alpha 1{but if close else ''}."
        )
    if results.by_id["C14"].verdict == "not replicated":
        reached = [
            f"{contrast.effect:.4f} with alpha {alpha}"
            for alpha, elu in (("1", "elu1"), ("0.1", "elu01"))
            for reading, contrast in [find(results, "C14", "test_accuracy", f"{CNN}glorot_{elu}")]
            if reading.verdict == "not replicated"
        ]
        of_cnn.append(
            "He initialization is not needed for ELU there: with Glorot it reaches an accuracy of"
            f" {listed(reached)}."
        )
    sgd, adam = (by_optimizer(results, "C43", name) for name in ("sgd", "adam"))
    if sgd and (by_sgd := gain(sgd)):
        choice = "choose ELU" if sgd[0].contrast.verdict == "replicated" else "ELU looks better"
        of_mlp = [f"For a deep MLP trained by plain SGD, {choice}: it is more accurate {by_sgd}."]
    else:
        of_mlp = ["For a deep MLP trained by plain SGD, no gain in accuracy from ELU is shown."]
    if not any(contrast.verdict == "replicated" for _, contrast in adam):
        of_mlp.append("With Adam, no gain in accuracy from ELU is shown there.")
    on_mlp = (c for claim in results.claims for c in claim.contrasts if any(MLP in arm for arm in c.arms))
    if not any(contrast.metric == "test_loss" for contrast in on_mlp):
        of_mlp.append("No claim is about this network's test loss.")
    if kind(contrast for _, contrast in [*sgd, *adam]) != FRESH:
        of_mlp.append("This rests on exploration so far.")
    if other_images := on_fashion(results):
        of_cnn.append(f"{other_images}.")
    data = "MNIST and, for the CNN, of Fashion-MNIST" if other_images else "MNIST alone"
    images = "the 10,000 test images of each" if other_images else "these 10,000 test images"
    limits = (
        f"This evidence is of {data}, of these networks at these sizes, and of {images}; it says nothing"
        " about larger networks or other data."
    )
    return [" ".join(of_cnn), " ".join(of_mlp), limits]


def explored() -> dict[str, str]:
    """The verdicts of exploration by claim, by the version of the rules that the plan has."""
    rows = findings.table(EXPLORED, f"`git checkout {EXPLORED}` brings it back", "claim", "version_2")
    return {row["claim"]: row["version_2"] for row in rows}


def stood(results: Results, before: Mapping[str, str]) -> str:
    """How many verdicts of exploration (`before`, by claim) are still those of claims that fresh seeds have
    judged since, which are not, and which of the claims that exploration left undecided are decided now."""
    ran = [claim for claim in results.claims if claim.decided_by == "runs" and claim.id in before]
    by_runs = [claim for claim in ran if before[claim.id] not in UNDECIDED]
    judged = [claim for claim in by_runs if claim.evidence.startswith(FRESH)]
    if not judged:
        return (
            f"None of the {len(by_runs)} exploratory verdicts on claims that runs decide has been tested on"
            " fresh seeds yet."
        )
    others = [claim for claim in judged if claim.verdict != before[claim.id]]
    text = f"{len(judged) - len(others)} of {len(judged)} exploratory verdicts stood on fresh seeds"
    if others:
        text += f"; {listed([claim.id for claim in others])} did not"
    if waiting := len(by_runs) - len(judged):
        text += f"; {waiting} wait for theirs"
    left = [claim for claim in ran if claim not in by_runs and claim.evidence.startswith(FRESH)]
    if left:
        now = [claim.id for claim in left if claim.verdict not in UNDECIDED]
        text += f". Fresh seeds decide {len(now) or 'none'} of {len(left)} that exploration left undecided"
        text += f": {listed(now)}" if now else ""
    return f"{text}."


def evidence(results: Results) -> str:
    """What today's verdicts rest on: exploration, or fresh seeds planned before they were trained."""
    ran = [claim for claim in results.claims if claim.decided_by == "runs"]
    timed = [claim for claim in ran if not claim.evidence]
    fresh = [claim for claim in ran if claim.evidence.startswith(FRESH)]
    explored = [
        claim
        for claim in ran
        if claim not in fresh + timed and any(c.n and kind([c]) == EXPLORATION for c in claim.contrasts)
    ]
    waiting = len(ran) - len(fresh + timed + explored)  # without runs, or with fresh ones of one part alone
    if fresh and not explored and not waiting:
        return (
            "All verdicts on runs come from fresh seeds, trained after the claims and rules were written."
        )
    seen = f"The rules (version {results.rules_version}) were made after exploration's runs had been seen."
    if not fresh:
        return (
            f"Today's verdicts on runs come from exploration. {seen} Fresh seeds are planned. Once an"
            " experiment has all of its own, they alone decide."
        )
    own = len(ran) - sum(claim in ran for claim in results.published)
    in_part = sum(claim.evidence != FRESH for claim in fresh)
    text = f"Of the {len(ran)} claims that runs decide ({own} of them this project's own), {len(fresh)} are"
    text += " judged by fresh seeds" + f" ({in_part} of them in the primary reading alone)" * bool(in_part)
    text += f", {len(explored)} by exploration, at least in part" * bool(explored)
    rest = {"measurements of time": len(timed), "runs": waiting}
    left = [f"{count} wait for {what}" for what, count in rest.items() if count]
    text += f"; {listed(left)}." if left else "."
    return f"{text} {seen}" if explored else text


def answer(claims: Sequence[ClaimResult]) -> list[str]:
    """How many claims have each verdict, in two sentences."""
    by_runs = counts(claim for claim in claims if claim.decided_by == "runs")
    others = counts(claim for claim in claims if claim.decided_by != "runs")

    def sentence(verdicts: Counter[Verdict]) -> str:
        decided: tuple[Verdict, ...] = ("replicated", "not replicated", "protocol-dependent")
        return ", ".join(f"{verdict} for {verdicts[verdict]}" for verdict in decided)

    return [
        f"Of the {by_runs.total()} published claims that runs decide, the verdict is {sentence(by_runs)},"
        f" and inconclusive or not run for {by_runs['inconclusive'] + by_runs['not run']}.",
        f"Of the {others.total()} that mathematics or a comparison of texts decides, it is"
        f" {sentence(others)}, and not testable on this copy of the sources for {others['not testable']}.",
    ]


def holding(claims: Iterable[ClaimResult]) -> dict[str, list[ClaimResult]]:
    """The claims that runs support, by what these are: fresh seeds, exploration or measurements."""
    held: dict[str, list[ClaimResult]] = {}
    for claim in claims:
        if claim.decided_by == "runs" and claim.verdict == "replicated":
            kind, beyond, _ = claim.evidence.partition("; other readings")
            kind = f"{kind} in the primary reading" if beyond else kind.partition(";")[0]
            held.setdefault(kind or "measurements", []).append(claim)
    return held


def support(claim: ClaimResult) -> str:
    """How far a claim holds: its primary reading and its pattern, and the readings beside the primary one
    that are left open, if these are few."""
    if not claim.pattern:
        return ""
    text = f" Primary reading: {claim.readings[0].label}. The claim {claim.pattern}."
    if claim.pattern.fails > claim.pattern.holds and not claim.pattern.fails_adjusted:
        text += " Since no failure survives the adjustment, the primary reading decides."
    left = [reading.label for reading in claim.readings[1:] if reading.adjusted in UNDECIDED]
    return f"{text} Left open: {'; '.join(left)}." if 0 < len(left) <= MOST_LEFT else text


def overview(results: Results) -> str:
    """The answer, the findings, and how many claims hold and which, as Markdown."""
    titles = [
        f"- {finding.title} ({finding.rests_on})."
        for finding in findings.findings(results, findings.fits())
    ]
    held = [
        f"- {claim.id} ({kind}): {claim.statement}{support(claim)}"
        for kind, claims in holding(results.published).items()
        for claim in claims
    ]
    first, second = answer(results.published)
    judged = f"{evidence(results)} {stood(results, explored())}"
    *advice, limits = practice(results)
    answers = "\n".join(f"- {paragraph}" for paragraph in advice)
    parts = [answers, limits, "What was found:", "\n".join(titles), first, second, judged]
    if held:
        parts += [f"Runs replicate these claims. {HEDGES}", "\n".join(held)]
    return "\n\n".join(parts) + "\n"
