"""Several files together: means of probabilities, and weights found by greedy selection."""

import math

import numpy as np
import pytest

from econet.measurement.accuracy import Predictions
from econet.measurement.ensemble import averaged, equal_weights, tuned_weights


def member(probabilities, truth):
    table = np.asarray(probabilities, np.float32)
    return Predictions(np.asarray(truth, np.uint16), table.argmax(1).astype(np.uint16), table)


def random_members(count, images, classes, seed):
    """Members that are right more often than not, each in its own way."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, images)
    found = []
    for _ in range(count):
        logits = rng.normal(size=(images, classes))
        logits[np.arange(images), truth] += 0.7
        powers = np.exp(2 * logits)
        found.append(member(powers / powers.sum(1, keepdims=True), truth))
    return found


def test_the_average_is_the_weighted_mean_of_probabilities_and_its_largest_entry_the_answer():
    one, other = member([[0.9, 0.1, 0.0]], [1]), member([[0.2, 0.5, 0.3]], [1])
    found = averaged([one, other], (0.25, 0.75))
    np.testing.assert_allclose(found.probabilities, [[0.375, 0.4, 0.225]], atol=1e-7)
    assert found.probabilities.dtype == np.float32
    assert (found.predicted.tolist(), found.truth.tolist()) == ([1], [1])
    assert averaged([one, other], equal_weights(2)).predicted.tolist() == [0]


def test_equal_weights_share_one_out():
    assert equal_weights(5) == (0.2,) * 5
    same = random_members(1, 50, 4, seed=0) * 3
    np.testing.assert_allclose(averaged(same, equal_weights(3)).probabilities, same[0].probabilities, atol=1e-7)


def test_an_unweighted_member_has_no_say():
    one, other = random_members(2, 50, 4, seed=1)
    np.testing.assert_array_equal(averaged([one, other], (1.0, 0.0)).probabilities, one.probabilities)


@pytest.mark.parametrize("weights", [(0.5, 0.6), (1.5, -0.5), (1.0,), (0.2, 0.3, 0.5)])
def test_weights_that_do_not_share_one_out_are_refused(weights):
    with pytest.raises(ValueError, match="do not share 1 out among 2 members"):
        averaged(random_members(2, 5, 3, seed=2), weights)


def test_members_of_other_images_or_classes_are_refused():
    one, other = random_members(1, 6, 3, seed=3)[0], random_members(1, 6, 3, seed=4)[0]
    for pair in ([one, other], [one, random_members(1, 7, 3, seed=3)[0]]):
        with pytest.raises(ValueError, match="not made on the same images"):
            averaged(pair, (0.5, 0.5))
        with pytest.raises(ValueError, match="not made on the same images"):
            tuned_weights(pair)


def slow_reference(members):
    """The same search in plain Python: image by image, class by class."""
    truth = members[0].truth.tolist()
    tables = [each.probabilities.astype(np.float64).tolist() for each in members]

    def score(drawn):
        right, likelihood = 0, 0.0
        for image, true in enumerate(truth):
            sums = [sum(tables[name][image][k] for name in drawn) for k in range(len(tables[0][image]))]
            right += sums.index(max(sums)) == true
            likelihood += math.log(sums[true] / len(drawn))
        return right, likelihood

    drawn = []
    for _ in range(20):
        scores = [score([*drawn, name]) for name in range(len(members))]
        drawn.append(scores.index(max(scores)))
    return tuple(drawn.count(name) / 20 for name in range(len(members)))


@pytest.mark.parametrize("seed", range(4))
def test_tuned_weights_are_those_of_a_plain_greedy_search(seed):
    members = random_members(4, 80, 5, seed=10 + seed)
    weights = tuned_weights(members)
    assert weights == slow_reference(members)
    assert weights == tuned_weights(members)
    assert sum(weights) == pytest.approx(1)
    assert all(round(weight * 20) == pytest.approx(weight * 20) for weight in weights)


def test_a_member_that_only_guesses_gets_no_weight():
    good, helpful = random_members(2, 300, 4, seed=20)
    rng = np.random.default_rng(21)
    noise = rng.dirichlet(np.full(4, 0.05), 300)
    weights = tuned_weights([member(noise, good.truth), good, helpful])
    assert weights[0] == 0
    assert min(weights[1:]) > 0


def test_equally_right_members_are_told_apart_by_likelihood_then_by_order():
    sure, unsure = member([[0.9, 0.1], [0.2, 0.8]], [0, 1]), member([[0.6, 0.4], [0.4, 0.6]], [0, 1])
    assert tuned_weights([unsure, sure]) == (0.0, 1.0)
    assert tuned_weights([sure, sure]) == (1.0, 0.0)
