"""A network by its name, from its record, or from a user's own function."""

import sys

import msgspec
import numpy as np
import pytest
import torch

from econet.errors import UserError
from econet.models import architecture, catalog
from econet.models.layers_2012 import LrnLayer
from econet.models.network import Network

SHAPES = ((1, 28, 28), (3, 32, 32), (3, 64, 64))
# The full-size plan has nothing left of smaller pictures; a twentieth of its width keeps these tests quick.
FULL_SIZE = (":paper", ":original_code")
SMALLEST = 52
SIZED = [
    (name, shape)
    for name in catalog.CATALOG
    for shape in SHAPES
    if shape[1] >= SMALLEST or not name.endswith(FULL_SIZE)
]

FACTORY = """
from os import system
from torch import nn

PLAIN = 3

def small(classes, channels, hidden=4):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(hidden), nn.Linear(hidden, classes))

def text():
    return "no network"
"""


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    """The name of a module of the user's own, importable for the length of a test."""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "nets.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "own_package.nets"
    for name in [name for name in sys.modules if name.startswith("own_package")]:
        del sys.modules[name]


def light(name: str) -> dict[str, float]:
    """The switches that make a catalog model small enough to be built many times."""
    return {"width": 0.05} if name.endswith(FULL_SIZE) else {}


@pytest.mark.parametrize(("name", "shape"), SIZED)
def test_every_network_gives_a_logit_a_class(name, shape):
    network = catalog.build(name, input_shape=shape, classes=7, **light(name)).eval()
    logits = network(torch.zeros(2, *shape))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_a_network_is_rebuilt_from_json_alone(name):
    side = SMALLEST if name.endswith(FULL_SIZE) else 32
    shape = (3, side, side)
    recorded = catalog.architecture(name, shape, 10, **light(name))
    read_back = msgspec.json.decode(msgspec.json.encode(recorded))
    assert architecture.from_data(read_back) == architecture.from_data(recorded)
    networks = []
    for data in (recorded, read_back):
        torch.manual_seed(3)
        networks.append(catalog.network(data).eval())
    image = torch.rand(1, *shape)
    assert torch.equal(networks[0](image), networks[1](image))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 13), (3, 9, 9)])
def test_econet_takes_images_from_eight_pixels(shape):
    assert catalog.build("econet", input_shape=shape, classes=3).eval()(torch.zeros(1, *shape)).shape == (1, 3)


def test_an_image_too_small_is_refused_with_the_smallest_that_fits():
    with pytest.raises(UserError) as caught:
        catalog.architecture("alexnet_small", (1, 8, 8), 10)
    assert caught.value.what == "image size 8 is smaller than alexnet_small can take"
    assert "28 pixels" in caught.value.why
    assert "--image-size 28" in caught.value.remedy
    with pytest.raises(UserError, match="image size 7 is smaller than econet can take"):
        catalog.architecture("econet", (1, 7, 32), 10)


@pytest.mark.parametrize("width", [0, -1, 17, float("nan"), float("inf")])
def test_an_absurd_width_is_refused(width):
    with pytest.raises(UserError, match="--width"):
        catalog.architecture("econet", (1, 28, 28), 10, width=width)


def test_wider_means_more_channels_in_every_layer():
    narrow, wide = (
        [layer.channels for layer in made.layers if hasattr(layer, "channels")][:-1]
        for made in (
            architecture.from_data(catalog.architecture("econet", (1, 28, 28), 10, width=width)) for width in (1, 2)
        )
    )
    assert all(b > a for a, b in zip(narrow, wide, strict=True))
    assert all(channels % 8 == 0 for channels in narrow + wide)


def test_a_misspelt_model_gets_the_nearest_names():
    with pytest.raises(UserError) as caught:
        catalog.architecture("alexnet-small", (1, 28, 28), 10)
    assert "'alexnet-small'" in caught.value.what
    assert "alexnet_small" in caught.value.remedy


def test_a_switch_that_a_model_has_not_is_named():
    with pytest.raises(UserError, match="alexnet_small has no --width") as caught:
        catalog.architecture("alexnet_small", (1, 28, 28), 10, width=2.0)
    assert "lrn" in caught.value.why


def test_lrn_is_a_switch_and_computes_the_papers_formula():
    plain, with_lrn = (catalog.architecture("alexnet_small", (1, 28, 28), 10, lrn=lrn) for lrn in (False, True))
    kinds = [[layer["kind"] for layer in made["layers"]] for made in (plain, with_lrn)]
    assert kinds[0].count("lrn") == 0
    assert kinds[1].count("lrn") == 2

    lrn = next(module for module in catalog.network(with_lrn).layers if isinstance(module, LrnLayer))
    a = np.random.default_rng(0).normal(0, 30, 32)
    expected = [
        a[i] / (2 + 1e-4 * sum(a[j] ** 2 for j in range(max(0, i - 2), min(31, i + 2) + 1))) ** 0.75 for i in range(32)
    ]
    got = lrn(torch.tensor(a, dtype=torch.float32).reshape(1, 32, 1, 1)).flatten().numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_a_damaged_architecture_names_its_field():
    data = catalog.architecture("econet", (1, 28, 28), 10)
    data["layers"][0]["widht"] = 3
    with pytest.raises(UserError, match="widht"):
        catalog.network(data)


def test_a_users_function_is_given_what_it_takes_and_rebuilt_from_its_record(own_model):
    recorded = catalog.architecture(f"{own_model}:small", (3, 8, 8), 5, hidden=6)
    assert recorded == {"factory": f"{own_model}:small", "arguments": {"classes": 5, "channels": 3, "hidden": 6}}
    network = catalog.network(msgspec.json.decode(msgspec.json.encode(recorded)))
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 5)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("own_package.nets:absent", "absent"),
        ("own_package.absent:small", "absent"),
        ("own_package.nets:PLAIN", "is not a function"),
    ],
)
def test_a_users_function_that_is_not_there_is_named(own_model, reference, text):
    with pytest.raises(UserError, match=text) as caught:
        catalog.architecture(reference, (3, 8, 8), 5)
    assert reference in caught.value.what


def test_a_users_function_that_gives_no_network_is_refused(own_model):
    with pytest.raises(UserError, match="gave no network"):
        catalog.network(catalog.architecture(f"{own_model}:text", (3, 8, 8), 5))


def test_a_switch_that_a_users_function_has_not_is_named(own_model):
    with pytest.raises(UserError, match="takes no --width"):
        catalog.architecture(f"{own_model}:small", (3, 8, 8), 5, width=2.0)


def test_an_object_is_recorded_by_class_and_shapes_and_not_built_from_that():
    recorded = catalog.describe_object(torch.nn.Linear(3, 2))
    assert recorded == {"object": "Linear", "parameters": {"weight": [2, 3], "bias": [2]}}
    with pytest.raises(UserError, match="handed over as a Python object"):
        catalog.network(recorded)


def test_one_builder_makes_every_catalog_network():
    with torch.device("meta"):  # the published network at full size would take a quarter of a gigabyte each time
        assert all(isinstance(catalog.build(name), Network) for name in catalog.CATALOG)


@pytest.mark.parametrize(
    ("name", "input_shape"),
    [("alexnet:paper", (3, 224, 224)), ("alexnet:original_code", (3, 224, 224)), ("alexnet:mini", (3, 32, 32))],
)
def test_a_network_built_by_name_alone_takes_the_published_size(name, input_shape):
    with torch.device("meta"):
        assert catalog.build(name, classes=1000).architecture.input == input_shape


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_the_networks_of_2012_and_no_others_take_raw_pixels(name):
    side = SMALLEST if name.endswith(FULL_SIZE) else 32
    recorded = catalog.architecture(name, (3, side, side), 10, **light(name))
    assert catalog.takes_raw_pixels(recorded) == name.startswith(("alexnet:", "alexnet_towers:", "cuda_convnet:"))


def test_the_mean_image_is_given_height_first_and_kept_channels_first():
    network = catalog.build("cuda_convnet:18pct", input_shape=(3, 12, 14))
    mean = np.arange(12 * 14 * 3, dtype=np.float32).reshape(12, 14, 3)
    catalog.set_mean_image(network, mean)
    np.testing.assert_array_equal(network.layers[0].mean.numpy(), mean.transpose(2, 0, 1))


@pytest.mark.parametrize("reference", [".x:f", ":f", "no_such_package:f", "numpy:no_such_function"])
def test_a_factory_that_cannot_be_imported_is_named(reference):
    with pytest.raises(UserError) as caught:
        catalog.architecture(reference, (1, 28, 28), 10)
    assert caught.value.what == f"cannot import the model {reference!r}"


@pytest.mark.parametrize("reference", ["os:system", "subprocess:getoutput", "builtins:exec", "own_package.nets:system"])
def test_a_record_reaches_nothing_of_pythons_own(own_model, tmp_path, reference):
    harm = tmp_path / "harm"
    with pytest.raises(UserError, match="belongs to Python itself"):
        catalog.network({"factory": reference, "arguments": {"command": f"touch {harm}"}})
    assert not harm.exists()


def test_a_recorded_function_that_takes_other_arguments_now_is_named(own_model):
    with pytest.raises(UserError, match=r"(?s)cannot be called as the run records.*'gone'"):
        catalog.network({"factory": f"{own_model}:small", "arguments": {"classes": 5, "channels": 3, "gone": 1}})


def test_running_a_users_code_is_said_plainly(own_model, caplog, monkeypatch):
    monkeypatch.setattr(catalog, "_said", set())
    for _ in range(2):
        catalog.architecture(f"{own_model}:small", (3, 8, 8), 5)
    assert [record.getMessage() for record in caplog.records] == [f"this runs the code of {own_model}:small"]
