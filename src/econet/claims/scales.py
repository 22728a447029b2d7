"""The experiments' scales: the published network at its own size, and small ones a laptop trains past a plateau."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from econet.claims.claim import Scale

# The paper's own (section 5): 90 passes, rate lowered when validation stalls. Data is the folder a user names.
FULL = Scale(
    name="full",
    data="",
    model="alexnet:paper",
    image_size=224,
    crop_from=256,
    settings=MappingProxyType(
        {
            "epochs": 90,
            "optimizer": "sgd-2012",
            "schedule": "plateau",
            "lr": 0.01,
            "weight_decay": 5e-4,
            "ema": 0.0,
            "label_smoothing": 0.0,
            "augment": "light",
        }
    ),
)


def _small(name: str, model: str, *, stop_at: float | None = None, **settings: Any) -> Scale:
    """On 24-pixel crops of CIFAR-10's 32, in batches of 128, without smoothing of labels."""
    every: dict[str, Any] = {"batch_size": 128, "label_smoothing": 0.0}
    return Scale(
        name=name,
        data="cifar10",
        model=model,
        image_size=24,
        crop_from=32,
        settings=MappingProxyType(every | settings),
        stop_at=stop_at,
    )


# The paper's plan at a quarter of the width of its CIFAR-10 scale model, on crops and their mirrors.
# By Muon, which trains it faster than the paper's rule; both arms of a claim alike.
MINI = _small(
    "mini",
    "alexnet:mini",
    width=0.25,
    epochs=20,
    optimizer="muon",
    lr=0.0075,
    weight_decay=0.01,
    ema=0.99,
    augment="light",
)
# The same by momentum and the paper's decay, for claims about the update rule and the first steps.
MINI_SGD = replace(
    MINI,
    name="mini-sgd",
    settings=MappingProxyType({**MINI.settings, "optimizer": "sgd", "lr": 0.05, "weight_decay": 5e-4}),
)
# Figure 1: a four-layer network on CIFAR-10 without regularisation, at a constant rate, until a quarter of the
# training images is wrong.
FIGURE_1 = _small(
    "figure-1",
    "cuda_convnet:26pct",
    epochs=80,
    optimizer="sgd-2012",
    schedule="steps",
    schedule_marks=(),
    weight_decay=0.0,
    ema=0.0,
    augment="none",
    stop_at=0.75,
)
# The four-layer network of section 3.3 at half its width, with its normalisation; the published one trains for 520
# epochs.
LOCAL = _small(
    "local",
    "cuda_convnet:11pct",
    width=0.5,
    epochs=30,
    optimizer="sgd-2012",
    schedule="steps",
    schedule_marks=(0.8, 0.9),
    lr=0.001,
    bias_lr=0.002,
    ema=0.0,
    augment="light",
)
