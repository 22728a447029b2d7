"""What training uses where the user says nothing, a line a model. Chosen on validation."""

from dataclasses import dataclass

from econet.runs.choices import Augment, OptimizerName


@dataclass(frozen=True, slots=True)
class Defaults:
    """Batch size, optimizer and its peak rate, decay, smoothing and the average's decay for one model."""

    batch_size: int
    optimizer: OptimizerName
    lr: float
    weight_decay: float
    label_smoothing: float = 0.05
    ema: float = 0.99


# Peak rates for the optimizers a model does not use by default.
RATE = {"sgd": 0.1, "adamw": 0.002, "muon": 0.02, "sgd-2012": 0.01}
DECAY = {"sgd": 5e-4, "adamw": 0.05, "muon": 0.01, "sgd-2012": 5e-4}

_BY_MODEL = {
    "alexnet_small": Defaults(batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4),
    "econet": Defaults(batch_size=128, optimizer="muon", lr=0.03, weight_decay=0.01),
    # The 2012 networks keep to their paper: no smoothing, no average.
    "alexnet": Defaults(batch_size=128, optimizer="sgd-2012", lr=0.01, weight_decay=5e-4, label_smoothing=0.0, ema=0.0),
    "alexnet:mini": Defaults(batch_size=128, optimizer="sgd", lr=0.02, weight_decay=5e-4, label_smoothing=0.0),
    "cuda_convnet": Defaults(
        batch_size=128, optimizer="sgd-2012", lr=0.001, weight_decay=0.0, label_smoothing=0.0, ema=0.0
    ),
    # What a search put together (models/space.py).
    "found": Defaults(batch_size=128, optimizer="muon", lr=0.03, weight_decay=0.01),
    "resnet_small": Defaults(batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4),
    # The rivals as in the usual CIFAR recipes; less of a rate where maps are wide, or nothing is normalised.
    "resnet8": Defaults(batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4),
    "resnet20": Defaults(batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4),
    "mobilenet_v2": Defaults(batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4),
    "shufflenet_v2": Defaults(batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4),
    "efficientnet_lite0": Defaults(batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4),
    "squeezenet": Defaults(batch_size=128, optimizer="sgd", lr=0.05, weight_decay=5e-4),
    "vgg_small": Defaults(batch_size=128, optimizer="sgd", lr=0.05, weight_decay=5e-4),
    "lenet5": Defaults(batch_size=128, optimizer="sgd", lr=0.02, weight_decay=5e-4),
}
_OTHERS = Defaults(batch_size=128, optimizer="adamw", lr=0.002, weight_decay=0.05)


# Training pictures a class below which they are varied more: the fewer there are, the sooner they are known by heart.
FEW, VERY_FEW = 1000, 100
# After the last layer has learned alone, all layers go on at this share of every rate: those that were trained before
# are to be kept, not made again. fastai's `fine_tune` takes a half for the last layer and 1/200 for the first ones.
THAW_SHARE, THAWED_RATE = 0.25, 0.25


def augment_for(train_images: int, classes: int) -> Augment:
    """The augmentation for so many pictures in so many classes, where none is asked for.

    `light` from 1,000 pictures a class on, on average; `standard` from 100 on; `strong` below.
    """
    if train_images >= FEW * classes:
        return "light"
    return "standard" if train_images >= VERY_FEW * classes else "strong"


def defaults_for(model: str) -> Defaults:
    """The defaults of a catalog model: its preset's, else its family's; careful ones for a user's own network."""
    model = model.replace("alexnet_towers", "alexnet")  # the same network, on two devices
    return _BY_MODEL.get(model) or _BY_MODEL.get(model.partition(":")[0], _OTHERS)
