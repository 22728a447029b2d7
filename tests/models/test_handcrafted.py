"""Hand-crafted features: what they see, against figures from elsewhere, and the file they are kept in."""

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.mixture import GaussianMixture

from econet.errors import UserError
from econet.models import catalog
from econet.models.handcrafted import dense_sift, features, fisher
from econet.models.handcrafted.hog import hog_features
from econet.models.handcrafted.model import HandcraftedModel, all_features, read_model, shapes_of, write_model

SIFT = features.SiftFisher(gaussians=3)


@pytest.fixture(scope="module")
def pictures(clothes_data):
    return clothes_data.train.pixels[:6]


@pytest.fixture(scope="module")
def codebook():
    """A small mixture of chance numbers, over 4 components and the place."""
    chance = np.random.default_rng(0)
    return fisher.Codebook(
        mean=chance.normal(0, 0.1, 128).astype(np.float32),
        axes=np.linalg.qr(chance.normal(size=(128, 4)))[0].T.astype(np.float32),
        weights=np.array([0.5, 0.3, 0.2], np.float32),
        means=chance.normal(0, 0.3, (3, 6)).astype(np.float32),
        variances=chance.uniform(0.05, 0.3, (3, 6)).astype(np.float32),
    )


def log_likelihood(points, weights, means, deviations):
    """The mean over points [P, D] of the mixture's log density, by its definition, in double precision."""
    spread = ((points[:, None] - means) / deviations) ** 2
    logs = -0.5 * (spread + np.log(2 * np.pi * deviations**2)).sum(2) + np.log(weights)
    return np.log(np.exp(logs).sum(1)).mean()


@pytest.mark.parametrize("channels", [1, 3])
def test_hog_of_a_ramp_has_one_orientation_alone(channels):
    ramp = np.broadcast_to(np.arange(0, 196, 7, dtype=np.uint8)[None, None, :, None], (1, 28, 28, channels))
    across = hog_features(ramp, features.Hog()).reshape(-1, 9)
    along = hog_features(np.ascontiguousarray(ramp.transpose(0, 2, 1, 3)), features.Hog()).reshape(-1, 9)
    assert (across[:, 0] > 0.1).all()
    assert not across[:, 1:].any()
    assert (along[:, 4] > 0.1).all()  # 90 degrees lies in the fifth of nine bins over 180
    assert not along[:, [0, 1, 2, 3, 5, 6, 7, 8]].any()


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 45, 64)])
@pytest.mark.parametrize("name", catalog.HANDCRAFTED)
def test_features_are_as_long_as_the_record_says(name, shape):
    record = catalog.HANDCRAFTED[name](shape, 7)
    shapes = shapes_of(record)
    parts = {key.removeprefix("codebook."): size for key, size in shapes.items() if key.startswith("codebook.")}
    book = fisher.Codebook(**{key: np.ones(size, np.float32) for key, size in parts.items()}) if parts else None
    pixels = np.zeros((2, shape[1], shape[2], shape[0]), np.uint8)
    found = all_features(pixels, record.features, book, mirrored=True)
    assert found.shape == (4, shapes["weights"][1])
    assert np.isfinite(found).all()


def test_mirror_images_follow_the_pictures(pictures):
    both = all_features(pictures, features.Hog(), None, mirrored=True)
    np.testing.assert_array_equal(both[:6], hog_features(pictures, features.Hog()))
    np.testing.assert_array_equal(both[6:], hog_features(pictures[:, :, ::-1], features.Hog()))


def test_patches_lie_inside_the_enlarged_picture_and_around_its_middle():
    centres = dense_sift.grid(28, 32, SIFT)
    assert len(centres) == 12 * 14 + 11 * 13 + 9 * 11
    for axis, side in ((0, 56), (1, 64)):
        assert (centres[:, axis] - centres[:, 2] / 2).min() >= 0
        assert (centres[:, axis] + centres[:, 2] / 2).max() <= side
        assert centres[:, axis].min() + centres[:, axis].max() == side
    places = dense_sift.places(28, 32, SIFT)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-6)
    assert np.abs(places).max() < 0.5


def test_a_descriptor_sees_its_patch_and_nothing_far_from_it(pictures):
    before = dense_sift.descriptors(pictures[:1], SIFT)[0]
    changed = pictures[:1].copy()
    changed[:, :4, :4] = 255 - changed[:, :4, :4]  # the upper left corner: 8 pixels of the enlarged picture
    after = dense_sift.descriptors(changed, SIFT)[0]
    moved = np.abs(after - before).max(axis=1) > 0
    centres = dense_sift.grid(28, 28, SIFT)
    # A bin reaches half of itself beyond the patch, the gradient 1 pixel, the enlarging 1 and the blur 5.
    reach = centres[:, 2] / 2 * 1.25 + 7
    apart = (centres[:, :2] - 8).max(axis=1)
    assert not moved[apart > reach].any()
    assert moved[(centres[:, :2] < 10).all(axis=1)].all()


def test_descriptors_have_length_one_and_a_flat_patch_none(pictures):
    found = dense_sift.descriptors(np.concatenate([pictures, np.full_like(pictures[:1], 90)]), SIFT)
    lengths = np.linalg.norm(found, axis=2)
    assert not lengths[-1].any()
    np.testing.assert_allclose(lengths[lengths > 0], 1, atol=1e-5)
    assert (lengths[:-1] > 0).mean() > 0.5


def test_posteriors_are_those_of_scikit_learn(codebook):
    points = np.random.default_rng(1).normal(0, 0.5, (50, 6)).astype(np.float32)
    oracle = GaussianMixture(3, covariance_type="diag")
    oracle.weights_, oracle.means_ = codebook.weights.astype(float), codebook.means.astype(float)
    oracle.precisions_cholesky_ = 1 / np.sqrt(codebook.variances.astype(float))
    np.testing.assert_allclose(fisher.posteriors(points, codebook), oracle.predict_proba(points), atol=1e-5)


def test_a_fisher_vector_is_the_normalised_gradient_of_the_log_likelihood(codebook):
    points = np.random.default_rng(2).normal(0, 0.5, (20, 6))
    weights, means = codebook.weights.astype(float), codebook.means.astype(float)
    deviations = np.sqrt(codebook.variances.astype(float))
    expected, step = np.zeros((2, 3, 6)), 1e-6
    for gaussian in range(3):
        for dimension in range(6):
            nudge = np.zeros((3, 6))
            nudge[gaussian, dimension] = step
            rise = [
                log_likelihood(points, weights, means + nudge, deviations)
                - log_likelihood(points, weights, means - nudge, deviations),
                log_likelihood(points, weights, means, deviations + nudge)
                - log_likelihood(points, weights, means, deviations - nudge),
            ]
            root = np.sqrt(weights[gaussian]), np.sqrt(2 * weights[gaussian])
            expected[:, gaussian, dimension] = np.array(rise) / (2 * step) * deviations[gaussian, dimension] / root
    found = fisher.fisher_gradients(points[None].astype(np.float32), codebook)
    np.testing.assert_allclose(found, expected.reshape(1, -1), atol=2e-5)


def test_the_improved_vector_is_rooted_with_its_sign_and_has_length_one():
    found = fisher.improved(np.array([[9.0, -16.0, 0.0], [0.0, 0.0, 0.0]], np.float32))
    np.testing.assert_allclose(found, [[0.6, -0.8, 0.0], [0.0, 0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("name", catalog.HANDCRAFTED)
def test_a_model_is_read_back_as_it_was_written(name, tmp_path):
    record = catalog.HANDCRAFTED[name]((1, 28, 28), 10)
    chance = np.random.default_rng(4)
    arrays = {key: chance.uniform(0.1, 1, size).astype(np.float32) for key, size in shapes_of(record).items()}
    parts = {key.removeprefix("codebook."): array for key, array in arrays.items() if key.startswith("codebook.")}
    book = fisher.Codebook(**parts) if parts else None
    path = tmp_path / "weights.safetensors"
    write_model(path, HandcraftedModel(record, arrays["weights"], arrays["bias"], book))
    found = read_model(path, record)
    picture = np.zeros((1, 28, 28, 1), np.uint8)
    kept = HandcraftedModel(record, arrays["weights"], arrays["bias"], book)
    np.testing.assert_array_equal(found.logits(picture), kept.logits(picture))
    assert load_file(path).keys() == arrays.keys()


def test_arrays_that_do_not_fit_the_record_are_refused_by_name(tmp_path):
    record = features.hog_linear((1, 28, 28), 10)
    path = tmp_path / "weights.safetensors"
    save_file({"weights": np.zeros((9, 1620), np.float32), "bias": np.zeros(10, np.float32)}, path)
    with pytest.raises(UserError, match=r"`weights` has shape \(9, 1620\)"):
        read_model(path, record)
    save_file({"bias": np.zeros(10, np.float32)}, path)
    with pytest.raises(UserError, match="`weights` has shape None"):
        read_model(path, record)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match=r"weights\.safetensors"):
        read_model(path, record)


@pytest.mark.parametrize("name", catalog.HANDCRAFTED)
def test_the_record_is_data_in_the_catalog_and_no_network(name):
    recorded = catalog.architecture(name, (3, 32, 32), 10)
    read_back = msgspec.json.decode(msgspec.json.encode(recorded))
    assert features.from_data(read_back) == catalog.HANDCRAFTED[name]((3, 32, 32), 10)
    assert name not in catalog.CATALOG
    with pytest.raises(UserError, match=f"{name} is no network"):
        catalog.network(recorded)
    with pytest.raises(UserError, match=f"{name} is no network"):
        raise catalog.unknown_model(name)


def test_what_cannot_be_had_is_said(tmp_path):
    with pytest.raises(UserError, match="image size 12 is smaller than hog_linear can take"):
        catalog.architecture("hog_linear", (1, 12, 12), 10)
    with pytest.raises(UserError, match="image size 8 is smaller than sift_fisher can take"):
        catalog.architecture("sift_fisher", (1, 8, 8), 10)
    with pytest.raises(UserError, match="1 Gaussians are too few"):
        catalog.architecture("sift_fisher", (1, 28, 28), 10, gaussians=1)
    with pytest.raises(UserError, match="hog_linear has no --width"):
        catalog.architecture("hog_linear", (1, 28, 28), 10, width=2)
    with pytest.raises(UserError, match="unknown model 'hog_lineal'") as misspelt:
        catalog.architecture("hog_lineal", (1, 28, 28), 10)
    assert "hog_linear" in misspelt.value.remedy
    damaged = catalog.architecture("hog_linear", (1, 28, 28), 10)
    damaged["handcrafted"]["features"]["cells"] = "four"
    with pytest.raises(UserError, match="recorded features cannot be read"):
        features.from_data(damaged)
