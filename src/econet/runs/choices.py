"""The names a person may choose among in training, each list in one place."""

from typing import Literal

OptimizerName = Literal["sgd", "adamw", "muon", "sgd-2012"]
ScheduleName = Literal["one-cycle", "cosine", "steps", "plateau"]
Augment = Literal["none", "light", "standard", "strong"]
ColourReading = Literal["std", "eig01", "eig255"]
