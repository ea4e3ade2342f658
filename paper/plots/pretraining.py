"""Curves of pretraining: the paper's numbers, and a small network of ours that is trained from random weights (profile `from-scratch`)."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from paper.data import FOLDERS
from paper.plots import style
from paper.plots.source import Missing, Source
from paper.published import PUBLISHED

OURS = "ours: "
PUBLISHED_LOOK = {"marker": "o", "linestyle": ":", "markevery": 1}


def curves(source: Source, entries: Collection[str]) -> pd.DataFrame:
    """Test losses by instance, entry and t, in nats per token.

    Raises:
        Missing: the paper has no numbers of these entries.
    """
    known = pd.read_csv(PUBLISHED).query("task == 'pretraining' and entry in @entries")
    if known.empty:
        raise Missing(f"paper/{PUBLISHED.name}: no published numbers of pretraining, {', '.join(entries)}")
    published = known.rename(columns={"value": "mean"}).assign(low=np.nan, high=np.nan)
    return pd.concat([published, *_ours(source)])


def _ours(source: Source) -> Iterator[pd.DataFrame]:
    """Nothing, and a word of it, where it was not run."""
    try:
        own = Source(FOLDERS["from-scratch"], source.entries).of("language_model", "test_loss", *style.WORKFLOWS)
        yield own.assign(instance=OURS + own["instance"])
    except Missing as missing:
        source.missing.append(str(missing))


def looks(instances: Iterable[str]) -> dict[str, Any]:
    """Published curves are dotted."""
    palette = style.palette_of(instances, {})
    return {name: look if name.startswith(OURS) else PUBLISHED_LOOK | look for name, look in palette.items()}
