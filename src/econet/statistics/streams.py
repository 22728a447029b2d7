"""Named random streams: one seed makes all, and no stream's draws depend on another's."""

import hashlib


def stream_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream `names` of `seed`: the first bytes of SHA-256 of "seed/name/..."."""
    words = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1
