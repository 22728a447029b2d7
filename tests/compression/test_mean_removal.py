"""The mean image taken out: one offset for all pixels, the rest in the first convolution."""

import pytest
import torch

from econet.compression.mean_removal import has_mean_image, without_mean_image
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.models import catalog
from econet.models.layers_2012 import MeanImageLayer

SIDE = 63
SCALED = Preprocess(image_size=(SIDE, SIDE), channels=3, resize_size=(SIDE, SIDE), offset=121, scale=1 / 64)


def network(mean: torch.Tensor, **switches):
    torch.manual_seed(0)
    made = catalog.build("alexnet:paper", input_shape=(3, SIDE, SIDE), width=0.05, **switches).double().eval()
    made.layers[0].mean.copy_(mean)
    if made.layers[1].norm is not None:
        made.layers[1].norm.running_mean.normal_()
    return made


def photos():
    return torch.randint(0, 256, (4, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("switches", [{}, {"batch_norm": True}], ids=["bias", "batch norm"])
def test_a_flat_mean_image_leaves_every_window_inside_the_picture_as_it_was(switches):
    """In float64; the far windows of the first convolution reach over the edge, where each has a zero of its own."""
    flat = torch.tensor([125.5, 119.0, 113.25], dtype=torch.float64)[:, None, None]
    made, raw = network(flat, **switches), photos()
    plain = without_mean_image(made, SCALED).double()
    # float32 holds the new weights, which have no exact half of a gray level.
    scaled = (raw - 121) / 64
    with torch.no_grad():
        before, after = made.layers[1](made.layers[0](raw.clone())), plain.layers[0](scaled)
    inside = (..., slice(0, -1), slice(0, -1))
    torch.testing.assert_close(after[inside], before[inside], rtol=1e-5, atol=1e-4)
    assert before.std() > 1


def test_what_varies_over_the_places_of_the_mean_image_is_lost_and_its_channel_means_are_kept():
    image = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 10 + 110
    made = network(image)
    plain, flat = without_mean_image(made, SCALED), network(image.mean((1, 2), keepdim=True))
    expected = without_mean_image(flat, SCALED)
    for name, value in plain.named_parameters():
        torch.testing.assert_close(value, expected.get_parameter(name), rtol=1e-6, atol=1e-6)
    assert has_mean_image(made)
    assert not has_mean_image(plain)
    assert not [layer for layer in plain.layers if isinstance(layer, MeanImageLayer)]


def test_the_network_itself_keeps_its_weights():
    made = network(torch.full((3, 1, 1), 100.0))
    before = {name: value.clone() for name, value in made.state_dict().items()}
    without_mean_image(made, SCALED)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_a_network_without_one_is_refused_by_name():
    with pytest.raises(UserError, match="the mean image of alexnet_small cannot be dropped"):
        without_mean_image(catalog.build("alexnet_small", input_shape=(3, 32, 32)), SCALED)
