"""All kinds together, and what becomes of a file when a few of its bytes are others."""

import zlib
from pathlib import Path

import numpy as np

from odd_pictures import readable_photos, readable_plain, set_aside
from odd_pictures.made import Maker, Odd

KINDS: dict[str, Maker] = {**readable_plain.KINDS, **readable_photos.KINDS, **set_aside.KINDS}
VARIANTS = 2
# Mutants of larger files would be slow to make and no different.
_MOST_BYTES = 60_000
# Bytes that stand for limits and signs in most formats.
_EXTREMES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)


def corpus() -> dict[str, Odd]:
    """Every file by a name that tells its kind and variant: VARIANTS of each kind."""
    made = {(kind, variant): KINDS[kind](variant) for kind in KINDS for variant in range(VARIANTS)}
    return {f"{kind} {variant}.{odd.ending}": odd for (kind, variant), odd in made.items()}


def mutants(start: int, stop: int) -> dict[str, bytes]:
    """Damaged files numbered `start` to `stop`: each is one of the corpus with some bytes changed, cut or repeated."""
    whole = [odd.content for odd in corpus().values() if 0 < len(odd.content) <= _MOST_BYTES]
    return {f"{number:05}.jpg": _mutant(whole, number) for number in range(start, stop)}


def _mutant(whole: list[bytes], number: int) -> bytes:
    random = np.random.default_rng([7, number])
    content = bytearray(whole[number % len(whole)])
    for _ in range(int(random.integers(1, 9))):
        # Half of the changes fall into the header, where sizes and counts are.
        reach = len(content) if random.random() < 0.5 else min(len(content), 120)
        place = int(random.integers(0, reach))
        value = int(random.integers(0, 256)) if random.random() < 0.6 else int(random.choice(_EXTREMES))
        content[place] = value
    if random.random() < 0.1:
        del content[int(random.integers(0, len(content))) :]
    if random.random() < 0.1 and content:
        place, length = int(random.integers(0, len(content))), int(random.integers(1, 200))
        content[place:place] = content[place : place + length] * int(random.integers(1, 20))
    return _mended(content) if random.random() < 0.7 else bytes(content)


def _mended(content: bytearray) -> bytes:
    """A PNG with the checksums of its chunks made right, so that damage inside them gets further; others unchanged."""
    place = 8
    while content.startswith(b"\x89PNG") and place + 12 <= len(content):
        end = place + 8 + int.from_bytes(content[place : place + 4])
        if end + 4 > len(content):
            break
        content[end : end + 4] = zlib.crc32(content[place + 4 : end]).to_bytes(4)
        place = end + 4
    return bytes(content)


def write_classes(folder: Path, files: dict[str, bytes], sound: bytes) -> None:
    """Lay `files` out in two class folders, each with some `sound` pictures, so that neither is ever empty."""
    for number, (name, content) in enumerate(files.items()):
        place = folder / ("one", "two")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    for place in ("one", "two"):
        for number in range(6):
            (folder / place / f"sound {number}.png").write_bytes(sound)
