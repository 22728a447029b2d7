"""Every map points at what the answer depends on, and says nothing where it depends on nothing."""

import numpy as np
import pytest
import torch

from econet.deployment.predictor import Predictor
from econet.explanation.gradcam import gradcam_map
from econet.explanation.hiding import blurred
from econet.explanation.occlusion import answers_needed, occlusion_map
from econet.explanation.places import is_flat, place_of
from econet.explanation.question import Question
from econet.explanation.random_masks import FEWEST, MOST, UNKNOWN, masks_within, random_mask_map, smooth_masks
from patch_networks import constant_network, inside_patch, written

MASKS = 1000


def test_occlusion_points_at_the_patch_that_decides(question):
    found = occlusion_map(question)
    assert inside_patch(found) > 0.8
    assert place_of(found) == "upper right"


def test_random_masks_point_at_the_patch_that_decides(question):
    found = random_mask_map(question, masks=MASKS, seed=0)
    assert inside_patch(found) > 0.7
    assert place_of(found) == "upper right"


def test_gradcam_points_at_the_patch_that_decides(network, picture):
    image = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
    activation = gradcam_map(network, image, 0)
    assert inside_patch(activation.found) == 1
    assert activation.places == (32, 32)


def test_the_other_class_is_explained_by_everything_but_the_patch(question):
    other = Question(question.answer, question.picture, question.hidden, 1)
    np.testing.assert_array_equal(np.sign(occlusion_map(other)), -np.sign(occlusion_map(question)))


def test_a_network_that_looks_at_nothing_has_a_flat_map(channels, picture, tmp_path):
    path = written(constant_network(channels), channels, tmp_path / "constant.onnx")
    question = Question(Predictor(path).input_logits, picture, blurred(picture), 0)
    assert is_flat(occlusion_map(question))
    assert is_flat(random_mask_map(question, masks=50, seed=0))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_map(question):
    first, again, other = (random_mask_map(question, masks=200, seed=seed) for seed in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)


def linear(weights: np.ndarray):
    """A network of two classes whose log-odds are a weighted sum of the pixels."""

    def answer(pictures: np.ndarray) -> np.ndarray:
        odds = (pictures[..., 0] * weights).sum((1, 2)).astype(np.float32)
        return np.stack([odds, np.zeros_like(odds)], 1)

    return answer


def test_occlusion_is_the_mean_loss_over_the_patches_on_a_pixel():
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (8, 12, 1), dtype=np.uint8)
    hidden = np.zeros_like(picture)
    answer = linear(random.normal(0, 0.001, (8, 12)))

    def score(shown: np.ndarray) -> float:
        logits = answer(shown[None])[0].astype(np.float64)
        return logits[0] - np.log(np.exp(logits).sum())

    lost, counts = np.zeros((8, 12)), np.zeros((8, 12))
    positions = 0
    for top in range(-1, 8):  # patches of 2 x 2, a quarter of the shorter side, one pixel apart
        for left in range(-1, 12):
            under = np.zeros((8, 12), bool)
            under[max(0, top) : top + 2, max(0, left) : left + 2] = True
            lost[under] += score(picture) - score(np.where(under[..., None], hidden, picture))
            counts[under] += 1
            positions += 1
    found = occlusion_map(Question(answer, picture, hidden, 0))
    np.testing.assert_allclose(found, lost / counts, atol=1e-9)
    assert set(counts.ravel()) == {4}
    assert answers_needed(8, 12) == positions + 1


def test_random_masks_are_a_regression_of_the_answer_on_every_pixel():
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, (9, 7, 1), dtype=np.uint8)
    hidden = np.zeros_like(picture)
    answer = linear(random.normal(0, 0.001, (9, 7)))
    shown = smooth_masks(60, 9, 7, 3)
    mixed = np.rint(hidden + shown[..., None] * (picture.astype(np.float32) - hidden)).astype(np.uint8)
    logits = answer(mixed).astype(np.float64)
    scores = logits[:, 0] - np.log(np.exp(logits).sum(1))
    slopes = [[np.polyfit(shown[:, row, column], scores, 1)[0] for column in range(7)] for row in range(9)]
    found = random_mask_map(Question(answer, picture, hidden, 0), masks=60, seed=3)
    np.testing.assert_allclose(found, slopes, rtol=1e-3, atol=1e-6)


def test_masks_are_smooth_grids_that_show_half_of_the_picture():
    masks = smooth_masks(400, 40, 30, 0)
    assert masks.shape == (400, 40, 30)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert masks.mean() == pytest.approx(0.5, abs=0.02)
    cell = -(-40 // 7)
    assert np.abs(np.diff(masks, axis=1)).max() <= 1 / cell + 1e-5  # no edge that a network could see


@pytest.mark.parametrize(
    ("macs", "masks"), [(None, UNKNOWN), (1_000, MOST), (15_000_000, 1_000), (10_000_000_000, FEWEST)]
)
def test_how_many_masks_follows_from_the_macs_and_never_from_the_clock(macs, masks):
    assert masks_within(macs) == masks
