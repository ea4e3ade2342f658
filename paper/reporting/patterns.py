"""When a change of ours agrees with a published one of another model, whose numbers ours cannot meet: sign and size both count."""

from paper.reporting.evidence import Estimate

FACTOR = 2.0
RULE = (
    "A pattern agrees where our interval lies on the published side of 0 (of 1 for a share below 1), and the published number lies in our "
    f"interval or within a factor {FACTOR:g} of ours. Open: our interval holds 0, or 1. Published numbers count as exact, for their spread over "
    "seeds is not known."
)


def verdict(theirs: float | None, ours: Estimate | None, beside: float = 0) -> str:
    """ "yes", "open", "not run", or "no" and how."""
    if theirs is None or ours is None:
        return "not run"
    if not ours.leaves_out(beside):
        return "open"
    if (ours.mean > beside) != (theirs > beside):
        return "no, the other sign" if beside == 0 else f"no, the other side of {beside:g}"
    ratio = ours.mean / theirs
    if not ours.leaves_out(theirs) or 1 / FACTOR <= ratio <= FACTOR:
        return "yes"
    return f"no, {ratio:.2g} times the size"
