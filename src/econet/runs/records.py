"""The schemas of a run folder: `config.json`, `history.jsonl`, `finished.json`.

Units are in the names. Accuracy is a fraction, bytes are bytes, times are seconds unless a name says `_ms`.
A figure that was not measured is None (null), never 0.
"""

from typing import Any, Literal

from econet.images.preprocess import Preprocess
from econet.runs.choices import Augment, ColourNoise, DistilLoss, OptimizerName, ScheduleName
from econet.runs.record import SCHEMA, Record

# The shares of training at which the schedule `steps` divides the rate by ten.
STEP_MARKS = (0.5, 0.75, 0.9)


class DataConfig(Record, frozen=True, kw_only=True):
    """Which images a run saw: enough to load them again and to notice that they changed.

    `statistics_images`: of how many training pictures offset, scale and mean image were taken; None: of all. `fold`:
    (number from 0, of how many) where the test pictures are one of several parts of all of them. `unlabelled`: no label
    was read, and the classes are the ways a picture was turned.
    """

    source: str
    name: str
    fingerprint: str
    classes: tuple[str, ...]
    split_seed: int
    validation_fraction: float
    preprocess: Preprocess
    statistics_images: int | None = None
    fold: tuple[int, int] | None = None
    unlabelled: bool = False


class TeacherRun(Record, frozen=True, kw_only=True):
    """A teacher: its run folder, as seen from the student's, and its weights' SHA-256."""

    run: str
    weights_sha256: str


class TeacherConfig(Record, frozen=True, kw_only=True):
    """Distillation: the teacher's run folder, its weights' SHA-256, temperature, and the share of its loss.

    `others` are more teachers, asked together with the first. `match_features` is the weight of the loss on features,
    0 for none. `views` is of how many augmented views of each picture the answers are kept; None: asked at every step.
    """

    run: str
    weights_sha256: str
    temperature: float
    weight: float
    others: tuple[TeacherRun, ...] = ()
    loss: DistilLoss = "kl"
    match_features: float = 0.0
    views: int | None = None

    @property
    def runs(self) -> tuple[TeacherRun, ...]:
        """All teachers."""
        return (TeacherRun(run=self.run, weights_sha256=self.weights_sha256), *self.others)


class TrainingConfig(Record, frozen=True, kw_only=True):
    """Everything asked of training. Exactly one of `epochs` and `time_s` is set by the user.

    `bias_lr` is a rate for biases that the schedule does not move; None: they follow `lr`. `crop_chunk` images in a
    row of a batch share one crop and one mirror coin. `mixup` and `cutmix` are the a of the Beta(a, a) that two mixed
    pictures' shares are drawn from; 0: not mixed that way. `setbacks`: how often a training that diverged goes back to
    the start of its epoch and on at half the rate, before it gives up. `from_weights` is a run's folder, as seen from
    this one's, or `zoo:` and the name of a shipped artifact. `thaw` is the share of training in which the last layer
    alone learns, and `thawed_rate` that of every rate afterwards.
    """

    epochs: int | None
    time_s: float | None
    batch_size: int
    optimizer: OptimizerName
    schedule: ScheduleName
    lr: float
    weight_decay: float
    label_smoothing: float
    ema: float
    augment: Augment
    patience: int | None
    teacher: TeacherConfig | None
    from_weights: str | None
    from_weights_sha256: str | None = None
    schedule_marks: tuple[float, ...] = STEP_MARKS
    bias_lr: float | None = None
    colour_noise: ColourNoise | None = None
    crop_chunk: int = 1
    mixup: float = 0.0
    cutmix: float = 0.0
    setbacks: int = 0
    thaw: float = 0.0
    thawed_rate: float = 1.0


class Plan(Record, frozen=True, kw_only=True):
    """The length that was fixed when the run began; a resume keeps it.

    In the first `frozen_steps` of all steps the last layer alone learns.
    """

    epochs: int
    steps_per_epoch: int
    steps: int
    dropped_images: int
    frozen_steps: int = 0


class MachineChoices(Record, frozen=True, kw_only=True):
    """What was measured or fixed for this machine at the start, and is replayed by every resume."""

    device: Literal["cpu", "cuda"]
    threads: int
    precision: Literal["fp32", "bf16"]
    compile: bool
    processes: int
    deterministic: bool
    measured_images_per_s: dict[str, float]
    cpu: str
    capability: str


class RunConfig(Record, frozen=True, kw_only=True):
    """`config.json`: everything asked and everything resolved.

    `architecture_sha256` is `digest` of the architecture, and `pruning_sha256` of a pruned run that of `pruning.json`:
    a network that was changed by hand would still fit its weights. None in runs of before.
    """

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    python: str
    torch: str
    git_commit: str | None
    parent: str | None
    data: DataConfig
    model: str
    architecture: dict[str, Any]
    training: TrainingConfig
    plan: Plan
    machine: MachineChoices
    seed: int
    warnings: tuple[str, ...] = ()
    architecture_sha256: str | None = None
    pruning_sha256: str | None = None


class Epoch(Record, frozen=True, kw_only=True):
    """A line of `history.jsonl`. `seconds` counts training time since the run began, resumes added up."""

    epoch: int
    step: int
    loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    lr: float
    seconds: float
    images_per_s: float


class Finished(Record, frozen=True, kw_only=True):
    """`finished.json`: written after `weights.safetensors`; a run that has it is complete.

    `setbacks`: how often it diverged and went back. `warnings`: what the training noticed about itself.
    """

    schema: int = SCHEMA
    steps: int
    epochs: int
    seconds: float
    images: int
    validation_accuracy: float
    still_improving: bool
    stopped_early: bool
    weights_sha256: str
    finished: str
    setbacks: int = 0
    warnings: tuple[str, ...] = ()
