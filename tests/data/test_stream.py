"""Pictures that stay on disk are those that memory would hold: same pixels, same batches, same data."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from econet.data import load as room
from econet.data.augmentation import Augmenter, pictures
from econet.data.colour_noise import colour_axes
from econet.data.decoders import Decoders, usual_workers
from econet.data.load import load_data
from econet.data.sources.listed import PictureFiles
from econet.data.store import mean_image
from econet.data.stream import StreamedPixels, as_streamed, in_memory, in_parts
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.runs.choices import ColourNoise

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
CPU = torch.device("cpu")
STORE = Preprocess(
    image_size=(48, 48),
    channels=3,
    resize="shorter-side",
    resize_size=(56, 56),
    crop="centre",
    offset=0,
    scale=1.0,
)


def stored(path: Path) -> np.ndarray:
    """What the store keeps of a photo: the shorter side at 56, the centre of the other, by Pillow alone."""
    with Image.open(path) as picture:
        width, height = picture.size
        factor = 56 / min(width, height)
        small = picture.convert("RGB").resize(
            (max(56, round(width * factor)), max(56, round(height * factor))), Image.Resampling.BILINEAR
        )
    left, top = (small.width - 56) // 2, (small.height - 56) // 2
    return np.asarray(small)[top : top + 56, left : left + 56]


def listed(root: Path) -> PictureFiles:
    """All files below `root`, a class for each of its folders."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    folders = sorted({path.parent for path in paths})
    labels = np.array([folders.index(path.parent) for path in paths])
    return PictureFiles(tuple(os.fspath(path.relative_to(root)) for path in paths), labels)


@pytest.fixture(scope="module")
def two_decoders():
    return Decoders(STORE, workers=2)


@pytest.fixture(scope="module")
def photos(two_decoders) -> StreamedPixels:
    """The 60 photographs of the fixtures, streamed."""
    return StreamedPixels(PHOTOS, listed(PHOTOS), STORE, two_decoders)


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return np.stack([stored(PHOTOS / name) for name in listed(PHOTOS).names])


@pytest.fixture(scope="module")
def both_ways():
    """The photographs loaded twice: into memory, and streamed as if they did not fit."""
    held = load_data(str(PHOTOS), image_size=48, crop_from=56)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "fits_memory", lambda *size: False)
        return held, load_data(str(PHOTOS), image_size=48, crop_from=56)


# The pixels


def test_streamed_pictures_are_indexed_like_the_array_they_stand_for(photos, expected):
    assert photos.shape == expected.shape
    assert len(photos) == 60
    np.testing.assert_array_equal(photos[7], expected[7])
    np.testing.assert_array_equal(photos[55:], expected[55:])
    np.testing.assert_array_equal(photos[:0], expected[:0])
    order = np.array([59, 3, 3, 41, 0, 17, 20, 21, 22, 5, 8])
    np.testing.assert_array_equal(photos[order], expected[order])
    np.testing.assert_array_equal(np.asarray(photos), expected)


def test_batches_come_in_the_order_asked_for_and_belong_to_the_taker(photos, expected):
    order = np.random.default_rng(0).permutation(60)
    wanted = [order[:25], order[25:26], order[:0], order[26:]]
    batches = list(photos.batches(wanted))
    for batch, positions in zip(batches, wanted, strict=True):
        np.testing.assert_array_equal(batch, expected[positions])


def test_more_pictures_than_are_decoded_ahead_go_round_the_ring(expected, monkeypatch):
    monkeypatch.setattr("econet.data.decoders.MOST_SLOTS", 1)  # so that two workers share four slots of eight
    pixels = StreamedPixels(PHOTOS, listed(PHOTOS), STORE, Decoders(STORE, workers=2))
    order = np.random.default_rng(1).integers(0, 60, 130)
    np.testing.assert_array_equal(pixels[order], expected[order])


def test_asking_for_others_gives_up_what_was_decoded_ahead(photos, expected):
    first = photos.batches([np.arange(10)] * 8)
    np.testing.assert_array_equal(next(first), expected[:10])
    np.testing.assert_array_equal(photos[50:], expected[50:])
    with pytest.raises(RuntimeError, match="given up"):
        list(first)


def test_parts_of_a_split_join_to_the_whole(photos, expected, monkeypatch):
    monkeypatch.setattr("econet.data.stream.PART", 17)
    parts = list(in_parts(photos))
    assert [len(part) for part in parts] == [17, 17, 17, 9]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    assert [part is expected for part in in_parts(expected)] == [True]


def test_a_killed_worker_is_told_in_a_line(expected):
    decoders = Decoders(STORE, workers=1)
    pixels = StreamedPixels(PHOTOS, listed(PHOTOS), STORE, decoders)
    np.testing.assert_array_equal(pixels[3], expected[3])
    os.kill(decoders._processes[0].pid, signal.SIGKILL)
    with pytest.raises(UserError, match=r"was ended by signal 9, at one of .*jpg"):
        pixels[:]


def test_a_worker_that_never_answers_is_ended_and_its_files_named(expected, monkeypatch):
    decoders = Decoders(STORE, workers=1)
    pixels = StreamedPixels(PHOTOS, listed(PHOTOS), STORE, decoders)
    np.testing.assert_array_equal(pixels[3], expected[3])
    os.kill(decoders._processes[0].pid, signal.SIGSTOP)
    monkeypatch.setattr("econet.data.decoders._SILENT_S", 0.2)
    with pytest.raises(UserError, match=f"signal 9, at one of {PHOTOS}.*jpg"):
        pixels[3]


def test_processes_that_train_together_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)))
    assert usual_workers() == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "6")
    assert usual_workers() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "32")
    assert usual_workers() == 1


# Pictures that are not plain JPEGs


def test_gray_cmyk_and_transparent_pictures_come_out_right(tmp_path, two_decoders):
    """As ILSVRC has them: some JPEGs are gray, some CMYK, and one is a PNG by another name."""
    Image.new("L", (70, 60), 77).save(tmp_path / "a.JPEG", "JPEG", quality=95)
    Image.new("CMYK", (70, 60), (0, 255, 255, 0)).save(tmp_path / "b.JPEG", "JPEG", quality=95)
    Image.new("RGBA", (70, 60), (0, 0, 255, 0)).save(tmp_path / "c.JPEG", "PNG")
    pixels = StreamedPixels(tmp_path, listed(tmp_path), STORE, two_decoders)[:]
    for picture, colour in zip(pixels, [(77, 77, 77), (255, 0, 0), (255, 255, 255)], strict=True):
        # A JPEG's colours go through YCbCr and its quantization: two grey levels at quality 95.
        assert np.abs(picture.astype(int) - colour).max() <= 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def damaged(tmp_path):
    """The photographs, two training pictures of hats in a row cut short, as is the last of the pants."""
    folder = Path(shutil.copytree(PHOTOS, tmp_path / "photos"))
    hats, pants = (sorted((folder / "train" / name).iterdir()) for name in ("hat", "pants"))
    for path in (hats[2], hats[3], pants[-1]):
        cut(path)
    return folder


def test_a_truncated_training_picture_is_stood_in_for_by_the_next_of_its_class(damaged, two_decoders):
    train = damaged / "train"
    files = listed(train)
    pixels = StreamedPixels(train, files, STORE, two_decoders, stand_ins=True)
    lines = []
    pixels.told = lines.append
    hats, pants = (np.flatnonzero(files.labels == label) for label in (1, 2))
    whole = {row: stored(train / files.names[row]) for row in (hats[4], pants[0])}
    for _ in range(2):
        found = pixels[np.arange(len(files))]
        np.testing.assert_array_equal(found[hats[2]], whole[hats[4]])
        np.testing.assert_array_equal(found[hats[3]], whole[hats[4]])
        np.testing.assert_array_equal(found[pants[-1]], whole[pants[0]])  # round the end of the class
    assert [line.file for line in lines] == [files.names[row] for row in (hats[2], hats[3], pants[-1])]
    assert [line.stand_in for line in lines] == [files.names[row] for row in (hats[4], hats[4], pants[0])]
    assert all("truncated" in line.reason for line in lines)


def test_a_class_without_one_whole_picture_is_named(damaged, two_decoders):
    for path in (damaged / "train" / "hat").iterdir():
        cut(path)
    pixels = StreamedPixels(damaged, listed(damaged), STORE, two_decoders, stand_ins=True)
    with pytest.raises(UserError, match=r"no picture of the class of .*hat/.* can be decoded"):
        pixels[:]


def test_a_held_out_picture_that_breaks_later_is_named(damaged, two_decoders):
    pixels = StreamedPixels(damaged, listed(damaged), STORE, two_decoders)
    with pytest.raises(UserError, match=r"train/hat/.*\.jpg cannot be decoded any more"):
        pixels[:]


# A whole data set


def test_streamed_data_are_split_and_labelled_as_in_memory(both_ways):
    held, streamed = both_ways
    assert as_streamed(held.train.pixels) is None
    for name in ("train", "validation", "test"):
        ours, theirs = getattr(streamed, name), getattr(held, name)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_array_equal(np.asarray(ours.pixels), theirs.pixels)
    assert streamed.test.files == held.test.files
    assert streamed.classes == held.classes
    assert streamed.preprocess == held.preprocess  # offset and scale among it


def test_a_bare_folder_too_large_for_memory_gives_the_same_split(tmp_path, monkeypatch):
    for path in sorted(PHOTOS.glob("*/*/*.jpg")):
        target = tmp_path / "bare" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    held = load_data(str(tmp_path / "bare"), seed=4)
    monkeypatch.setattr(room, "fits_memory", lambda *size: False)
    streamed = load_data(str(tmp_path / "bare"), seed=4)
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(np.asarray(getattr(streamed, name).pixels), getattr(held, name).pixels)


def test_the_statistics_of_a_sample_are_those_of_its_pixels(both_ways):
    held, streamed = both_ways
    found, pixels = streamed.statistics, held.train.pixels
    assert found.images == len(pixels)
    np.testing.assert_array_equal(found.mean_image, mean_image(pixels, held.preprocess))
    whole = pixels.reshape(-1, 3).astype(np.float64)
    covariance = np.cov(whole.T, bias=True)
    for axis, deviation in zip(found.colour.axes, found.colour.deviations, strict=True):
        np.testing.assert_allclose(covariance @ axis, deviation**2 * axis, atol=1e-6 * covariance[0, 0])
    assert found.colour.deviations[0] == pytest.approx(colour_axes(pixels).deviations[0], rel=1e-12)


def test_the_fingerprint_follows_names_labels_and_sizes_of_the_files(damaged, monkeypatch):
    monkeypatch.setattr(room, "fits_memory", lambda *size: False)
    before = load_data(str(damaged), skip_bad=True).fingerprint
    assert load_data(str(damaged), skip_bad=True).fingerprint == before
    assert load_data(str(damaged), skip_bad=True, image_size=48).fingerprint != before
    path = next((damaged / "test" / "hat").iterdir())
    with Image.open(path) as picture:
        picture.save(path, quality=60)
    assert load_data(str(damaged), skip_bad=True).fingerprint != before


def test_bad_files_are_set_aside_and_many_of_them_refused(damaged, monkeypatch):
    monkeypatch.setattr(room, "fits_memory", lambda *size: False)
    held_out = sorted((damaged / "test" / "hat").iterdir())[0]
    cut(held_out)
    with pytest.raises(UserError, match=r"1 of 15 files cannot be used: test/hat/.* \(damaged: .*truncated"):
        load_data(str(damaged))
    data = load_data(str(damaged), skip_bad=True)
    assert held_out not in data.test.files
    assert len(data.test) == 14
    assert [warning.partition(":")[0] for warning in data.warnings] == [
        "1 of 15 files cannot be used",
        "3 of 35 files cannot be used",
    ]


def test_more_than_memory_holds_is_refused_before_it_is_decoded(photos, monkeypatch):
    monkeypatch.setattr("econet.data.store._memory", lambda: 60 * 56 * 56 * 3)
    with pytest.raises(UserError, match="60 pictures of 56 x 56 need"):
        np.asarray(photos)
    assert photos[:10].shape == (10, 56, 56, 3)


def test_a_few_of_a_split_are_decoded_evenly_spread(both_ways):
    held, streamed = both_ways
    few = in_memory(streamed.test, 3)
    np.testing.assert_array_equal(few.pixels, held.test.pixels[[0, 7, 14]])
    assert few.files == tuple(held.test.files[row] for row in (0, 7, 14))
    assert in_memory(held.test, 3) is held.test


# Batches to train on


@pytest.mark.parametrize("policy", ["none", "light", "strong"])
@pytest.mark.parametrize("expects", [True, False])
def test_streamed_batches_are_those_of_pictures_in_memory(both_ways, policy, expects):
    noise = ColourNoise(reading="std", divisor=1.1, until=0.9)
    batches = [torch.tensor([30, 2, 2, 17, 9, 11, 0, 5]), torch.tensor([1, 3, 5, 7, 21, 22, 23, 24])]
    made = []
    for data in both_ways:
        augmenter = Augmenter(
            pictures(data.train),
            data.preprocess,
            policy,
            CPU,
            colour=noise,
            chunk=3,
            statistics=data.statistics,
        )
        if expects:
            augmenter.expect(batches)
        generator = torch.Generator().manual_seed(8)
        made.append([augmenter.batch(indices, generator) for indices in batches])
    for ours, theirs in zip(*made, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_several_processes_make_their_parts_of_one_batch(both_ways):
    indices = torch.tensor([30, 2, 2, 17, 9, 11])
    noise = ColourNoise(reading="std")
    for data in both_ways:
        augmenter = Augmenter(pictures(data.train), data.preprocess, "strong", CPU, colour=noise, chunk=4)
        whole = augmenter.batch(indices, torch.Generator().manual_seed(2))
        parts = [
            augmenter.batch(indices, torch.Generator().manual_seed(2), 0.0, part) for part in torch.arange(6).split(3)
        ]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=0)


def test_a_batch_out_of_turn_is_a_mistake_of_the_program(both_ways):
    _, streamed = both_ways
    augmenter = Augmenter(pictures(streamed.train), streamed.preprocess, "light", CPU)
    augmenter.expect([torch.arange(4)])
    with pytest.raises(ValueError, match="not the expected one"):
        augmenter.batch(torch.arange(4, 8), torch.Generator())
