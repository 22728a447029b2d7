"""Grad-CAM finds its layer by looking at the network, whoever wrote it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from awkward_networks import AWKWARD
from econet.errors import UserError
from econet.explanation.gradcam import gradcam_map, last_places
from econet.explanation.last_hidden import LastHidden
from econet.models import catalog

PUBLISHED = sorted(catalog.PUBLISHED_SHAPE)
SMALL = sorted(set(catalog.CATALOG) - set(PUBLISHED))


def an_image(*shape: int) -> torch.Tensor:
    return torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))


def check(network: nn.Module, image: torch.Tensor) -> None:
    """A map of the picture's size with more than one place behind it; the parameters keep no gradients."""
    activation = gradcam_map(network.eval(), image, 3)
    assert activation.found.shape == tuple(image.shape[2:])
    assert np.isfinite(activation.found).all()
    assert activation.found.min() >= 0
    assert activation.places[0] * activation.places[1] > 1
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_every_network_of_the_catalog_has_a_map(name):
    torch.manual_seed(0)
    raw = catalog.takes_raw_pixels(catalog.architecture(name, (3, 32, 32), 10))
    check(catalog.build(name), (255 if raw else 1) * an_image(3, 32, 32))


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_network_has_a_map(name):
    torch.manual_seed(0)
    check(catalog.build(name, classes=10), 255 * an_image(3, 224, 224))


def test_both_columns_of_2012_count():
    torch.manual_seed(0)
    network = catalog.build("alexnet:mini").eval()
    maps, logits = last_places(network, an_image(3, 32, 32).requires_grad_().clone())
    columns = torch.autograd.grad(logits[0, 0], maps)[0].chunk(2, 1)
    assert all(column.abs().sum() > 0 for column in columns)


@pytest.mark.parametrize("kind", AWKWARD)
def test_networks_as_people_write_them_have_a_map(kind):
    torch.manual_seed(0)
    check(AWKWARD[kind](), an_image(3, 16, 16))


class Functional(nn.Module):
    """Pools and rectifies, in place, outside any module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 5)

    def forward(self, x):
        return self.dense(F.relu(self.conv(x), inplace=True).mean((2, 3)))


class WithAside(Functional):
    """Has a branch of maps, later than the others, that the answer is not made of."""

    def forward(self, x):
        result = super().forward(x)
        self.aside = self.conv(x[:, :, ::2, ::2])
        return result


@pytest.mark.parametrize("make", [Functional, WithAside])
def test_the_map_is_the_rectified_sum_of_maps_by_their_mean_gradients(make):
    """Behind a global mean the gradient of a logit is the dense layer's weight over the number of places."""
    torch.manual_seed(1)
    network, image = make().eval(), an_image(3, 10, 10)
    with torch.no_grad():
        maps = network.conv(image).relu()[0].numpy()
        weights = network.dense.weight[2].numpy() / 100
    expected = np.maximum(np.tensordot(weights, maps, 1), 0)
    np.testing.assert_allclose(gradcam_map(network, image, 2).found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("side", "places"), [(64, (4, 4)), (40, (5, 5)), (16, (4, 4)), (4, (2, 2)), (5, (2, 2))])
def test_maps_too_coarse_to_point_are_passed_over_where_there_are_finer_ones(side, places):
    layers = [nn.Conv2d(2, 2, 3, 2, 1) for _ in range(5)]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 4)).eval()
    assert gradcam_map(network, an_image(2, side, side), 3).places == places


def test_a_network_without_places_is_refused_by_name():
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(48, 5)

        def forward(self, x):
            return self.dense(x.flatten(1))

    with pytest.raises(UserError, match="Flat has no layer for Grad-CAM") as refused:
        gradcam_map(Flat(), an_image(3, 4, 4), 0)
    assert "--method masks" in refused.value.remedy


def test_the_last_hidden_layer_is_what_the_classifier_reads():
    torch.manual_seed(0)
    images = torch.rand(4, 3, 32, 32)
    network = catalog.build("econet").eval()
    hidden = LastHidden(network)(images)
    with torch.inference_mode():
        torch.testing.assert_close(network.layers[-1](hidden), network(images))
    convolutional = catalog.build("squeezenet").eval()
    assert LastHidden(convolutional)(images).ndim == 2
    with pytest.raises(UserError, match="Identity has no last hidden layer"):
        LastHidden(nn.Identity())(images)
