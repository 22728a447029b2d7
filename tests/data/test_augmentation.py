"""Augmented batches against plain numpy, drawn from the generator alone."""

import numpy as np
import pytest
import torch

from econet.data.augmentation import Amounts, Augmenter, amounts
from econet.data.load import load_data
from econet.data.sources.idx import fashion_mnist
from econet.images.preprocess import Preprocess, scaled

CPU = torch.device("cpu")


def preprocess_of(side: int, channels: int, store: int | None = None) -> Preprocess:
    size = store or side
    return Preprocess(
        image_size=(side, side),
        channels=3 if channels == 3 else 1,
        resize="none" if store is None else "shorter-side",
        resize_size=(size, size),
        crop="none" if store is None else "centre",
        offset=73,
        scale=1 / 90,
    )


def pictures(side: int, channels: int, count: int = 12) -> np.ndarray:
    if (side, channels) == (28, 1):
        return fashion_mnist().test.pixels[:count]
    return np.random.default_rng(side).integers(0, 256, (count, side, side, channels), np.uint8)


def by_hand(
    images: np.ndarray, indices: list[int], preprocess: Preprocess, seed: int, padding: int, cutout: int
) -> np.ndarray:
    """The batch [B, C, H, W] that the same draws give when each picture is padded, cut and mirrored by itself."""
    generator = torch.Generator().manual_seed(seed)
    side, store = preprocess.image_size[0], images.shape[1] + 2 * padding
    count = len(indices)
    flip = torch.randint(2, (count,), generator=generator).tolist()
    rows = torch.randint(store - side + 1, (count,), generator=generator).tolist()
    columns = torch.randint(store - side + 1, (count,), generator=generator).tolist()
    if cutout:
        middle_y = torch.randint(side, (count, 1), generator=generator)[:, 0].tolist()
        middle_x = torch.randint(side, (count, 1), generator=generator)[:, 0].tolist()
    batch = []
    for n, index in enumerate(indices):
        frame = np.full((store, store, images.shape[3]), preprocess.offset, np.uint8)
        frame[padding : store - padding, padding : store - padding] = images[index]
        if flip[n]:
            frame = frame[:, ::-1]
        view = frame[rows[n] : rows[n] + side, columns[n] : columns[n] + side].copy()
        if cutout:
            top, left = middle_y[n] - cutout // 2, middle_x[n] - cutout // 2
            view[max(0, top) : top + cutout, max(0, left) : left + cutout] = preprocess.offset
        batch.append(scaled(view, preprocess).transpose(2, 0, 1))
    return np.stack(batch)


@pytest.mark.parametrize(
    ("policy", "side", "channels", "padding", "cutout"),
    [
        ("light", 28, 1, 2, 0),
        ("standard", 28, 1, 2, 0),
        ("strong", 28, 1, 2, 7),
        ("light", 32, 3, 2, 0),
        ("standard", 32, 3, 4, 0),
        ("strong", 32, 3, 4, 8),
        ("standard", 64, 3, 8, 0),
    ],
)
def test_shift_flip_and_cutout_are_those_of_a_loop_over_pictures(policy, side, channels, padding, cutout):
    images, preprocess = pictures(side, channels), preprocess_of(side, channels)
    indices = [3, 0, 11, 3, 7, 8, 1]
    batch = Augmenter(torch.from_numpy(images), preprocess, policy, CPU).batch(
        torch.tensor(indices), torch.Generator().manual_seed(5)
    )
    np.testing.assert_array_equal(batch.numpy(), by_hand(images, indices, preprocess, 5, padding, cutout))


def test_crops_come_out_of_a_larger_store_without_padding():
    images, preprocess = pictures(32, 3), preprocess_of(24, 3, store=32)
    indices = list(range(12))
    augmenter = Augmenter(torch.from_numpy(images), preprocess, "standard", CPU)
    batch = augmenter.batch(torch.tensor(indices), torch.Generator().manual_seed(9))
    np.testing.assert_array_equal(batch.numpy(), by_hand(images, indices, preprocess, 9, 0, 0))
    plain = augmenter.plain(torch.tensor(indices))
    np.testing.assert_array_equal(plain.numpy(), scaled(images[:, 4:28, 4:28], preprocess).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("policy", ["none", "light", "standard", "strong"])
@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3)])
def test_batches_are_float32_channels_last_and_leave_the_store_alone(policy, side, channels):
    images = pictures(side, channels).copy()
    before = images.copy()
    batch = Augmenter(torch.from_numpy(images), preprocess_of(side, channels), policy, CPU).batch(
        torch.arange(6), torch.Generator().manual_seed(0)
    )
    assert batch.shape == (6, channels, side, side)
    assert batch.dtype == torch.float32
    assert batch.stride() == (channels * side * side, 1, channels * side, channels)
    np.testing.assert_array_equal(images, before)


def test_without_augmentation_a_batch_is_the_plain_view_and_draws_nothing():
    images, preprocess = pictures(28, 1), preprocess_of(28, 1)
    augmenter = Augmenter(torch.from_numpy(images), preprocess, "none", CPU)
    generator = torch.Generator().manual_seed(1)
    state = generator.get_state()
    batch = augmenter.batch(torch.tensor([4, 2]), generator)
    np.testing.assert_array_equal(batch.numpy(), scaled(images[[4, 2]], preprocess).transpose(0, 3, 1, 2))
    assert torch.equal(generator.get_state(), state)


def test_the_same_generator_state_gives_the_same_batch_and_the_next_another():
    augmenter = Augmenter(torch.from_numpy(pictures(28, 1)), preprocess_of(28, 1), "strong", CPU)
    generator = torch.Generator().manual_seed(3)
    state = generator.get_state()
    first, second = (augmenter.batch(torch.arange(12), generator) for _ in range(2))
    generator.set_state(state)
    assert torch.equal(augmenter.batch(torch.arange(12), generator), first)
    assert not torch.equal(first, second)


def test_every_shift_and_both_sides_occur():
    """One white pixel in the middle of 28 x 28: where it lands tells the shift and the flip."""
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 14, 13, 0] = 255
    preprocess = preprocess_of(28, 1)
    batch = Augmenter(torch.from_numpy(images), preprocess, "standard", CPU).batch(
        torch.zeros(2000, dtype=torch.int64), torch.Generator().manual_seed(0)
    )
    _, _, rows, columns = torch.nonzero(batch > 1, as_tuple=True)
    assert len(rows) == 2000
    assert set(rows.tolist()) == {12, 13, 14, 15, 16}
    # Unflipped it lands on 11..15, flipped (column 14) on 12..16.
    assert set(columns.tolist()) == {11, 12, 13, 14, 15, 16}


def test_padding_is_zero_after_normalisation():
    images = np.full((1, 28, 28, 1), 255, np.uint8)
    batch = Augmenter(torch.from_numpy(images), preprocess_of(28, 1), "light", CPU).batch(
        torch.zeros(64, dtype=torch.int64), torch.Generator().manual_seed(0)
    )
    white = scaled(images[0, :1, :1], preprocess_of(28, 1)).item()
    assert set(batch.unique().tolist()) == {0.0, white}


@pytest.mark.parametrize(
    ("side", "policy", "expected"),
    [(8, "light", 1), (28, "light", 2), (32, "light", 2), (64, "light", 4), (28, "standard", 2), (32, "standard", 4)],
)
def test_shifts_follow_the_size(side, policy, expected):
    assert amounts(policy, preprocess_of(side, 1)) == Amounts(padding=expected, cutout=0)
    assert amounts("strong", preprocess_of(side, 1)).cutout == side // 4


def test_a_loaded_dataset_is_centred_by_its_own_offset_and_scale():
    data = load_data("fashion-mnist")
    augmenter = Augmenter(torch.from_numpy(data.train.pixels[:5000]), data.preprocess, "none", CPU)
    batch = augmenter.plain(torch.arange(5000))
    # 5,000 of 54,000 pictures, and an offset rounded to whole levels: near 0 and 1, not equal.
    assert abs(batch.mean().item()) < 0.02
    assert abs(batch.std().item() - 1) < 0.02
