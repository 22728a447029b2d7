"""The figures of a run: its columns, its answers, and the nearest training pictures against brute force."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from econet.data.load import load_data
from econet.data.stream import as_streamed
from econet.errors import UserError
from econet.images.preprocess import scaled
from econet.jobs.figures import first_filters, run_figures
from econet.models import catalog
from econet.runs.folder import Run
from econet.training.progress import Silent
from econet.training.weights import trained_network

pytest_plugins = ["cropped_runs"]

CLOTHING = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture(scope="module")
def columns_run(cropped_data, tmp_path_factory) -> Run:
    """A network of two columns on gray pictures of 24 pixels out of 28."""
    from cropped_runs import train_small  # once pytest has registered it

    folder = tmp_path_factory.mktemp("figures") / "run"
    return train_small(folder, cropped_data, model="alexnet:mini", width=0.1, optimizer="sgd", lr=0.02, ema=0.0)


@pytest.fixture(scope="module")
def figures(columns_run, clothes_folder):
    return run_figures(columns_run, [], Silent(), data_dir=clothes_folder)


def central(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., 2:26, 2:26, :]


def hidden_and_answers(run: Run, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By a hook on the last dense layer: what it reads, and the probabilities behind it."""
    network, read = trained_network(run), []
    dense = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    dense.register_forward_pre_hook(lambda module, given: read.append(given[0].detach().numpy()))
    x = torch.from_numpy(scaled(view, run.config.data.preprocess).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        answers = network(x).softmax(1).numpy()
    return read[0], answers


def nearest(queries: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gaps = np.sqrt(np.square(queries[:, None].astype(np.float64) - known[None]).sum(2))
    order = np.argsort(gaps, axis=1, kind="stable")[:, :6]
    return order, np.take_along_axis(gaps, order, 1)


def test_the_neighbours_are_those_of_brute_force_by_layer_and_by_pixels(figures, columns_run, cropped_data):
    asked = np.stack([shown.pixels for shown in figures.shown])
    known = central(cropped_data.train.pixels)
    hidden, _ = hidden_and_answers(columns_run, asked)
    others, _ = hidden_and_answers(columns_run, known)
    _, distances = nearest(hidden, others)
    found = np.array([[each.distance for each in shown.by_hidden] for shown in figures.shown])
    np.testing.assert_allclose(found, distances, rtol=1e-3, atol=1e-4)
    order, distances = nearest(asked.reshape(8, -1), known.reshape(len(known), -1))
    for shown, positions, gaps in zip(figures.shown, order, distances, strict=True):
        assert [each.position for each in shown.by_pixels] == positions.tolist()
        assert [each.distance for each in shown.by_pixels] == pytest.approx(gaps, rel=1e-9)
        assert [each.label for each in shown.by_pixels] == cropped_data.train.labels[positions].tolist()
        for each, position in zip(shown.by_pixels, positions, strict=True):
            np.testing.assert_array_equal(each.pixels, known[position])


def test_the_eight_pictures_are_test_images_with_their_classes_and_the_networks_answers(
    figures, columns_run, cropped_data
):
    numbers = [int(shown.name.removeprefix("test image ")) for shown in figures.shown]
    assert len(set(numbers)) == 8
    assert [shown.truth for shown in figures.shown] == cropped_data.test.labels[numbers].tolist()
    _, answers = hidden_and_answers(columns_run, central(cropped_data.test.pixels[numbers]))
    for shown, expected in zip(figures.shown, answers, strict=True):
        np.testing.assert_allclose(shown.probabilities, expected, atol=1e-5)
        labels, shares = zip(*shown.top, strict=True)
        assert list(labels) == np.argsort(-expected, kind="stable")[:5].tolist()
        assert sorted(shares, reverse=True) == list(shares)


def test_purity_counts_the_neighbours_of_the_own_class(figures):
    same = [each.label == shown.truth for shown in figures.shown for each in shown.by_hidden]
    assert len(same) == 48
    assert figures.purity("by_hidden") == pytest.approx(np.mean(same))


def test_two_columns_of_gray_pictures_have_filters_and_no_colour(figures):
    assert [column.filters.shape for column in figures.columns] == [(8, 1, 5, 5)] * 2
    assert [column.colourfulness for column in figures.columns] == [None, None]
    assert figures.p_value is None


@pytest.mark.parametrize(
    ("name", "switches", "columns"),
    [
        ("alexnet:mini", {"width": 0.25}, [8, 8]),
        ("alexnet:mini", {"width": 0.25, "columns": 1}, [8]),
        ("alexnet:original_code", {"width": 0.1}, [8, 8]),
        ("alexnet_small", {}, [32]),
        ("econet", {"width": 0.25}, [8]),
        ("cuda_convnet:11pct", {}, [64]),
    ],
)
def test_columns_stand_apart_where_the_network_has_two(name, switches, columns):
    side = 224 if name == "alexnet:original_code" else 32
    network = catalog.build(name, input_shape=(3, side, side), **switches)
    found, p_value = first_filters(network, seed=0)
    assert [len(column.filters) for column in found] == columns
    assert (p_value is not None) == (len(columns) == 2)
    whole = np.concatenate([column.filters for column in found])
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    np.testing.assert_array_equal(whole, first.weight.detach().numpy())


def test_a_gray_and_a_coloured_column_are_told_from_chance():
    network = catalog.build("alexnet:mini", width=0.25)
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    with torch.no_grad():
        first.weight[:8] = first.weight[:8, :1]  # all channels alike
        first.weight[8:] -= first.weight[8:].mean(1, keepdim=True)  # channels that cancel out
    (gray, coloured), p_value = first_filters(network, seed=0)
    assert gray.colourfulness == pytest.approx(np.zeros(8), abs=1e-6)
    assert coloured.colourfulness == pytest.approx(np.ones(8), abs=1e-6)
    assert p_value < 0.005


@pytest.mark.parametrize("model", ["econet", "cuda_convnet:26pct"])
def test_every_kind_of_network_has_figures(model, small_run, cropped_data, clothes_folder, tmp_path):
    more = {} if model == "econet" else {"width": None, "lr": 0.001, "optimizer": "sgd-2012"}
    run = small_run(tmp_path / "run", cropped_data, model=model, epochs=1, **more)
    made = run_figures(run, [], Silent(), data_dir=clothes_folder)
    assert len(made.columns) == 1
    asked = np.stack([shown.pixels for shown in made.shown])
    hidden, answers = hidden_and_answers(run, asked)
    assert made.hidden_width == hidden.shape[1]
    np.testing.assert_allclose([shown.probabilities for shown in made.shown], answers, atol=1e-5)


def test_the_published_network_is_drawn_and_photos_that_stay_on_disk_are_searched(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr("econet.data.load.fits_memory", lambda *size: False)
    data = load_data(str(CLOTHING), image_size=224, crop_from=256)
    assert as_streamed(data.train.pixels) is not None
    asked = {"model": "alexnet:paper", "width": 0.05, "epochs": 1, "batch_size": 8, "optimizer": "sgd-2012"}
    made = run_figures(small_run(tmp_path / "run", data, **asked, lr=0.001), [], Silent())
    assert [column.filters.shape for column in made.columns] == [(8, 3, 11, 11)] * 2
    assert 0 < made.p_value <= 1
    # Weights hardly moved from chance: each channel a third of it.
    assert np.mean([column.colourfulness.mean() for column in made.columns]) == pytest.approx(2 / 3, abs=0.05)
    view = data.train.pixels[:][:, 16:240, 16:240].reshape(len(data.train), -1)
    order, distances = nearest(np.stack([shown.pixels.ravel() for shown in made.shown]), view)
    for shown, positions, gaps in zip(made.shown, order, distances, strict=True):
        assert shown.name.endswith(".jpg")
        assert [each.position for each in shown.by_pixels] == positions.tolist()
        assert [each.distance for each in shown.by_pixels] == pytest.approx(gaps, rel=1e-9)


def test_a_users_pictures_are_shown_without_a_class(columns_run, clothes_folder, cropped_data, tmp_path):
    path = tmp_path / "own.png"
    Image.fromarray(cropped_data.train.pixels[17, :, :, 0]).save(path)
    made = run_figures(columns_run, [path], Silent(), data_dir=clothes_folder)
    (shown,) = made.shown
    assert (shown.name, shown.truth) == ("own.png", None)
    assert made.purity("by_hidden") is None
    # It is a training picture: nothing is nearer than itself.
    assert (shown.by_pixels[0].position, shown.by_pixels[0].distance) == (17, 0)
    assert (shown.by_hidden[0].position, shown.by_hidden[0].distance) == (17, pytest.approx(0, abs=1e-3))


def test_a_file_that_is_no_picture_is_named(columns_run, clothes_folder, tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    with pytest.raises(UserError, match=r"notes\.png"):
        run_figures(columns_run, [path], Silent(), data_dir=clothes_folder)


def test_other_data_are_refused(columns_run, pictures_split_by, clothes_folder, monkeypatch):
    monkeypatch.setattr("econet.jobs.figures.load_again", lambda config, data_dir: pictures_split_by(7))
    with pytest.raises(UserError, match="belongs to other data"):
        run_figures(columns_run, [], Silent(), data_dir=clothes_folder)


def test_a_run_that_is_not_finished_is_refused(columns_run, tmp_path):
    (tmp_path / "config.json").write_bytes(columns_run.config_path.read_bytes())
    with pytest.raises(UserError, match="not finished"):
        run_figures(Run(tmp_path), [], Silent())


def test_coloured_pictures_are_drawn_in_colour(small_run, tmp_path):
    folder = tmp_path / "photos"
    rng = np.random.default_rng(0)
    for name, level in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            pixels = np.clip(rng.normal(level, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    data = load_data(str(folder), image_size=32, validation=0.2)
    run = small_run(tmp_path / "run", data, epochs=1, batch_size=8)
    made = run_figures(run, [folder / "red" / "0.png"], Silent())
    assert made.shown[0].pixels.shape == (32, 32, 3)
    assert {each.label for each in made.shown[0].by_pixels} == {made.classes.index("red")}
    (column,) = made.columns
    assert column.colourfulness is not None
