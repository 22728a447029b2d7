"""The held-out share: disjoint, complete, stratified, and by the seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econet.data.split import stratified
from econet.errors import UserError

CLASSES = ("ankle boot", "bag", "coat", "dress", "shirt")
labelled = st.lists(st.integers(2, 40), min_size=2, max_size=5).flatmap(
    lambda counts: st.permutations([label for label, count in enumerate(counts) for _ in range(count)])
)
shares = st.floats(0.01, 0.5)
seeds = st.integers(0, 2**40)


@given(labels=labelled, share=shares, seed=seeds)
def test_every_picture_is_kept_or_held_out_and_never_both(labels, share, seed):
    kept, out = stratified(np.array(labels), share, seed, "validation", CLASSES)
    assert sorted([*kept, *out]) == list(range(len(labels)))
    assert list(kept) == sorted(kept)
    assert list(out) == sorted(out)


@given(labels=labelled, share=shares, seed=seeds)
def test_each_class_gives_its_share_to_less_than_a_picture(labels, share, seed):
    labels = np.array(labels)
    kept, out = stratified(labels, share, seed, "validation", CLASSES)
    for label in set(labels.tolist()):
        held = int((labels[out] == label).sum())
        assert abs(held - share * (labels == label).sum()) < 1
        assert held >= 1
        assert (labels[kept] == label).any()


@given(labels=labelled, share=shares, seed=seeds)
def test_the_same_seed_gives_the_same_split(labels, share, seed):
    first = stratified(np.array(labels), share, seed, "validation", CLASSES)
    again = stratified(np.array(labels), share, seed, "validation", CLASSES)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_seed_and_purpose_each_change_the_split():
    labels = np.repeat(np.arange(5), 200)
    splits = [
        tuple(stratified(labels, 0.1, seed, purpose, CLASSES)[1])
        for seed, purpose in ((0, "validation"), (1, "validation"), (0, "test"))
    ]
    assert len(set(splits)) == 3


def test_a_split_stays_what_it_was_in_earlier_versions():
    """Pinned: a change here would make every recorded run's data another one."""
    _, out = stratified(np.arange(40) % 2, 0.1, 7, "validation", CLASSES)
    assert out.tolist() == [9, 14, 21, 24]


def test_every_picture_is_held_out_about_equally_often():
    counts = np.zeros(20)
    for seed in range(400):
        counts[stratified(np.zeros(20, np.int64), 0.25, seed, "test", CLASSES)[1]] += 1
    assert counts.sum() == 400 * 5
    # Binomial(400, 1/4): standard deviation 8.7; five of them.
    assert np.abs(counts - 100).max() < 44


def test_a_class_with_one_picture_is_named():
    with pytest.raises(UserError, match="class 'coat' has too few pictures to hold some out for validation"):
        stratified(np.array([0, 0, 1, 1, 2]), 0.1, 0, "validation", CLASSES)
