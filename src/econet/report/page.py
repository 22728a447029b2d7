"""page.html: the story of one comparison in one self-contained file, drawn from its folder alone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup

from econet.deployment.artifact_file import open_artifact
from econet.deployment.graph import LayerSummary
from econet.errors import UserError
from econet.files import write_text
from econet.report import differences, ledger, networks, numbers, origin, summary, table, trust, words
from econet.report.charts.cost import CostPoint, cost_chart
from econet.report.charts.interval import Bar, answer_chart, interval_list
from econet.report.charts.learning import Learner, learning_chart
from econet.report.charts.reliability import reliability_chart, reliability_low
from econet.report.charts.svg import padded
from econet.report.comparison_folder import ComparisonFolder, open_comparison
from econet.report.pictures import read_pictures
from econet.report.rendering import rendered
from econet.runs.comparison_records import Comparison, Side
from econet.statistics.intervals import t_interval


def write_page(folder: Path) -> Path:
    """Draw `folder/page.html` from the comparison in `folder` and return its path.

    Reads comparison.json, pictures.npz, the sides' histories, predictions and artifacts; what a side lacks
    is said on the page. Raises UserError where a record is missing or damaged.
    """
    opened = open_comparison(folder)
    path = folder / "page.html"
    write_text(path, rendered("page.html", **_content(opened)))
    return path


def _content(opened: ComparisonFolder) -> dict[str, Any]:
    comparison = opened.comparison
    baseline, candidate = words.proof_sides(comparison)
    return {
        "comparison": comparison,
        "baseline": baseline,
        "candidate": candidate,
        "small": words.small_network(comparison),
        "pictures_word": words.pictures(comparison),
        "numbers": numbers,
        "words": words,
        "side_name": trust.side_name,
        "figures": summary.four_figures(comparison),
        "same_precision": summary.ratio_words(comparison),
        "columns": table.COLUMNS,
        "rows": table.rows(comparison.sides),
        "parity": trust.parity_rows(comparison),
        "fairness": trust.fairness(comparison),
        "set_aside": opened.set_aside(),
        "data_facts": origin.data_facts(comparison),
        "run_facts": origin.run_facts(comparison),
        "machine_facts": origin.machine_facts(comparison),
        "training_facts": origin.training_facts(opened),
        "digest_facts": origin.digest_facts(comparison),
        "records": opened.records(),
        "ledger": opened.ledger(),
        "ledger_words": ledger,
        "confusions": differences.confusions(baseline.evaluation, candidate.evaluation),
        **_charts(opened, baseline, candidate),
        **_pictures(opened),
        **_stacks(opened, baseline, candidate),
    }


def _charts(opened: ComparisonFolder, baseline: Side, candidate: Side) -> dict[str, Any]:
    comparison = opened.comparison
    digits = numbers.difference_digits(comparison.difference.interval, comparison.margin)
    difference = comparison.difference
    bar = Bar("", difference.candidate_minus_baseline, difference.interval)
    said = " ".join((words.headline(comparison), words.detail(comparison)))
    return {
        "digits": digits,
        "interval": answer_chart(bar, comparison.margin, digits, said),
        "repeats": _repeats(comparison, digits),
        "mean_of_repeats": _mean_of_repeats(comparison, digits),
        "costs": _costs(comparison),
        "learning": _learning(opened),
        "reliability": _reliability(baseline, candidate),
        "classes": _classes(opened, baseline, candidate),
    }


def _repeats(comparison: Comparison, digits: int) -> Markup | None:
    bars = [
        Bar(
            words.repeat_name(repeat),
            repeat.difference.candidate_minus_baseline,
            repeat.difference.interval,
            f": {repeat.verdict}",
        )
        for repeat in comparison.repeats
    ]
    said = "; ".join(f"{bar.label}{bar.note}" for bar in bars)
    return interval_list(bars, comparison.margin, digits, said) if bars else None


def _mean_of_repeats(comparison: Comparison, digits: int) -> str | None:
    if comparison.folds is not None:
        return None
    values = [repeat.difference.candidate_minus_baseline for repeat in comparison.repeats]
    if len(values) < 3:
        return None
    mean = numbers.points(sum(values) / len(values), digits)
    low, high = (numbers.points(end, digits) for end in t_interval(values))
    return f"{mean} points over {len(values)} seeds (95 % t interval of the mean: {low} to {high})"


def _costs(comparison: Comparison) -> list[Markup]:
    ends = [end for side in comparison.sides for end in side.evaluation.accuracy_interval]
    accuracy = padded(ends, part=0.05, least=0.01)
    axes: list[tuple[str, Callable[[Side], float | None], Callable[[float], str]]] = [
        ("MACs, one picture", lambda side: side.benchmark.macs, numbers.magnitude),
        ("file size", lambda side: side.benchmark.bytes, numbers.file_size),
        ("time for one picture", lambda side: side.benchmark.latency_ms.p50, numbers.per_image),
    ]
    charts: list[Markup] = []
    for caption, value, written in axes:
        points = [_cost_point(side, cost) for side in comparison.sides if (cost := value(side))]
        if points:
            charts.append(cost_chart(points, accuracy, caption, written))
    return charts


def _cost_point(side: Side, cost: float) -> CostPoint:
    evaluation = side.evaluation
    return CostPoint(
        trust.side_name(side),
        cost,
        evaluation.accuracy,
        evaluation.accuracy_interval,
        f"{side.role} {side.precision}",
    )


def _learning(opened: ComparisonFolder) -> Markup | None:
    learners: list[Learner] = []
    seen: set[Path] = set()
    for side in opened.comparison.sides:
        run, epochs = opened.run(side), opened.history(side)
        if run is not None and epochs and run.folder not in seen:
            seen.add(run.folder)
            learners.append(Learner(side.role, side.role, epochs))
    return learning_chart(learners) if learners else None


def _reliability(baseline: Side, candidate: Side) -> list[tuple[str, Markup]]:
    sides = [side for side in (baseline, candidate) if side.evaluation.reliability]
    low = reliability_low([side.evaluation.reliability for side in sides])
    draw = partial(reliability_chart, low=low)
    return [
        (
            trust.side_name(side),
            draw(side.evaluation.reliability, style=side.role, label=trust.side_name(side)),
        )
        for side in sides
    ]


def _classes(opened: ComparisonFolder, baseline: Side, candidate: Side) -> Markup | None:
    of_baseline, of_candidate = opened.predictions(baseline), opened.predictions(candidate)
    if of_baseline is None or of_candidate is None:
        return None
    bars = differences.class_changes(opened.comparison.data.classes, of_baseline, of_candidate)
    digits = max(numbers.digits_for(bar.interval) for bar in bars)
    return interval_list(bars, None, digits, "Change of accuracy of each class, candidate minus baseline")


def _pictures(opened: ComparisonFolder) -> dict[str, Any]:
    path = opened.path / "pictures.npz"
    if not path.is_file():
        return {"candidate_wrong": None, "baseline_wrong": None}
    return {f"{role}_wrong": read_pictures(path, role) for role in ("candidate", "baseline")}


def _stacks(opened: ComparisonFolder, baseline: Side, candidate: Side) -> dict[str, Any]:
    drawn: list[tuple[str, str, list[LayerSummary]]] = []
    missing: list[str] = []
    for side in (baseline, candidate):
        artifact = opened.artifact(side)
        if artifact is None:
            missing.append(f"The {side.role}'s file does not lie in this folder any more.")
            continue
        try:
            drawn.append((trust.side_name(side), side.name, open_artifact(artifact).layers()))
        except UserError as error:
            missing.append(f"The {side.role} cannot be drawn: {error.why}.")
    return {"stacks": networks.stacks(drawn), "stacks_missing": missing}
