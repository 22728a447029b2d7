"""The steps of a recipe: each trains or compresses into a run folder of its own, with the options of its command."""

from typing import Any, Literal

import msgspec

from econet.runs.choices import Augment, ColourNoise, DistilLoss, Importance, OptimizerName, ScheduleName
from econet.runs.record import Record


class RecipeStep(Record, frozen=True, kw_only=True, tag_field="do"):
    """What every step may say; a field that is left out is as its command has it.

    `run` is the name of the step's folder. A `teacher` is `recipe:<name>#<seed>` or the `run` of an earlier step, or
    several of these which teach together; of a compression also `none`, and left out the run it starts from.
    """

    run: str
    batch_size: int | None = None
    lr: float | None = None
    augment: Augment | None = None
    mixup: float | None = None
    cutmix: float | None = None
    teacher: str | tuple[str, ...] | None = None
    distil: DistilLoss = "kl"
    temperature: float = 3.0
    teacher_weight: float = 0.7
    teacher_views: int | None = None
    deterministic: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def do(self) -> str:
        """What the step does, as its file names it."""
        return str(self.__struct_config__.tag)

    @property
    def teachers(self) -> tuple[str, ...]:
        """All teachers named, in their order."""
        if self.teacher is None:
            return ()
        return (self.teacher,) if isinstance(self.teacher, str) else self.teacher

    @property
    def runs_read(self) -> tuple[str, ...]:
        """The runs that must be there before this one begins, as the file names them."""
        return tuple(name for name in self.teachers if name != "none")


class TrainStep(RecipeStep, frozen=True, kw_only=True, tag="train"):
    """A training, as `econet train` does it."""

    model: str
    epochs: int
    width: float | None = None
    switches: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    optimizer: OptimizerName | None = None
    schedule: ScheduleName = "one-cycle"
    schedule_marks: tuple[float, ...] | None = None
    bias_lr: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    ema: float | None = None
    colour_noise: ColourNoise | None = None
    crop_chunk: int = 1
    match_features: float | None = None


class DistilStep(TrainStep, frozen=True, kw_only=True, tag="distil"):
    """A training with a teacher."""


class CompressionStep(RecipeStep, frozen=True, kw_only=True):
    """A run made `from` another: the `run` of an earlier step, or `recipe:<name>#<seed>`. `time` reads as "5m"."""

    start: str = msgspec.field(name="from")
    epochs: int | None = None
    time: str | None = None

    @property
    def runs_read(self) -> tuple[str, ...]:
        """The runs that must be there before this one begins, the one it is made from first."""
        return (self.start, *super().runs_read)


class PruneStep(CompressionStep, frozen=True, kw_only=True, tag="prune"):
    """Channels out of a run, as `econet prune` takes them."""

    ratio: float | None = None
    keep: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    importance: Importance = "magnitude"
    iterations: int = 1
    drop_lrn: bool = False
    drop_mean: bool = False
    dropout: float | None = None
    optimizer: OptimizerName | None = None
    schedule: ScheduleName = "one-cycle"
    weight_decay: float | None = None
    label_smoothing: float | None = None
    ema: float | None = None
    match_features: float | None = None


class QuantizeStep(CompressionStep, frozen=True, kw_only=True, tag="quantize"):
    """A run trained on with 8 bits, as `econet quantize` does it."""


AnyStep = TrainStep | DistilStep | PruneStep | QuantizeStep
STEPS: dict[str, type[AnyStep]] = {
    str(kind.__struct_config__.tag): kind for kind in (TrainStep, DistilStep, PruneStep, QuantizeStep)
}
