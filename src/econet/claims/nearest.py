"""Exact search by Euclidean distance in one pass: what is searched may come in parts and need not fit in memory."""

import torch
from torch import Tensor


class Nearest:
    """Keeps, of all vectors it is shown, the `count` nearest to each of `queries` [Q, D], the nearest first.

    `positions` int64 [Q, n] count the vectors in the order shown, `distances` float64 [Q, n] are theirs; n is `count`,
    or less while fewer were shown. Of equally near ones the earlier stands first.
    """

    def __init__(self, queries: Tensor, count: int) -> None:
        self._queries = queries.double()
        self._count = count
        self._seen = 0
        self.distances = torch.empty(len(queries), 0, dtype=torch.double)
        self.positions = torch.empty(len(queries), 0, dtype=torch.long)

    def see(self, part: Tensor) -> None:
        """Compare with the vectors `part` [N, D], which come next."""
        # By differences, in double precision: of pixels without any rounding, where the quicker product form of the
        # distance loses what near neighbours differ by.
        distances = torch.cdist(self._queries, part.double(), compute_mode="donot_use_mm_for_euclid_dist")
        positions = torch.arange(self._seen, self._seen + len(part)).expand(len(self._queries), -1)
        self._seen += len(part)
        both = torch.cat([self.distances, distances], 1)
        self.distances, order = (found[:, : self._count] for found in both.sort(dim=1, stable=True))
        self.positions = torch.cat([self.positions, positions], 1).gather(1, order)
