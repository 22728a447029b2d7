"""Damage to a file: by its bytes, or by the values in its JSON. The same number always gives the same damage."""

import json
from typing import Any

import numpy as np

# What no honest record holds where it stands.
HOSTILE = (
    None,
    -1,
    0,
    2**63,
    10**400,
    1e308,
    -0.5,
    True,
    "",
    "x" * 10_000,
    "../../../../etc/passwd",
    "\u202e\x1b[2J\n<script>",
    [],
    [[[]]],
    {},
    {"schema": 99},
    ["a"] * 5_000,
)


def damaged(whole: bytes, number: int, header: int) -> bytes:
    """`whole` with a few bytes changed, cut or repeated; half of the changes fall into its first `header` bytes."""
    random = np.random.default_rng([11, number])
    content = bytearray(whole)
    for _ in range(int(random.integers(1, 6))):
        reach = len(content) if random.random() < 0.5 else min(len(content), header)
        place = int(random.integers(0, reach))
        if random.random() < 0.5:
            content[place] ^= 1 << int(random.integers(0, 8))
        else:
            content[place] = int(random.integers(0, 256))
    if random.random() < 0.08:
        del content[int(random.integers(0, len(content))) :]
    if random.random() < 0.08 and content:
        place, length = int(random.integers(0, len(content))), int(random.integers(1, 400))
        content[place:place] = content[place : place + length] * int(random.integers(1, 20))
    return bytes(content)


def damaged_json(whole: bytes, number: int) -> bytes:
    """A JSON object in which one value is another, is gone, or is one too many; or its text is damaged."""
    random = np.random.default_rng([13, number])
    if random.random() < 0.4:
        return damaged(whole, number, len(whole))
    if random.random() < 0.03:
        return b'{"schema":' + b"[" * 100_000
    found = json.loads(whole)
    place, key = _somewhere(found, random)
    choice = random.random()
    if choice < 0.7:
        place[key] = HOSTILE[int(random.integers(0, len(HOSTILE)))]
    elif choice < 0.85:
        del place[key]
    elif isinstance(place, dict):
        place["a field that nobody knows"] = place[key]
    else:
        place.append(place[key])
    return json.dumps(found).encode()


def _somewhere(found: Any, random: np.random.Generator) -> tuple[Any, Any]:
    """A container in `found` and one of its keys: any depth."""
    while True:
        keys = list(found) if isinstance(found, dict) else list(range(len(found)))
        key = keys[int(random.integers(0, len(keys)))]
        inner = found[key]
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.2:
            return found, key
        found = inner
