"""Importance by weights, by slopes and by batch norm, against the same sums written out."""

import numpy as np
import pytest
import torch
from torch import nn

from econet.compression.channels import settled
from econet.compression.importance import scores
from econet.compression.label_run import label_run
from econet.compression.tracing import traced
from econet.errors import UserError


def network(norm: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 6, 3), *([nn.BatchNorm2d(6)] if norm else []), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)]
    made = nn.Sequential(*layers)
    if norm:
        nn.init.uniform_(made[1].weight, -1, 1)
    return made.eval()


def channels_of(made: nn.Module):
    return settled(label_run(traced(made, torch.zeros(2, 1, 4, 4))))


def share(values: np.ndarray) -> np.ndarray:
    return values / values.mean()


def columns(weight: np.ndarray) -> np.ndarray:
    """[3, 24] -> [6, 12]: the weights that read each of 6 channels of 4 places."""
    return weight.reshape(3, 6, 4).transpose(1, 0, 2).reshape(6, 12)


def test_magnitude_is_the_norm_of_all_weights_of_a_channel_as_a_share_of_the_layer_s_mean():
    made = network()
    rows = np.linalg.norm(made[0].weight.detach().double().numpy().reshape(6, 9), axis=1)
    gammas = np.abs(made[1].weight.detach().double().numpy())
    reads = np.linalg.norm(columns(made[4].weight.detach().double().numpy()), axis=1)
    expected = (share(rows) + share(gammas) + share(reads)) / 3
    np.testing.assert_allclose(scores("magnitude", made, channels_of(made)), expected, rtol=1e-12)


def test_norm_scale_is_the_size_of_gamma():
    made = network()
    gammas = np.abs(made[1].weight.detach().double().numpy())
    np.testing.assert_allclose(scores("norm-scale", made, channels_of(made)), share(gammas), rtol=1e-12)


def test_norm_scale_without_batch_norm_is_refused():
    made = network(norm=False)
    with pytest.raises(UserError, match="norm-scale needs batch norm"):
        scores("norm-scale", made, channels_of(made))


def test_taylor_is_the_loss_that_a_weight_moves():
    """Without norm and with an open rectifier the network is linear: its slopes follow by hand."""
    made = network(norm=False)
    with torch.no_grad():
        made[0].bias.fill_(100.0)
    images, labels = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 1, 0])
    w, b = (value.detach().double().numpy() for value in made[0].parameters())
    v, c = (value.detach().double().numpy() for value in made[3].parameters())
    windows = np.lib.stride_tricks.sliding_window_view(images.double().numpy()[:, 0], (3, 3), axis=(1, 2))
    patches = windows.reshape(5, 4, 9)
    hidden = (patches @ w.reshape(6, 9).T + b).transpose(0, 2, 1).reshape(5, 24)
    logits = hidden @ v.T + c
    odds = np.exp(logits - logits.max(1, keepdims=True))
    slope = (odds / odds.sum(1, keepdims=True) - np.eye(3)[labels.numpy()]) / 5
    of_v = slope.T @ hidden
    of_hidden = (slope @ v).reshape(5, 6, 4)
    of_w, of_b = np.einsum("ncp,npk->ck", of_hidden, patches), of_hidden.sum((0, 2))
    expected = (
        share(np.abs(w.reshape(6, 9) * of_w).sum(1)) + share(np.abs(b * of_b)) + share(columns(np.abs(v * of_v)).sum(1))
    )
    found = scores("taylor", made, channels_of(made), [(images, labels)])
    np.testing.assert_allclose(found, expected / 3, rtol=2e-3)


def test_taylor_adds_up_over_batches():
    made = network()
    batch = torch.rand(4, 1, 4, 4), torch.tensor([0, 1, 2, 1])
    channels = channels_of(made)
    np.testing.assert_allclose(
        scores("taylor", made, channels, [batch, batch]), scores("taylor", made, channels, [batch]), rtol=1e-9
    )
