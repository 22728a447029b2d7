"""Columns of a network: what each holds, what it may see of the other, and in which order it sends and works."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from econet.errors import UserError
from econet.models import catalog
from econet.models.architecture import Conv, Dense, Lrn, from_data
from econet.models.exchange import Link
from econet.models.network import Network
from econet.models.towers import Column, CrossingConv, check_columns, column_of, join, split

FULL = from_data(catalog.architecture("alexnet_towers:paper", (3, 224, 224), 1000))


class Silence(Link):
    """A line on which nothing arrives: what would be sent is counted."""

    def post(self, sends: Tensor | None, receives: Tensor | None) -> list[Any]:
        return []


@pytest.fixture(scope="module")
def mini() -> Network:
    torch.manual_seed(1)
    network = catalog.build("alexnet_towers:mini", width=0.125, batch_norm=False)
    assert isinstance(network, Network)
    return network


def test_a_network_comes_back_from_its_columns(mini):
    whole = mini.state_dict()
    first, second = split(whole, mini.architecture)
    assert all(torch.equal(value, whole[name]) for name, value in join(first, second).items())
    assert list(join(first, second)) == list(whole)


def test_column_a_of_the_published_network_holds_32_531_112_weights_and_b_28_434_112():
    with torch.device("meta"):
        columns = [Column(FULL, Silence(number)) for number in (0, 1)]
    counts = [sum(one.numel() for one in column.parameters()) for column in columns]
    assert counts == [32_531_112, 28_434_112]
    assert sum(counts) == 60_965_224


@pytest.mark.parametrize("number", [0, 1])
def test_a_column_has_its_share_under_the_names_of_the_whole(mini, number):
    share = split(mini.state_dict(), mini.architecture)[number]
    column = column_of(mini, Silence(number)).state_dict()
    assert list(column) == list(mini.state_dict())
    assert all(torch.equal(column[name], value) for name, value in share.items())
    assert all(column[name].data_ptr() != value.data_ptr() for name, value in share.items() if value.numel())


def test_the_published_network_sends_468_992_bytes_an_image_there_and_back():
    sent = []
    for number in (0, 1):
        with torch.device("meta"):
            column = Column(FULL, Silence(number))
            logits = column(torch.empty(2, 3, 224, 224))
            forward = column.link.sent_bytes
            F.cross_entropy(logits, torch.empty(2, dtype=torch.long)).backward()
        sent.append((forward, column.link.sent_bytes - forward))
    # Column b alone sends f7 on, and gets its gradient: 2,048 floats.
    assert sent[1][0] - sent[0][0] == sent[0][1] - sent[1][1] == 2 * 2048 * 4
    assert sum(there for there, _ in sent) == 2 * 234_496
    assert sum(there + back for there, back in sent) == 2 * 468_992


def test_columns_see_each_other_only_where_the_paper_says():
    """Of each weighted layer: does column a of what it gives depend on column b of what it reads?"""
    torch.manual_seed(0)
    network = catalog.build("alexnet_towers:mini", width=0.125).eval()
    shapes = {"Conv": (2, -1, 8, 8), "Dense": (2, -1)}
    seen = []
    for module, layer in zip(network.layers, network.architecture.layers, strict=True):
        if isinstance(layer, Conv | Dense | Lrn):
            weight = next((one for one in module.parameters() if one.ndim > 1), None)
            groups = layer.groups if isinstance(layer, Conv) else 1
            inputs = 16 if weight is None else weight.shape[1] * groups
            reads = torch.rand(
                *(inputs if side == -1 else side for side in shapes.get(type(layer).__name__, (2, -1, 8, 8)))
            )
            reads.requires_grad_()
            gives = module(reads)
            (gradient,) = torch.autograd.grad(gives[:, : gives.shape[1] // 2].sum(), reads)
            seen.append(bool(gradient[:, inputs // 2 :].any()))
    # conv1 (three colours), LRN, conv2, LRN, conv3, conv4, conv5, f6, f7, f8.
    assert seen == [True, False, False, False, True, False, False, True, True, True]


class Diary(Link):
    """A line whose other end sends the same back; what happens is noted in order."""

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.lines: list[str] = []

    def post(self, sends: Tensor | None, receives: Tensor | None) -> list[Any]:
        self.lines.append("sent off")
        assert sends is not None
        assert receives is not None
        receives.copy_(sends)
        return [self]

    def wait(self) -> None:
        self.lines.append("waited")


@pytest.mark.parametrize("column", [0, 1])
def test_a_column_works_on_its_own_half_while_the_other_is_on_its_way(monkeypatch, column):
    link = Diary(column)
    layer = CrossingConv(4, Conv(channels=2, norm=False, relu=False), link)
    convolve = F.conv2d

    def noted(*arguments: Any) -> Tensor:
        link.lines.append("convolved")
        result = convolve(*arguments)
        result.register_hook(lambda gradient: link.lines.append("gradient there"))
        result.grad_fn.register_hook(lambda *gradients: link.lines.append("gradient through"))
        return result

    monkeypatch.setattr(F, "conv2d", noted)
    x = torch.rand(1, 2, 5, 5, requires_grad=True)
    result = layer(x)
    assert link.lines == ["sent off", "convolved", "waited", "convolved"]
    link.lines.clear()
    result.square().sum().backward()
    passed = [line for line in link.lines if line != "gradient there"]
    assert passed == ["gradient through", "sent off", "gradient through", "waited"]
    # The echo makes the layer a plain convolution of x twice over, and the gradient come back as it was sent.
    both = torch.cat([x.detach(), x.detach()], 1).requires_grad_()
    plain = convolve(both, layer.conv.weight, layer.conv.bias, 1, 1)
    torch.testing.assert_close(result, plain)
    plain.square().sum().backward()
    assert both.grad is not None
    torch.testing.assert_close(x.grad, both.grad[:, :2] + both.grad[:, 2:])


@pytest.mark.parametrize(
    ("name", "switches", "text"),
    [
        ("alexnet:paper", {}, r"layer 3 \(Lrn\) reaches across the columns"),
        ("econet", {}, r"\(Separable\) has no columns"),
        ("cuda_convnet:13pct", {}, r"\(Local\) has no columns"),
    ],
)
def test_a_network_that_is_not_two_columns_is_refused(name, switches, text):
    architecture = from_data(catalog.architecture(name, (3, 64, 64), 10, **switches))
    with pytest.raises(UserError, match=text):
        check_columns(architecture)
