"""The comparison of two networks, for people."""

from cnnlab.predict.comparison import Comparison
from cnnlab.rendering.numbers import percent
from cnnlab.rendering.tables import aligned


def comparison_text(comparison: Comparison) -> str:
    """The table of right and wrong predictions of A and B, and what follows from it."""
    counts = (comparison.both, comparison.only_first, comparison.only_second, comparison.neither)
    both, only_first, only_second, neither = (f"{count:>9,}" for count in counts)
    table = f"           B right  B wrong\nA right  {both}{only_first}\nA wrong  {only_second}{neither}"
    low, high = comparison.interval
    facts = [
        ("same class", f"{percent(comparison.agreement)} of the images"),
        ("A minus B", f"{100 * comparison.difference:+.2f} percentage points of accuracy"),
        ("95 % interval", f"{100 * low:+.2f} to {100 * high:+.2f}, by bootstrap over images"),
        ("McNemar's test", f"p {'< 0.001' if comparison.p < 0.001 else f'= {comparison.p:.3f}'}, exact and two-sided"),
    ]
    return f"{table}\n\n{aligned(facts)}"
