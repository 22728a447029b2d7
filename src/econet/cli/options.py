"""Options shared by the commands: one declaration each, so that a word means the same everywhere."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, cast, get_args

import click

from econet.cli.terminal import Terminal
from econet.errors import UserError, unknown_name
from econet.jobs.duration import parse_duration
from econet.jobs.options import settings as settings
from econet.runs.choices import Augment, DistilLoss, OptimizerName, RuntimeName, ScheduleName

DEFAULT_TIME_S = 300.0

Callback = Callable[..., int]
Decorator = Callable[[Callback], Callback]


class Duration(click.ParamType[float]):
    """A duration such as 90s, 5m or 2h, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds of the text given. Raises UserError for what is no duration."""
        return value if isinstance(value, float) else parse_duration(str(value))


class Named(click.Choice[str]):
    """One of a few names; a misspelt one is answered with the nearest."""

    def __init__(self, kind: str, *names: str) -> None:
        super().__init__(names)
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name given. Raises UserError for one that is not known."""
        if value not in self.choices:
            raise unknown_name(self.kind, str(value), self.choices)
        return str(value)


class Switch(click.ParamType[tuple[str, Any]]):
    """`name=value`: a model's switch, its value read as true, false, a number or a word."""

    name = "switch"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """(name, value) of the text given. Raises UserError where it is not of that form."""
        if isinstance(value, tuple):
            return cast("tuple[str, Any]", value)
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            raise UserError(f"--switch {value} cannot be read", "it reads NAME=VALUE", "--switch lrn=false")
        try:
            return name, json.loads(text)
        except ValueError:
            return name, text


class LayerWidth(click.ParamType[tuple[str, int]]):
    """`layer=channels`: how many channels of a layer stay."""

    name = "layer width"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """(layer, channels) of the text given. Raises UserError where it is not of that form."""
        if isinstance(value, tuple):
            return cast("tuple[str, int]", value)
        name, _, count = str(value).rpartition("=")
        if not name or not count.isdecimal():
            raise UserError(f"--keep {value} cannot be read", "it reads LAYER=N", "--keep layers.1.conv=48")
        return name, int(count)


def command(example: str) -> Callable[[Callback], click.Command]:
    """Make a function into a command with `--json`, `--quiet` and a help that ends with `example`.

    The function takes the Terminal first, then its options by name, and returns the exit code.
    """

    def decorate(function: Callback) -> click.Command:
        @click.pass_context
        @wraps(function)
        def callback(context: click.Context, /, *, as_json: bool, quiet: bool, **asked: Any) -> int:
            terminal = cast("Terminal", context.obj)
            terminal.as_json, terminal.quiet = as_json, quiet
            return function(terminal, **asked)

        made = click.command(epilog=f"\b\nExample:\n  {example}")(callback)
        made.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="One JSON object on standard output."),
            click.Option(["--quiet"], is_flag=True, help="No progress and no notes: the result alone."),
        ]
        return made

    return decorate


def together(*options: Callable[[Any], Any]) -> Decorator:
    """Several options as one decorator; the help lists them in this order."""

    def decorate(function: Callback) -> Callback:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def length(asked: Mapping[str, Any]) -> dict[str, Any]:
    """`epochs` and `time_s` as asked; five minutes where neither was. Raises UserError where that cannot be."""
    if asked["epochs"] is None and asked["time_s"] is None:
        if asked["deterministic"]:
            raise UserError(
                "--deterministic was given without --epochs",
                "the default is a time budget, which depends on how fast the machine is",
                "--epochs N",
            )
        return {"epochs": None, "time_s": DEFAULT_TIME_S}
    return {"epochs": asked["epochs"], "time_s": asked["time_s"]}


def path_option(name: str, text: str, metavar: str = "FOLDER") -> Callable[[Any], Any]:
    """An option that takes a path; whether it exists is for the job to say."""
    return click.option(name, type=click.Path(path_type=Path), metavar=metavar, help=text)


seed_option = click.option("--seed", type=int, default=0, metavar="N", show_default=True, help="Seed of all chance.")

threads_option = click.option("--threads", type=int, metavar="N", help="Processor threads [default: measured].")

data_dir_option = path_option(
    "--data-dir", "Where data sets lie [default: $ECONET_DATA, then the user's data folder, then the system's]."
)

download_option = click.option("--download", is_flag=True, help="Fetch a known data set that is not on this machine.")

skip_bad_option = click.option("--skip-bad", is_flag=True, help="Set files that cannot be decoded aside and go on.")

data_options = together(
    data_dir_option,
    download_option,
    click.option("--image-size", type=int, metavar="N", help="Side of the square images, in pixels."),
    click.option("--crop-from", type=int, metavar="N", help="Keep pictures of N pixels and crop --image-size of them."),
    click.option("--resize", type=Named("resize", "stretch", "shorter-side"), help="How photos become square."),
    click.option(
        "--validation",
        type=float,
        default=0.1,
        metavar="F",
        show_default=True,
        help="Share of the training images held out to choose by.",
    ),
    skip_bad_option,
)

length_options = together(
    click.option("--time", "time_s", type=Duration(), metavar="90s|5m|2h", help="Time to train [default: 5m]."),
    click.option("--epochs", type=int, metavar="N", help="Passes over the training images, instead of --time."),
)

augment_option = click.option(
    "--augment",
    type=Named("augment", *get_args(Augment)),
    default="light",
    show_default=True,
    help="How training images are varied.",
)


def _runtime(text: str) -> Callable[[Any], Any]:
    return click.option("--runtime", type=Named("runtime", *get_args(RuntimeName)), help=text)


runtime_option = _runtime("What runs the files [default: each format's own]. The records of another one bear its name.")
proof_runtime_option = _runtime("What runs the file [default: its format's own].")

deterministic_option = click.option(
    "--deterministic", is_flag=True, help="Measure nothing: same seed, same bits. Needs --epochs."
)

device_option = click.option(
    "--device",
    type=Named("device", "auto", "cpu", "cuda"),
    default="auto",
    show_default=True,
    help="Where to compute.",
)

_settings = together(
    click.option("--batch-size", type=int, metavar="N", help="Images in a step [default: the model's own]."),
    click.option(
        "--optimizer",
        type=Named("optimizer", *get_args(OptimizerName)),
        help="How weights move [default: the model's own].",
    ),
    click.option(
        "--schedule",
        type=Named("schedule", *get_args(ScheduleName)),
        default="one-cycle",
        show_default=True,
        help="How the learning rate moves.",
    ),
    click.option("--lr", type=float, metavar="F", help="Highest learning rate [default: the model's own]."),
)

_machine_options = together(deterministic_option, device_option, threads_option, seed_option)

training_options = together(_settings, augment_option, _machine_options)

# Where one network is trained, the number of pictures may decide how they are varied.
training_options_by_size = together(
    _settings,
    click.option(
        "--augment",
        type=Named("augment", *get_args(Augment)),
        help="How training images are varied [default: light; standard under 1,000 a class, strong under 100].",
    ),
    _machine_options,
)

lesson_options = together(
    click.option(
        "--distil",
        type=Named("loss", *get_args(DistilLoss)),
        default="kl",
        show_default=True,
        help="The teacher's loss: divergence of softened answers, or squared differences of logits.",
    ),
    click.option(
        "--temperature", type=float, default=3.0, show_default=True, metavar="F", help="Softens the teacher's answers."
    ),
    click.option(
        "--teacher-weight", type=float, default=0.7, show_default=True, metavar="F", help="Teacher's share of the loss."
    ),
    click.option(
        "--teacher-views",
        type=int,
        metavar="N",
        help="Vary each image in N ways, again and again, and keep the teacher's answers [default: ever new ones].",
    ),
)

match_features_option = click.option(
    "--match-features", type=float, metavar="F", help="Weight of matching the teacher's features too [default: 0]."
)

distillation_options = together(
    click.option(
        "--teacher",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="RUN",
        help="A trained run to learn from; several teach together.",
    ),
    lesson_options,
    match_features_option,
)

parent_teacher_option = click.option(
    "--teacher",
    "teachers",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="RUN|none",
    help="A run to learn from; several teach together [default: RUN itself].",
)


def named_teachers(teachers: tuple[Path, ...]) -> tuple[Path, ...] | None:
    """The runs that `--teacher` named, empty where it was not given; None for the word none.

    Raises UserError where that stands beside a run.
    """
    if Path("none") not in teachers:
        return teachers
    if len(teachers) > 1:
        raise UserError(
            "--teacher none and a run were both given", "none means that nobody teaches", "give one of them"
        )
    return None


mixing_options = together(
    click.option("--mixup", type=float, metavar="A", help="Blend pairs of images by shares of Beta(A, A)."),
    click.option("--cutmix", type=float, metavar="A", help="Patch pairs of images by shares of Beta(A, A)."),
)

regularisation_options = together(
    click.option(
        "--weight-decay", type=float, metavar="F", help="Pull of the weights to zero [default: the model's own]."
    ),
    click.option(
        "--label-smoothing",
        type=float,
        metavar="F",
        help="Share of each label given to all classes [default: the model's own].",
    ),
    click.option("--ema", type=float, metavar="F", help="Decay of the weights' average [default: the model's own]."),
)

folder_options = together(
    path_option("--out", "Where everything is written [default: runs/<data>-<model>-<time>]."),
    click.option("--resume", is_flag=True, help="Go on with what was begun in --out."),
)
