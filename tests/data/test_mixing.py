"""Two pictures in one: what is in a mixed batch, pixel by pixel, and what its labels say."""

import numpy as np
import pytest
import torch

from econet.data.augmentation.mixing import Mixing

SIDE = 12
# Of one gray level each, so that a pixel tells whose it is.
IMAGES = torch.arange(1.0, 8.0)[:, None, None, None].expand(7, 3, SIDE, SIDE).contiguous()
LABELS = torch.arange(7)
PARTNERS = [1, 0, 3, 2, 5, 4, 6]


def mixed(mixup: float, cutmix: float, step: int = 3, seed: int = 5):
    images, labels = Mixing(mixup, cutmix, seed).mixed(IMAGES, LABELS, step, torch.arange(7), 7)
    return images.numpy(), labels.other.tolist(), labels.share.numpy()


@pytest.mark.parametrize("shape", [0.2, 1.0, 8.0])
def test_mixup_adds_neighbours_up_by_their_shares(shape):
    images, other, share = mixed(shape, 0)
    assert other == PARTNERS
    for row, partner in enumerate(PARTNERS):
        expected = (1 - share[row]) * (row + 1) + share[row] * (partner + 1)
        np.testing.assert_allclose(images[row], expected, rtol=1e-6)
    assert share[6] == 0
    assert (share <= 0.5).all()
    np.testing.assert_array_equal(share[0::2][:3], share[1::2])


def test_cutmix_puts_one_patch_of_the_neighbour_and_says_its_true_share():
    seen = set()
    for step in range(40):
        images, other, share = mixed(0, 1.0, step)
        assert other == PARTNERS
        for row, partner in enumerate(PARTNERS):
            assert set(np.unique(images[row])) <= {row + 1.0, partner + 1.0}
            strange = np.argwhere(images[row, 0] == partner + 1) if partner != row else np.zeros((0, 2))
            assert share[row] == pytest.approx(len(strange) / SIDE**2)
            if len(strange):
                height, width = strange.max(0) - strange.min(0) + 1
                assert height * width == len(strange)  # a rectangle, of the picture's proportions
                assert height == width
                seen.add(tuple(strange.min(0)))
    assert len(seen) > 20


def test_shares_follow_the_beta_distribution():
    shares = np.concatenate([mixed(0.4, 0, step)[2][0:6:2] for step in range(1500)])
    drawn = np.random.default_rng(0).beta(0.4, 0.4, 200_000)
    expected = np.minimum(drawn, 1 - drawn)
    for share in (0.01, 0.1, 0.3):
        assert np.mean(shares < share) == pytest.approx(np.mean(expected < share), abs=0.03)


def test_with_both_each_pair_takes_one_of_them():
    ways = {len(np.unique(mixed(1.0, 1.0, step)[0][0])) for step in range(30)}
    assert ways == {1, 2}  # blended: one level; patched: two


def test_all_chance_comes_from_seed_and_step():
    first, again = mixed(1.0, 1.0), mixed(1.0, 1.0)
    np.testing.assert_array_equal(first[0], again[0])
    assert (mixed(1.0, 1.0, step=4)[2] != first[2]).any()
    assert (mixed(1.0, 1.0, seed=6)[2] != first[2]).any()


def test_processes_mix_their_parts_as_one_process_mixes_the_whole():
    mixing = Mixing(1.0, 1.0, 0)
    images, labels = IMAGES[:4], LABELS[:4]
    whole, truth = mixing.mixed(images, labels, 9, torch.arange(4), 4)
    for part in torch.arange(4).split(2):
        mine, own = mixing.mixed(images[part], labels[part], 9, part, 4)
        torch.testing.assert_close(mine, whole[part], rtol=0, atol=0)
        torch.testing.assert_close(own.other, truth.other[part])
        torch.testing.assert_close(own.share, truth.share[part])


def test_a_neighbour_in_another_process_leaves_a_picture_as_it_is():
    images, labels = Mixing(1.0, 0, 0).mixed(IMAGES[3:6], LABELS[3:6], 0, torch.arange(3, 6), 6)
    torch.testing.assert_close(images[0], IMAGES[3], rtol=0, atol=0)
    assert labels.share[0] == 0
    assert labels.share[1] > 0


def test_mixed_batches_keep_their_layout():
    images = torch.rand(6, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    result, _ = Mixing(1.0, 1.0, 0).mixed(images, LABELS[:6], 0, torch.arange(6), 6)
    assert result.is_contiguous(memory_format=torch.channels_last)
