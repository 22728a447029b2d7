"""The search in one pass finds what brute force finds, whatever the parts, and near neighbours to the last digit."""

import numpy as np
import pytest
import torch

from econet.claims.nearest import Nearest


def brute(queries: np.ndarray, known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    gaps = np.sqrt(np.square(queries[:, None].astype(np.float64) - known[None]).sum(2))
    order = np.argsort(gaps, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(gaps, order, 1)


@pytest.mark.parametrize("part", [1, 7, 100, 1000])
def test_the_nearest_are_those_of_brute_force_in_any_parts(part):
    rng = np.random.default_rng(0)
    queries, known = rng.normal(size=(5, 12)).astype(np.float32), rng.normal(size=(300, 12)).astype(np.float32)
    found = Nearest(torch.from_numpy(queries), 6)
    for start in range(0, len(known), part):
        found.see(torch.from_numpy(known[start : start + part]))
    positions, distances = brute(queries, known, 6)
    np.testing.assert_array_equal(found.positions.numpy(), positions)
    np.testing.assert_allclose(found.distances.numpy(), distances, rtol=1e-5)


def test_of_equally_near_ones_the_earlier_stands_first():
    found = Nearest(torch.zeros(1, 2), 3)
    for part in ([[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [-1.0, 0.0]]):
        found.see(torch.tensor(part))
    assert found.positions.tolist() == [[1, 2, 3]]


def test_pictures_that_differ_by_one_grey_level_are_told_apart():
    query = torch.full((1, 3072), 200.0)
    known = query.repeat(3, 1)
    known[0, 5] += 2
    known[2, 9] += 1
    found = Nearest(query, 3)
    found.see(known)
    assert found.positions.tolist() == [[1, 2, 0]]
    assert found.distances.tolist() == [[0.0, 1.0, 2.0]]


def test_fewer_than_asked_for_are_all_given():
    found = Nearest(torch.zeros(2, 1), 6)
    found.see(torch.tensor([[3.0], [1.0]]))
    assert found.positions.tolist() == [[1, 0], [1, 0]]
