"""Small plots for the page: an effect with its interval on a line, as SVG that stands in a row of text."""

import math
from collections.abc import Iterable

from markupsafe import Markup

from elu_replication.claims.results import ContrastResult

WIDTH, HEIGHT = 180, 20
LEGEND = (
    "Dot and thin bar: effect and 95% interval. Dashed bar: the interval of a new run, at 95% for all"
    " scores of a reading together, to be compared with a published value. Thick bar: the 90% interval,"
    " where equivalence decides. Vertical line: what the claim compares with. Line at the top: the side"
    " that is claimed. Grey: within one margin. Diamond: published."
)
Span = tuple[float, float]


def span(contrasts: Iterable[ContrastResult]) -> Span:
    """The least and the largest finite number that a plot of some contrasts shows, with a little room."""
    numbers = [
        number
        for contrast in contrasts
        for number in (
            *contrast.interval,
            contrast.effect,
            contrast.published_mark,
            contrast.than - contrast.margin,
            contrast.than + contrast.margin,
        )
        if math.isfinite(number)
    ]
    room = 0.04 * (max(numbers) - min(numbers)) or 1
    return min(numbers) - room, max(numbers) + room


def plot(contrast: ContrastResult, shown: Span | None = None) -> Markup:
    """A contrast over a span of values, its own by default. Numbers beyond the span stand at its edge; the
    plot is hidden from screen readers, which read the number beside it."""
    low, high = shown or span([contrast])

    def x(number: float) -> float:
        return round(max(0.0, min(1.0, (number - low) / (high - low))) * WIDTH, 1)

    left, right = x(contrast.than - contrast.margin), x(contrast.than + contrast.margin)
    middle = HEIGHT // 2
    parts = [
        f'<rect class="margin" x="{left}" y="2" width="{max(1, right - left):.1f}" height="{HEIGHT - 4}"/>',
        f'<path class="than" d="M{x(contrast.than)} 0V{HEIGHT}"/>',
    ]
    if contrast.directed:
        edge = WIDTH if contrast.expect == "higher" else 0
        parts.append(f'<path class="claimed" d="M{x(contrast.than)} 1H{edge}"/>')
    name = "interval prediction" if contrast.test == "prediction" else "interval"
    for style, interval in ((name, contrast.interval), ("equivalence", contrast.equivalence_interval)):
        if interval and not any(map(math.isnan, interval)):
            ends = f"M{x(interval.low)} {middle}H{x(interval.high)}"
            parts.append(f'<path class="{style}" d="{ends}"/>')
    if not math.isnan(contrast.published_mark):
        at = x(contrast.published_mark)
        diamond = f"M{at} {middle - 6}l4 6l-4 6l-4-6z"
        parts.append(f'<path class="published" d="{diamond}"/>')
    if not math.isnan(contrast.effect):
        parts.append(f'<circle class="effect" cx="{x(contrast.effect)}" cy="{middle}" r="4"/>')
    return Markup(
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )
