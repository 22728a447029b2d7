"""What a user can ask of data and training, checked before anything is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

from econet.errors import UserError, unknown_name
from econet.runs.choices import Augment, ColourNoise, DistilLoss, Importance, OptimizerName, ScheduleName

# The loss of validation accuracy beyond which an 8-bit file fails its parity (`--parity-drop`).
PARITY_DROP = 0.02
# What is trained where neither a model is named nor weights to start from.
USUAL_MODEL = "econet"
Device = Literal["auto", "cpu", "cuda"]
Proof = Literal["test", "validation"]
Settings = TypeVar("Settings")


def settings(kind: type[Settings], asked: Mapping[str, Any], **more: Any) -> Settings:
    """The options record `kind` filled with those of `asked` that are fields of it, and `more`."""
    names = {each.name for each in fields(cast("Any", kind))}
    return kind(**{name: value for name, value in asked.items() if name in names} | more)


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which images, and how they are split and resized; `crop_from` is the store's side where crops come out of it.

    `fold` is (number from 0, of how many): that part of all pictures is the test split. `unlabelled`: a folder may hold
    pictures alone, without folders of classes.
    """

    source: str
    data_dir: Path | None = None
    download: bool = False
    image_size: int | None = None
    crop_from: int | None = None
    resize: Literal["stretch", "shorter-side"] | None = None
    validation: float = 0.1
    seed: int = 0
    skip_bad: bool = False
    fold: tuple[int, int] | None = None
    unlabelled: bool = False


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train one network; None means the model's own default.

    `switches` are the model's own. `bias_lr` is a rate for biases that no schedule moves. `schedule_marks` are the
    shares of training at which `steps` divides the rate by ten. `crop_chunk` images in a row share crop and mirror.
    `mixup` and `cutmix` are the a of Beta(a, a), 0 for none. `teacher` is a run's folder or several. `distil` is the
    loss on its answers, `match_features` the weight of the one on features, `teacher_views` how many augmented views of
    each picture are used again and again so that the teacher's answers can be kept. `start` is a run's folder or the
    name of an artifact in the zoo; without a `model` its network is built again. `thaw` is the share of training in
    which the last layer alone learns, before the others do. `self_supervised`: no label is read. With `augment` None it
    goes by how many pictures a class has.
    """

    model: str | None = None
    width: float | None = None
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    epochs: int | None = None
    time_s: float | None = None
    batch_size: int | None = None
    optimizer: OptimizerName | None = None
    schedule: ScheduleName = "one-cycle"
    schedule_marks: tuple[float, ...] | None = None
    lr: float | None = None
    bias_lr: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    ema: float | None = None
    setbacks: int = 2
    augment: Augment | None = "light"
    colour_noise: ColourNoise | None = None
    crop_chunk: int = 1
    mixup: float | None = None
    cutmix: float | None = None
    patience: int | None = None
    teacher: Path | Sequence[Path] | None = None
    distil: DistilLoss = "kl"
    temperature: float = 3.0
    teacher_weight: float = 0.7
    match_features: float | None = None
    teacher_views: int | None = None
    start: Path | None = None
    thaw: float | None = None
    self_supervised: bool = False
    seed: int = 0
    deterministic: bool = False
    device: str = "auto"
    threads: int | None = None

    @property
    def named(self) -> str:
        """The model that is asked for; the usual one where none is."""
        return self.model or USUAL_MODEL

    @property
    def teachers(self) -> tuple[Path, ...]:
        """All teachers, in the order given; empty without one."""
        return (self.teacher,) if isinstance(self.teacher, Path) else tuple(self.teacher or ())


# Option, attribute, smallest and largest sensible value; outside lies a slip of the keyboard.
_RANGES: tuple[tuple[str, str, float, float], ...] = (
    ("--width", "width", 0.05, 16),
    ("--epochs", "epochs", 1, 100_000),
    ("--time", "time_s", 1e-9, 30 * 86_400),
    ("--batch-size", "batch_size", 1, 65_536),
    ("--lr", "lr", 1e-9, 100),
    ("--bias-lr", "bias_lr", 0, 100),
    ("--weight-decay", "weight_decay", 0, 1),
    ("--label-smoothing", "label_smoothing", 0, 0.9),
    ("--ema", "ema", 0, 0.99999),
    ("--patience", "patience", 1, 100_000),
    ("--temperature", "temperature", 0.1, 100),
    ("--teacher-weight", "teacher_weight", 0, 1),
    ("--match-features", "match_features", 0, 1000),
    ("--teacher-views", "teacher_views", 1, 10_000),
    ("--thaw", "thaw", 0, 1),
    ("--mixup", "mixup", 0, 10),
    ("--cutmix", "cutmix", 0, 10),
    ("--seed", "seed", 0, 2**31 - 1),
    ("--threads", "threads", 1, 1024),
)
_CHOICES = {
    "optimizer": OptimizerName,
    "schedule": ScheduleName,
    "augment": Augment,
    "distil": DistilLoss,
    "device": Device,
}


def check_train_options(options: TrainOptions) -> None:
    """Raises UserError for a value outside its range, an unknown choice, or a contradiction."""
    for option, attribute, low, high in _RANGES:
        check_range(option, getattr(options, attribute), low, high)
    for attribute, choices in _CHOICES.items():
        value = getattr(options, attribute)
        if value is not None and value not in get_args(choices):
            raise unknown_name(attribute, value, get_args(choices))
    if options.epochs is not None and options.time_s is not None:
        raise UserError("--epochs and --time were both given", "each fixes the length of training", "give one of them")
    if options.bias_lr is not None and options.optimizer in ("muon", "adamw"):
        raise UserError(
            f"--bias-lr and --optimizer {options.optimizer} were both given",
            "only sgd and sgd-2012 keep a rate of their own for biases",
            "leave one of them out",
        )
    if options.deterministic and options.time_s is not None:
        raise UserError(
            "--deterministic and --time were both given",
            "a time budget depends on how fast the machine is, so two runs would differ",
            "--epochs instead of --time",
        )
    if options.thaw is not None and options.start is None:
        raise UserError(
            f"--thaw {options.thaw:g} was given without --from",
            "only layers that were trained before can wait while the last one learns",
            "--from RUN or --from ZOO, or no --thaw",
        )
    if options.self_supervised and (options.teachers or options.mixup or options.cutmix):
        raise UserError(
            "--self-supervised goes with no --teacher, --mixup or --cutmix",
            "they are about the classes of pictures, and none is read",
            "leave them out, and use them in the training that follows with --from",
        )
    _check_teaching(options)


def _check_teaching(options: TrainOptions) -> None:
    """Raises UserError for what needs a teacher, and for views whose pictures would not be the same at every use."""
    for option, value in (("--match-features", options.match_features), ("--teacher-views", options.teacher_views)):
        if value and not options.teachers:
            raise UserError(
                f"{option} was given without --teacher", "it is about a teacher", f"--teacher RUN, or no {option}"
            )
    if options.teacher_views is None:
        return
    noise = options.colour_noise
    clashes = {
        "--match-features": (options.match_features, "the teacher's answers are kept, its features are not"),
        "--mixup": (options.mixup, "which two pictures are mixed is drawn anew at every step"),
        "--cutmix": (options.cutmix, "which two pictures are mixed is drawn anew at every step"),
        "crop_chunk": (options.crop_chunk > 1, "which pictures of a batch share a crop changes with every epoch"),
        "--colour-noise": (noise is not None and noise.until < 1, "the noise ends before the training does"),
    }
    for option, (given, why) in clashes.items():
        if given:
            raise UserError(f"--teacher-views and {option} were both given", why, "leave one of them out")


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """How to make a trained network narrower, and how to train it afterwards.

    `ratio` is the share of the network's MACs taken away, in `iterations` equal steps of what is left. Layers named in
    `keep`, as the cut network has them, get so many channels, whatever the ratio. `drop_lrn` and `drop_mean` put
    constants in the place of local response normalisation and an offset in that of the mean image; `dropout` is the
    probability of the network's dropout layers from then on. `teacher` is `parent`, `none`, a run or several.
    `tuning` is the training behind every step; 0 epochs: the cut alone.
    """

    ratio: float = 0.0
    keep: Mapping[str, int] = field(default_factory=dict[str, int])
    importance: Importance = "magnitude"
    iterations: int = 1
    drop_lrn: bool = False
    drop_mean: bool = False
    dropout: float | None = None
    teacher: str | Path | Sequence[Path] = "parent"
    tuning: TrainOptions = field(default_factory=TrainOptions)

    def teachers(self, parent: Path) -> tuple[Path, ...]:
        """Who teaches, where the run that is pruned lies in the folder `parent`; empty for nobody."""
        if isinstance(self.teacher, str | Path):
            return {"parent": (parent,), "none": ()}.get(str(self.teacher), (Path(self.teacher),))
        return tuple(self.teacher)


# What the run that is pruned has settled already, by its name in Python.
_SETTLED = ("width", "switches", "start", "thaw", "self_supervised")


def check_prune_options(options: PruneOptions) -> None:
    """Raises UserError for a value outside its range, an unknown choice, or one that the pruned run has made."""
    if not 0 <= options.ratio < 1:
        raise UserError(
            f"--ratio {options.ratio:g} is out of range",
            "it is the share of the MACs that is taken away: 0 or more, and less than 1",
            "--ratio 0.5",
        )
    check_range("--iterations", options.iterations, 1, 50)
    check_range("--dropout", options.dropout, 0, 0.95)
    if options.keep and options.iterations > 1:
        raise UserError(
            "--keep goes with one iteration",
            "the widths asked for are reached at once",
            "leave --iterations out, or prune the pruned run again",
        )
    if options.importance not in get_args(Importance):
        raise unknown_name("importance", options.importance, get_args(Importance))
    tuning = options.tuning
    for name in _SETTLED:
        if getattr(tuning, name):
            raise UserError(
                f"`{name}` does not go with pruning", "network and weights are those of the run", f"leave `{name}` out"
            )
    epochs = 1 if tuning.epochs == 0 else tuning.epochs
    check_train_options(replace(tuning, epochs=epochs, teacher=options.teachers(Path())))
    if tuning.deterministic and tuning.epochs is None:
        raise UserError("--deterministic was given without --epochs", "a time budget differs by machine", "--epochs N")


def check_range(option: str, value: float | None, low: float, high: float) -> None:
    """Raises UserError where a given `value` is outside [low, high]."""
    if value is not None and not low <= value <= high:
        least = f"{low:g}" if low > 1e-6 or low == 0 else "above 0"
        raise UserError(
            f"{option} {value:g} is out of range", f"it lies between {least} and {high:g}", f"another {option}"
        )


# Fine-tuning, not training: chosen on validation.
QUANTIZE_EPOCHS = 5
QUANTIZE_LR = 1e-3


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """How to train a run's network with fake quantization; a batch size or augmentation of None is the run's own.

    `teacher` is a run folder or several; without one the run itself teaches, unless `taught` is off. The other fields
    are those of TrainOptions.
    """

    epochs: int | None = None
    time_s: float | None = None
    lr: float = QUANTIZE_LR
    batch_size: int | None = None
    augment: Augment | None = None
    mixup: float | None = None
    cutmix: float | None = None
    teacher: Path | Sequence[Path] | None = None
    taught: bool = True
    distil: DistilLoss = "kl"
    temperature: float = 3.0
    teacher_weight: float = 0.7
    teacher_views: int | None = None
    seed: int = 0
    deterministic: bool = False
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What a comparison asks: two sides, how long they train, and the margin.

    `baseline` and `candidate` are a model's name, a run folder or a file; `teacher` is `baseline`, `none`,
    a model's name or a run folder. `time_s` is all training together; `epochs` is each side's. With `folds` the
    pictures are dealt into so many parts, each of which is the proof of a comparison of its own.
    """

    data: DataOptions
    baseline: str = "alexnet_small"
    candidate: str = "econet"
    teacher: str = "baseline"
    width: float | None = None
    time_s: float | None = None
    epochs: int | None = None
    margin: float = 0.01
    proof: Proof = "test"
    augment: Augment | None = None
    batch_size: int | None = None
    lr: float | None = None
    optimizer: OptimizerName | None = None
    schedule: ScheduleName = "one-cycle"
    seeds: int = 1
    folds: int | None = None
    seed: int = 0
    deterministic: bool = False
    device: str = "auto"
    threads: int | None = None


def check_compare_options(options: CompareOptions) -> None:
    """Raises UserError for a value outside its range or a contradiction, before anything is trained."""
    if options.proof not in get_args(Proof):
        raise unknown_name("proof", options.proof, get_args(Proof))
    check_range("--margin", options.margin, 0.0001, 0.5)
    check_range("--seeds", options.seeds, 1, 100)
    check_range("--folds", options.folds, 3, 50)
    if options.folds is not None and (options.seeds > 1 or options.proof != "test"):
        raise UserError(
            f"--folds {options.folds} goes with one seed and the test pictures",
            "every fold is a comparison of its own, and its part of the pictures is the proof",
            "leave --seeds and --proof out",
        )
    asked = {each.name: getattr(options, each.name) for each in fields(options)}
    check_train_options(settings(TrainOptions, asked, teacher=None))
