"""Dropout of another strength: the same answers, another training."""

import pytest
import torch
from torch import nn

from econet.compression.weaker_dropout import with_dropout
from econet.models import catalog
from econet.models.architecture import Dropout
from econet.models.layers_2012 import MaskDropout


def answers(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network.double().eval()(images)


@pytest.mark.parametrize("model", ["alexnet:mini", "alexnet_small"])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.75])
def test_the_answers_stay_and_the_probability_is_the_one_asked(model, p):
    torch.manual_seed(0)
    made = catalog.build(model, input_shape=(3, 32, 32)).eval()
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64) * 50
    changed = with_dropout(made, p)
    expected = answers(made, images)
    torch.testing.assert_close(answers(changed, images), expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))
    assert {layer.p for layer in changed.architecture.layers if isinstance(layer, Dropout)} == {p}
    kept = [1 - layer.p if isinstance(layer, nn.Dropout) else layer.kept for layer in changed.layers if _drops(layer)]
    assert kept == [1 - p] * 2


def _drops(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Dropout | MaskDropout)


def test_one_of_2012_that_no_weights_read_stays_as_it_is():
    """Columns that meet in the last layer alone: behind the second dropout maps are laid flat first."""
    made = catalog.build("alexnet:mini", input_shape=(3, 32, 32), communicate=False, width=0.25)
    changed = with_dropout(made, 0.0)
    assert [layer.p for layer in changed.architecture.layers if isinstance(layer, Dropout)] == [0.0, 0.5]
