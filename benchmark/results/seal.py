"""Checksums of a folder of results: about.json holds the sha256 of the tables beside it and of its own content.

So whoever reads a truncated or edited file is told, and which command makes it again.
"""

import hashlib
import json
from pathlib import Path

from benchmark.digest.hashes import digest
from benchmark.errors import ThriveError
from benchmark.results.about import About

SCORES, CURVES, ABOUT = "scores.parquet", "curves.parquet", "about.json"
SEAL = "sha256"
"""Key of about.json under which the checksums are."""


def sealed(about: About, tables: dict[str, bytes]) -> bytes:
    """about.json, with the sha256 of the tables beside it and of its own content."""
    content = about.model_dump(mode="json")
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in tables.items()}
    seal = {**sums, ABOUT: digest(content, sums)}
    return (json.dumps({**content, SEAL: seal}, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_about(folder: Path) -> About:
    """What the results of a folder are of.

    Raises:
        ThriveError: there are none, or the file is not as it was written.
    """
    return _about_and_seal(folder)[0]


def read_table(folder: Path, name: str) -> bytes:
    """A table of a folder, as the bytes of its Parquet file."""
    _, seal = _about_and_seal(folder)
    path = folder / name
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != seal.get(name):
        raise _spoiled(path)
    return content


def _about_and_seal(folder: Path) -> tuple[About, dict[str, str]]:
    path = folder / ABOUT
    if not path.is_file():
        raise ThriveError(
            f"{folder}: no results there. Make them: thrive run --profile P, of all its task-settings, then thrive score --profile P."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seal = dict(content.pop(SEAL))
        if digest(content, {name: seal[name] for name in seal if name != ABOUT}) == seal[ABOUT]:
            return About.model_validate(content), seal
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        pass  # no JSON, or not such as was written
    raise _spoiled(path)


def _spoiled(path: Path) -> ThriveError:
    what = "truncated or edited since it was written" if path.is_file() else "no such file"
    return ThriveError(f"{path}: {what}. Make it again: {command(path.parent)}")


def command(folder: Path) -> str:
    """What makes the results of a folder."""
    *_, results, profile, name = ("", "", "", *folder.absolute().parts)
    if results == "trials":
        return "thrive run --only, as it was run"
    if results == "results" and name != "board":
        return f"thrive run --profile {profile} -t {name}"
    if results == "results":
        return f"thrive score --profile {profile}"
    if "data" in (profile, name):
        return f"python -m paper.data, or restore it: git checkout -- {folder}"
    return (
        "thrive score, or restore it: git checkout -- leaderboard"
        if name == "leaderboard"
        else f"thrive score --profile P --to {folder}"
    )
