"""What is measured on a trained arm. Errors are shares of images; each measure is one float a run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from econet.data.augmentation import Augmenter
from econet.data.dataset import Dataset, Images
from econet.images.preprocess import Pixels
from econet.images.views import ten_views
from econet.models.network import ConvLayer, Network
from econet.runs.folder import Run
from econet.training.inference import logits_of
from econet.training.weights import trained_network

# Training images read for the error in evaluation mode: as many as the test split has.
TRAINING_SAMPLE = 10_000
NEIGHBOURS = 6
QUERIES = 2_000


@dataclass(frozen=True)
class Subject:
    """A run and the data as its network takes them. Measures of the history alone need no finished run."""

    run: Run
    dataset: Dataset

    @cached_property
    def network(self) -> nn.Module:
        """The trained network in evaluation mode. Raises UserError where the run is not finished."""
        return trained_network(self.run)


Measure = Callable[[Subject], float]


def test_error(subject: Subject) -> float:
    """Share of test images answered wrongly, centre view."""
    return _error(_centre(subject, subject.dataset.test), subject.dataset.test)


def ten_view_error(subject: Subject) -> float:
    """Share of test images answered wrongly by the average softmax of ten views."""
    images = subject.dataset.test
    total = torch.zeros(len(images), len(subject.dataset.classes))
    for pixels in ten_views(images.pixels, subject.dataset.preprocess):
        total += _logits(subject, pixels).softmax(1)
    return _error(total, images)


def training_error(subject: Subject) -> float:
    """Share of (at most 10,000) training images answered wrongly in evaluation mode, centre view."""
    sample = _training_sample(subject.dataset)
    return _error(_centre(subject, sample), sample)


def generalisation_gap(subject: Subject) -> float:
    """Test error less training error, both in evaluation mode: how much is overfitted."""
    return test_error(subject) - training_error(subject)


def final_loss(subject: Subject) -> float:
    """Mean training loss of the last epoch, in nats."""
    return subject.run.history[-1].loss


def early_loss(subject: Subject) -> float:
    """Mean training loss of the first epoch, in nats."""
    return subject.run.history[0].loss


def epochs_to_target(subject: Subject) -> float:
    """Epochs until three quarters of the training images were right, between two epochs by a straight line.

    A run that never came there counts as its whole length: the effect is then understated.
    """
    before = 0.0
    for line in subject.run.history:
        if line.train_accuracy >= 0.75:
            return line.epoch - 1 + (0.75 - before) / (line.train_accuracy - before)
        before = line.train_accuracy
    return float(subject.run.history[-1].epoch)


def column_colour_gap(subject: Subject) -> float:
    """Difference between the mean colourfulness of the two halves of the first layer's filters, whichever is larger."""
    first, second = _colourfulness(subject.network)
    return abs(first - second)


def feature_purity(subject: Subject) -> float:
    """Share of the six nearest training images, by the last hidden layer, that are of the test image's class."""
    hidden = nn.Sequential(*list(_network(subject).layers)[:-1])
    return _purity(subject, lambda images: _answers(subject, images.pixels, hidden))


def pixel_purity(subject: Subject) -> float:
    """The same share by the raw pixels."""
    return _purity(subject, lambda images: torch.from_numpy(images.pixels.reshape(len(images), -1)).float())


MEASURES: dict[str, Measure] = {
    measure.__name__: measure
    for measure in (
        test_error,
        ten_view_error,
        training_error,
        generalisation_gap,
        final_loss,
        early_loss,
        epochs_to_target,
        column_colour_gap,
        feature_purity,
        pixel_purity,
    )
}


def test_probabilities(subject: Subject) -> Tensor:
    """Softmax [N, K] of the test images, centre view; what ensembles average."""
    return _centre(subject, subject.dataset.test).softmax(1)


def _centre(subject: Subject, images: Images) -> Tensor:
    return _answers(subject, images.pixels, subject.network)


def _answers(subject: Subject, pixels: Pixels, network: nn.Module) -> Tensor:
    """What `network` gives for stored pixels uint8 [N, H, W, C], centre view."""
    plain = Augmenter(torch.from_numpy(pixels), subject.dataset.preprocess, "none", torch.device("cpu")).plain
    return logits_of(network, plain, len(pixels), subject.run.config.machine.precision)


def _logits(subject: Subject, views: Pixels) -> Tensor:
    """Logits of views uint8 [N, h, w, C], already of the network's size."""
    record = subject.dataset.preprocess

    def batch(indices: Tensor) -> Tensor:
        chosen = torch.from_numpy(views[indices.numpy()]).float()
        return chosen.sub_(record.offset).mul_(record.scale).permute(0, 3, 1, 2)

    return logits_of(subject.network, batch, len(views), subject.run.config.machine.precision)


def _error(answers: Tensor, images: Images) -> float:
    return (answers.argmax(1).numpy() != images.labels).mean().item()


def _training_sample(dataset: Dataset) -> Images:
    count = min(TRAINING_SAMPLE, len(dataset.train))
    return Images(dataset.train.pixels[:count], dataset.train.labels[:count])


def _network(subject: Subject) -> Network:
    if not isinstance(subject.network, Network):
        raise TypeError("this measure looks into a catalog network")
    return subject.network


def _colourfulness(network: nn.Module) -> tuple[float, float]:
    """Of each column, the mean over its filters of `1 - 3 |mean over channels|^2 / |w|^2`: 0 gray, 1 all colour."""
    first = next(module for module in network.modules() if isinstance(module, ConvLayer))
    weights = first.conv.weight.detach().double()
    gray = weights.mean(1).square().sum((1, 2)) * weights.shape[1]
    colour = 1 - gray / weights.square().sum((1, 2, 3))
    half = len(colour) // 2
    return colour[:half].mean().item(), colour[half:].mean().item()


def _purity(subject: Subject, features: Callable[[Images], Tensor]) -> float:
    """Exact search by Euclidean distance for the first 2,000 test images."""
    test, train = subject.dataset.test, subject.dataset.train
    count = min(QUERIES, len(test))
    queries = features(Images(test.pixels[:count], test.labels[:count]))
    known, labels = features(train), torch.from_numpy(train.labels)
    right = 0
    for start in range(0, count, 200):
        nearest = torch.cdist(queries[start : start + 200], known).topk(NEIGHBOURS, largest=False).indices
        truth = torch.from_numpy(test.labels[start : start + 200])[:, None]
        right += int((labels[nearest] == truth[: len(nearest)]).sum())
    return right / (count * NEIGHBOURS)
