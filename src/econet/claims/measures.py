"""What is measured on a trained arm. Errors are shares of images; each measure is one float a run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from econet.claims.codes import LONG, SHORT, code_purity
from econet.claims.colourfulness import colourfulness
from econet.data.augmentation import Augmenter
from econet.data.dataset import Dataset, Images
from econet.data.stream import as_streamed, in_memory, in_parts
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

    @cached_property
    def retrieval(self) -> tuple[Images, Images]:
        """What is searched for and where: 2,000 test images, and all training images (10,000 of those left on disk)."""
        test = in_memory(self.dataset.test, QUERIES)
        count = min(QUERIES, len(test))
        return Images(test.pixels[:count], test.labels[:count]), in_memory(self.dataset.train, TRAINING_SAMPLE)

    @cached_property
    def hidden(self) -> tuple[Tensor, Tensor]:
        """The last hidden layer of both sides of `retrieval`: [N, D] each."""
        body = nn.Sequential(*list(_network(self).layers)[:-1])
        first, second = (_answers(self, images.pixels, body) for images in self.retrieval)
        return first, second

    @property
    def raw(self) -> tuple[Tensor, Tensor]:
        """The raw pixels of both sides of `retrieval`: uint8 [N, H * W * C] each."""
        first, second = (torch.from_numpy(images.pixels.reshape(len(images), -1)) for images in self.retrieval)
        return first, second


Measure = Callable[[Subject], float]


def test_error(subject: Subject) -> float:
    """Share of test images answered wrongly, centre view."""
    return _error(_centre(subject, subject.dataset.test), subject.dataset.test)


def ten_view_error(subject: Subject) -> float:
    """Share of test images answered wrongly by the average softmax of ten views."""
    images = subject.dataset.test
    parts = [
        torch.stack([_logits(subject, view).softmax(1) for view in ten_views(part, subject.dataset.preprocess)]).mean(0)
        for part in in_parts(images.pixels)
    ]
    return _error(torch.cat(parts), images)


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


def off_centre_loss(subject: Subject) -> float:
    """Error on the views cut from the four corners, on average, less the error on the centre view."""
    images = in_memory(subject.dataset.test, TRAINING_SAMPLE)
    views = ten_views(images.pixels, subject.dataset.preprocess)[:5]
    errors = [_error(_logits(subject, view), images) for view in views]
    centre = errors.pop(2)
    return sum(errors) / len(errors) - centre


def feature_purity(subject: Subject) -> float:
    """Share of the six nearest training images, by the last hidden layer, that are of the test image's class."""
    return _purity(subject, *subject.hidden)


def pixel_purity(subject: Subject) -> float:
    """The same share by the raw pixels."""
    return _purity(subject, *subject.raw)


def feature_codes_28(subject: Subject) -> float:
    """The same share by the Hamming distance of 28-bit codes of the last hidden layer."""
    return _code_purity(subject, *subject.hidden, SHORT)


def feature_codes_256(subject: Subject) -> float:
    """The same share by the Hamming distance of 256-bit codes of the last hidden layer."""
    return _code_purity(subject, *subject.hidden, LONG)


def pixel_codes_28(subject: Subject) -> float:
    """The same share by the Hamming distance of 28-bit codes of the raw pixels."""
    return _code_purity(subject, *subject.raw, SHORT)


def pixel_codes_256(subject: Subject) -> float:
    """The same share by the Hamming distance of 256-bit codes of the raw pixels."""
    return _code_purity(subject, *subject.raw, LONG)


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
        off_centre_loss,
        feature_purity,
        pixel_purity,
        feature_codes_28,
        feature_codes_256,
        pixel_codes_28,
        pixel_codes_256,
    )
}


def test_probabilities(subject: Subject) -> Tensor:
    """Softmax [N, K] of the test images, centre view; what ensembles average."""
    return _centre(subject, subject.dataset.test).softmax(1)


def _centre(subject: Subject, images: Images) -> Tensor:
    return _answers(subject, images.pixels, subject.network)


def _answers(subject: Subject, pixels: Pixels, network: nn.Module) -> Tensor:
    """What `network` gives for stored pixels uint8 [N, H, W, C], centre view."""
    held = as_streamed(pixels) or torch.from_numpy(pixels)
    plain = Augmenter(held, subject.dataset.preprocess, "none", torch.device("cpu")).plain
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
    """The mean colourfulness of the filters of each column."""
    first = next(module for module in network.modules() if isinstance(module, ConvLayer))
    colour = colourfulness(first.conv.weight.detach().numpy())
    half = len(colour) // 2
    return float(colour[:half].mean()), float(colour[half:].mean())


def _purity(subject: Subject, queries: Tensor, known: Tensor) -> float:
    """Exact search by Euclidean distance."""
    wanted, labels = _labels(subject)
    known, right = known.float(), 0
    for vectors, truth in zip(queries.float().split(200), wanted.split(200), strict=True):
        nearest = torch.cdist(vectors, known).topk(NEIGHBOURS, largest=False).indices
        right += int((labels[nearest] == truth[:, None]).sum())
    return right / (len(queries) * NEIGHBOURS)


def _code_purity(subject: Subject, queries: Tensor, known: Tensor, bits: int) -> float:
    """Exact search by Hamming distance."""
    wanted, labels = _labels(subject)
    seed = subject.run.config.seed
    return code_purity(queries, wanted, known, labels, bits=bits, seed=seed, neighbours=NEIGHBOURS)


def _labels(subject: Subject) -> tuple[Tensor, Tensor]:
    first, second = (torch.from_numpy(images.labels) for images in subject.retrieval)
    return first, second
