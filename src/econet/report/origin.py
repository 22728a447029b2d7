"""How it was made: everything needed to repeat the comparison, as pairs of a name and a value."""

from econet.report import numbers
from econet.report.comparison_folder import ComparisonFolder
from econet.report.trust import side_name
from econet.runs.artifact_records import Runtime
from econet.runs.comparison_records import Comparison, Side
from econet.runs.records import RunConfig

Facts = list[tuple[str, str]]


def data_facts(comparison: Comparison) -> Facts:
    """Which images, how they were split and prepared."""
    data = comparison.data
    preprocess = data.preprocess
    height, width = preprocess.image_size
    channels = "gray" if preprocess.channels == 1 else "colour"
    return [
        ("Data", numbers.shown(data.name)),
        ("Source", numbers.shown(data.source, 200)),
        ("Classes", numbers.whole(len(data.classes))),
        ("Picture size", f"{height} × {width}, {channels}, resize {preprocess.resize}"),
        (
            "Split",
            f"seed {data.split_seed}, {numbers.percent(data.validation_fraction)} of training for validation",
        ),
        ("Fingerprint", data.fingerprint),
    ]


def run_facts(comparison: Comparison) -> Facts:
    """When, with what, how long."""
    steps = [(f"Step: {step.name}", numbers.seconds(step.seconds)) for step in comparison.steps]
    return [
        ("Made", comparison.created),
        ("EcoNet", comparison.econet),
        ("Seed", str(comparison.seed)),
        ("Reason", numbers.shown(comparison.reason, 300)),
        ("Margin", f"{numbers.margin_points(comparison.margin, 2)} points"),
        *steps,
        ("All training", numbers.seconds(comparison.seconds.training)),
        ("Everything", numbers.seconds(comparison.seconds.total)),
    ]


def machine_facts(comparison: Comparison) -> Facts:
    """The processor and the engine that took the measurements."""
    benchmark = comparison.sides[0].benchmark
    runtimes = {side.benchmark.runtime: side.role for side in comparison.sides}
    return [
        ("Processor", numbers.shown(benchmark.machine.cpu, 120)),
        ("Cores", str(benchmark.machine.cores)),
        ("Features", ", ".join(benchmark.machine.features) or "none recorded"),
        *(
            ("Engine" if len(runtimes) == 1 else f"Engine of the {role}", _engine(runtime))
            for runtime, role in runtimes.items()
        ),
        ("Spinning", "on" if benchmark.runtime.spinning else "off"),
        ("Energy", benchmark.energy_method),
    ]


def _engine(runtime: Runtime) -> str:
    return f"{runtime.name} {runtime.version}, {_threads(runtime.threads)}"


def training_facts(opened: ComparisonFolder) -> list[tuple[str, Facts]]:
    """For each trained side, what was asked and what was measured or fixed at its start."""
    found: list[tuple[str, Facts]] = []
    seen: set[str] = set()
    for side in opened.comparison.sides:
        config = opened.run_config(side)
        if config is None or side.run is None or side.run in seen:
            continue
        seen.add(side.run)
        found.append((side.role, _training(side, config)))
    return found


def digest_facts(comparison: Comparison) -> Facts:
    """SHA-256 of every file exported here and of the answers they gave."""
    facts: Facts = []
    for side in comparison.sides:
        if side.export is not None:
            facts.append((f"{side_name(side)}, file", side.export.sha256))
        facts.append((f"{side_name(side)}, answers", side.evaluation.predictions_sha256))
    return facts


def _training(side: Side, config: RunConfig) -> Facts:
    training, machine = config.training, config.machine
    facts = [
        ("Network", numbers.shown(config.model)),
        ("Optimizer", f"{training.optimizer}, {training.schedule}, lr {training.lr:g}"),
        ("Batch", f"{training.batch_size} pictures"),
        ("Augmentation", _augmentation(config)),
        ("Weight decay", f"{training.weight_decay:g}"),
        ("Label smoothing", f"{training.label_smoothing:g}"),
        ("Averaging (EMA)", f"{training.ema:g}"),
        ("Teacher", _teacher(config)),
        ("Seed", str(config.seed)),
        ("Device", f"{machine.device}, {_threads(machine.threads)}, {machine.precision}"),
        ("Measured at start", _measured(machine.measured_images_per_s)),
        ("Versions", f"Python {config.python}, torch {config.torch}, EcoNet {config.econet}"),
        ("Commit", config.git_commit or "none"),
    ]
    if side.training is not None:
        facts.insert(1, ("Trained", _trained(side)))
    return facts


def _trained(side: Side) -> str:
    assert side.training is not None
    still = "still improving at its end" if side.training.still_improving else "no longer improving at its end"
    return (
        f"{numbers.seconds(side.training.seconds)}, {side.training.epochs} epochs, "
        f"{numbers.whole(side.training.images)} pictures, {still}"
    )


def _teacher(config: RunConfig) -> str:
    teacher = config.training.teacher
    if teacher is None:
        return "none"
    who = " and ".join(numbers.shown(each.run) for each in teacher.runs)
    how = "squared differences of logits" if teacher.loss == "mse" else f"temperature {teacher.temperature:g}"
    said = f"{who}, {how}, weight {teacher.weight:g}"
    if teacher.match_features:
        said += f", features matched at weight {teacher.match_features:g}"
    return said if teacher.views is None else f"{said}, answers to {teacher.views} views kept"


def _augmentation(config: RunConfig) -> str:
    training = config.training
    mixing = (("mixup", training.mixup), ("CutMix", training.cutmix))
    return ", ".join([training.augment, *(f"{name} {shape:g}" for name, shape in mixing if shape)])


def _measured(images_per_s: dict[str, float]) -> str:
    if not images_per_s:
        return "nothing (fixed)"
    return ", ".join(f"{numbers.shown(name)}: {numbers.whole(rate)}/s" for name, rate in images_per_s.items())


def _threads(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
