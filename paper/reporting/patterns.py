"""When a change of ours agrees with a published change of another model, whose numbers we cannot reproduce: sign and size both count."""

from paper.reporting.evidence import Estimate

FACTOR = 2.0
RULE = (
    "A pattern agrees if our interval is on the published side of 0 (of 1 for a share below 1), and the published number is in our "
    f"interval or within a factor of {FACTOR:g} of ours. It is open if our interval contains 0 (or 1). Published numbers count as exact, because "
    "their spread over seeds is not known."
)


def verdict(theirs: float | None, ours: Estimate | None, neutral: float = 0) -> str:
    """ "yes", "open", "not run", or "no" with the difference."""
    if theirs is None or ours is None:
        return "not run"
    if not ours.leaves_out(neutral):
        return "open"
    if (ours.mean > neutral) != (theirs > neutral):
        return "no, the other sign" if neutral == 0 else f"no, the other side of {neutral:g}"
    ratio = ours.mean / theirs
    if not ours.leaves_out(theirs) or 1 / FACTOR <= ratio <= FACTOR:
        return "yes"
    return f"no, {ratio:.2g} times the size"
