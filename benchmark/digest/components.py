"""Hashes of definitions that reach one another. The standard library is enough to import this module."""

from __future__ import annotations

import hashlib
import json

from benchmark.digest.definitions import Definition


def hashed(component: list[Definition], known: dict[Definition, str]) -> dict[Definition, str]:
    """A hash for each definition of a component. After as many rounds as there are definitions, a change in one changes the hash of every
    other; no order and no name matters."""
    colours = dict.fromkeys(component, "")
    for _ in component if len(component) > 1 else (None, None):
        colours = {d: sha256(_rendered(d, known | colours)) for d in component}
    together = sorted(colours.values())
    return {d: sha256(json.dumps([colour, together])) for d, colour in colours.items()}


def _rendered(definition: Definition, hashes: dict[Definition, str]) -> str:
    return "".join(f"#{hashes[part]}" if isinstance(part, Definition) else part for part in definition.parts)


def components(start: Definition, done: dict[Definition, str]) -> list[list[Definition]]:
    """Definitions that reach one another, those that a component needs before it (Tarjan 1972)."""
    number: dict[Definition, int] = {start: 0}
    lowest = {start: 0}
    stack, path = [start], [(start, iter(start.needs))]
    found: list[list[Definition]] = []
    while path:
        definition, needs = path[-1]
        for other in needs:
            if other in done or (other in number and other not in lowest):
                continue
            if other in number:
                lowest[definition] = min(lowest[definition], number[other])
                continue
            number[other] = lowest[other] = len(number)
            stack.append(other)
            path.append((other, iter(other.needs)))
            break
        else:
            path.pop()
            if path:
                lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[definition])
            if lowest[definition] == number[definition]:
                cut = stack.index(definition)
                found.append(stack[cut:])
                for member in stack[cut:]:
                    del lowest[member]
                del stack[cut:]
    return found


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
