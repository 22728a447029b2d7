"""Binary codes find their own cluster, their distance is counted fairly, and the encoder learns without labels."""

import numpy as np
import pytest
import torch

from econet.claims.codes import _right, code_purity, learned
from econet.claims.measures import Subject, feature_codes_28, feature_purity, off_centre_loss, pixel_codes_28
from econet.images.preprocess import scaled
from econet.training.weights import trained_network

pytest_plugins = ["cropped_runs"]


def clusters(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two clouds of `count` points each in 16 dimensions, eight spreads apart."""
    rng = np.random.default_rng(seed)
    centres = np.stack([np.full(16, -1.0), np.full(16, 1.0)])
    labels = np.repeat([0, 1], count)
    points = centres[labels] + rng.normal(0, 0.25, (2 * count, 16))
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(labels)


@pytest.mark.parametrize("bits", [1, 28])
def test_codes_of_two_separate_clusters_retrieve_their_own(bits):
    known, labels = clusters(200, seed=1)
    queries, wanted = clusters(20, seed=2)
    assert code_purity(queries, wanted, known, labels, bits=bits, seed=0, neighbours=6) == 1
    # The same points with labels that have nothing to do with where they lie.
    mixed = torch.arange(len(labels)) % 2
    assert code_purity(queries, wanted, known, mixed, bits=bits, seed=0, neighbours=6) == pytest.approx(0.5, abs=0.1)


def test_a_seed_gives_one_encoder_and_leaves_torchs_generator_alone():
    known, _ = clusters(100, seed=1)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (learned(known, 8, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.encoder.weight, again.encoder.weight)
    assert not torch.equal(first.encoder.weight, other.encoder.weight)
    assert set(first.codes(known).unique().tolist()) <= {-1.0, 1.0}


def test_training_lowers_the_error_of_what_is_put_together_again():
    known, _ = clusters(500, seed=1)
    trained = learned(known, 16, seed=0)
    untrained = type(trained)(known, 16)
    # A code that only knew the cluster would leave the share of the spread inside it, 0.25^2 / (1 + 0.25^2).
    assert trained(known).item() < 0.1 < untrained(known).item()


def test_neighbours_that_tie_share_the_last_places():
    codes = torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    near, middle, far = [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0], [-1.0, -1.0, -1.0, -1.0]
    others = torch.tensor([near, middle, middle, middle, middle, far])
    labels = torch.tensor([7, 7, 7, 7, 0, 7])
    # One nearest, then two places for four at a distance of one bit, three of which are right: 1 + 2 * 3/4.
    assert _right(codes, torch.tensor([7]), others, labels, 3).tolist() == [2.5]


@pytest.fixture(scope="module")
def subject(cropped_data, tmp_path_factory):
    from cropped_runs import train_small  # once pytest has registered it

    return Subject(train_small(tmp_path_factory.mktemp("codes") / "run", cropped_data), cropped_data)


def test_feature_purity_is_that_of_brute_force(subject):
    test, train = (subject.dataset.test, subject.dataset.train)
    layers = list(subject.network.layers)

    def hidden(images):
        view = images.pixels[:, 2:26, 2:26]
        x = torch.from_numpy(scaled(view, subject.dataset.preprocess).transpose(0, 3, 1, 2).copy())
        with torch.no_grad():
            for layer in layers[:-1]:
                x = layer(x)
        return x.numpy().astype(np.float64)

    queries, known = hidden(test), hidden(train)
    gaps = np.square(queries[:, None] - known[None]).sum(2)
    nearest = np.argsort(gaps, axis=1, kind="stable")[:, :6]
    expected = (train.labels[nearest] == test.labels[:, None]).mean()
    assert feature_purity(subject) == pytest.approx(expected, abs=2 / (6 * len(test)))


def test_the_codes_of_a_run_are_measured_on_its_own_layers_and_pixels(subject):
    of_features, of_pixels = feature_codes_28(subject), pixel_codes_28(subject)
    assert 0.1 < of_features < 1
    assert 0.1 < of_pixels < 1
    assert of_features != of_pixels
    assert feature_codes_28(subject) == of_features


def test_off_centre_loss_is_the_corners_error_less_the_centres(subject):
    test, preprocess = subject.dataset.test, subject.dataset.preprocess
    network = trained_network(subject.run)

    def error(top, left):
        view = scaled(test.pixels[:, top : top + 24, left : left + 24], preprocess).transpose(0, 3, 1, 2)
        with torch.no_grad():
            answers = network(torch.from_numpy(view.copy())).argmax(1).numpy()
        return (answers != test.labels).mean()

    corners = np.mean([error(top, left) for top in (0, 4) for left in (0, 4)])
    assert off_centre_loss(subject) == pytest.approx(corners - error(2, 2))
    assert corners != error(2, 2)
