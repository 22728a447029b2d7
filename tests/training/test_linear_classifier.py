"""The linear classifier is the optimum it claims to be, and validation alone chooses its regularisation."""

import numpy as np
import pytest

from econet.models.handcrafted import dense_sift, features, fisher
from econet.models.handcrafted.hog import hog_features
from econet.training.codebook import learn_codebook
from econet.training.linear_classifier import choose_classifier

PENALTIES = (0.3, 100.0, 3.0)


@pytest.fixture(scope="module")
def histograms(clothes_data):
    """HOG of the small real data set: training and validation, with labels."""
    train, validation = clothes_data.train, clothes_data.validation
    hog = features.Hog(cells=(7,))
    return (hog_features(train.pixels, hog), train.labels), (hog_features(validation.pixels, hog), validation.labels)


def fitted(histograms, penalties=PENALTIES, passes=2000):
    (values, labels), validation = histograms
    told = []
    asked = {"penalties": penalties, "most_iterations": passes, "tell": told.append}
    classifier, trials = choose_classifier((values.copy(), labels), validation, **asked)
    assert told == trials
    return classifier, trials


def test_the_best_on_validation_is_kept_and_works_on_plain_features(histograms):
    classifier, trials = fitted(histograms)
    assert [trial.penalty for trial in trials] == [100.0, 3.0, 0.3]
    best = max(trial.validation_accuracy for trial in trials)
    values, labels = histograms[1]
    logits = values.astype(float) @ classifier.weights.T.astype(float) + classifier.bias
    assert (logits.argmax(1) == labels).mean() == best
    assert best > trials[0].validation_accuracy
    assert classifier.accuracy(*histograms[0]) == next(
        trial.train_accuracy for trial in trials if trial.validation_accuracy == best
    )


def test_the_trials_end_where_validation_gets_worse(histograms):
    classifier, trials = fitted(histograms, (0.3, 1e5, 1e4, 1e3, 0.001, 0.0001))
    accuracies = [trial.validation_accuracy for trial in trials]
    assert len(trials) < 6
    assert accuracies[-1] < accuracies[-2] == max(accuracies)
    assert classifier.accuracy(*histograms[1]) == accuracies[-2]


def test_the_gradient_of_the_penalised_loss_is_zero_there(histograms):
    penalty = 0.3
    classifier, (trial,) = fitted(histograms, (penalty,))
    assert trial.converged
    (values, labels), _ = histograms
    centred = values.astype(float) - values.mean(0, dtype=float)
    scale = 1 / centred.std()
    weights, scaled = classifier.weights / scale, centred * scale
    logits = scaled @ weights.T + (classifier.bias + classifier.weights @ values.mean(0, dtype=float))
    odds = np.exp(logits - logits.max(1, keepdims=True))
    wrong = odds / odds.sum(1, keepdims=True) - np.eye(10)[labels]
    gradient = wrong.T @ scaled / len(labels) + penalty * weights
    at_the_start = (0.1 - np.eye(10)[labels]).T @ scaled / len(labels)
    assert np.abs(gradient).max() < 1e-3 < 0.05 < np.abs(at_the_start).max()


def test_two_classes_have_a_row_each(histograms):
    (values, labels), (held_out, truth) = histograms
    two, held = labels < 2, truth < 2
    classifier, trials = choose_classifier(
        (values[two], labels[two]),
        (held_out[held], truth[held]),
        penalties=(1.0,),
        most_iterations=500,
        tell=lambda trial: None,
    )
    assert classifier.weights.shape == (2, values.shape[1])
    assert classifier.accuracy(held_out[held], truth[held]) == trials[0].validation_accuracy > 0.8


def test_a_solver_that_was_cut_off_says_so(histograms):
    _, trials = fitted(histograms, (0.01,), passes=3)
    assert (trials[0].iterations, trials[0].converged) == (3, False)


def test_nothing_to_try_is_a_mistake(histograms):
    with pytest.raises(ValueError, match="no penalty"):
        fitted(histograms, ())


def test_a_codebook_describes_the_descriptors_it_was_learned_from(clothes_data):
    settings = features.SiftFisher(gaussians=4, components=8)
    pixels = clothes_data.train.pixels[:60]
    codebook, learning = learn_codebook(pixels, settings, seed=3)
    assert learning.descriptors == 60 * 20
    assert codebook.weights.sum() == pytest.approx(1, abs=1e-5)
    assert codebook.variances.min() >= 1e-5 * 0.99
    np.testing.assert_allclose(codebook.axes @ codebook.axes.T, np.eye(8), atol=1e-5)
    everything = dense_sift.descriptors(pixels, settings)
    points = fisher.reduced(everything, dense_sift.places(28, 28, settings), codebook.mean, codebook.axes)
    flat = points.reshape(-1, 10)
    mixed = codebook.weights @ codebook.means
    np.testing.assert_allclose(flat.mean(0), mixed, atol=0.1 * flat.std())
    again, _ = learn_codebook(pixels, settings, seed=3)
    other, _ = learn_codebook(pixels, settings, seed=4)
    np.testing.assert_array_equal(codebook.means, again.means)
    assert not np.array_equal(codebook.means, other.means)
