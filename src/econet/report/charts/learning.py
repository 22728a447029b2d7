"""How the networks learned: accuracy, loss and learning rate over minutes, all on one time axis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from econet.report import numbers
from econet.report.charts.svg import Scale, drawing, element, share, typeset
from econet.runs.records import Epoch

_MOST_DOTS = 60
_SPAN_OF_ACCURACY = 0.4
_TOP = 24
_GAP = 44


@dataclass(frozen=True, slots=True)
class Learner:
    """One network's epochs; `style` names its CSS class."""

    label: str
    style: str
    epochs: Sequence[Epoch]


@dataclass(frozen=True, slots=True)
class _Panel:
    caption: str
    top: float
    height: float
    scale: Scale
    value: Callable[[Epoch], float]
    written: Callable[[float], str]
    ticks: int
    plain: bool = False


def learning_chart(learners: Sequence[Learner]) -> Markup:
    """Draw validation accuracy, validation loss and lr over minutes; every learner needs an epoch or more."""
    longest = max(epoch.seconds for learner in learners for epoch in learner.epochs)
    time = Scale(0.0, max(longest, 0.1) / 60)
    panels = _panels(learners)
    bottom = panels[-1].top + panels[-1].height
    parts: list[Markup] = []
    for panel in panels:
        parts += _frame(panel)
        for learner in learners:
            parts += _line(panel, learner, time)
    parts += [*_end_labels(panels[0], learners, time), *_time_axis(time, bottom)]
    said = "; ".join(
        f"{each.label}: {100 * each.epochs[-1].validation_accuracy:.1f} % on validation after "
        f"{each.epochs[-1].seconds / 60:.1f} min, {len(each.epochs)} epochs"
        for each in learners
    )
    return drawing(
        parts,
        f"Learning over time. {said}",
        class_="chart stretch labelled",
        width="100%",
        height=bottom + 44,
    )


def _panels(learners: Sequence[Learner]) -> list[_Panel]:
    epochs = [epoch for learner in learners for epoch in learner.epochs]
    best = max(epoch.validation_accuracy for epoch in epochs)
    worst = min(epoch.validation_accuracy for epoch in epochs)
    low = max(worst, best - _SPAN_OF_ACCURACY)
    room = max(0.02, best - low) * 0.06
    losses = [epoch.validation_loss for epoch in epochs]
    highest_loss = min(max(losses), 4 * sorted(losses)[len(losses) // 2])
    accuracy = Scale(max(0.0, low - room), min(1.0, best + room))
    peak = max(epoch.lr for epoch in epochs)
    return [
        _Panel(
            "accuracy on validation pictures",
            _TOP,
            180,
            accuracy,
            lambda epoch: epoch.validation_accuracy,
            lambda value: f"{100 * value:.0f} %" if accuracy.high - accuracy.low > 0.05 else f"{100 * value:.1f} %",
            4,
        ),
        _Panel(
            "loss on validation pictures",
            _TOP + 180 + _GAP,
            110,
            Scale(0.0, highest_loss * 1.05 or 1.0),
            lambda epoch: epoch.validation_loss,
            lambda value: f"{value:g}",
            3,
        ),
        _Panel(
            "learning rate",
            _TOP + 180 + 110 + 2 * _GAP,
            36,
            Scale(0.0, peak or 1.0),
            lambda epoch: epoch.lr,
            lambda value: numbers.significant(value, 2),
            1,
            plain=True,
        ),
    ]


def _frame(panel: _Panel) -> list[Markup]:
    bottom = panel.top + panel.height
    parts = [
        element("text", panel.caption, x=0, y=panel.top - 10, class_="strong"),
        element("line", x1="0", x2="100%", y1=bottom, y2=bottom, class_="axis"),
    ]
    ticks = [panel.scale.low, panel.scale.high] if panel.plain else panel.scale.ticks(panel.ticks)
    for tick in ticks:
        y = bottom - panel.height * panel.scale.at(tick)
        parts.append(element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        text = typeset(panel.written(tick))
        parts.append(element("text", text, x=-7, y=y + 4, text_anchor="end", class_="quiet"))
    return parts


def _line(panel: _Panel, learner: Learner, time: Scale) -> list[Markup]:
    places = [(time.at(epoch.seconds / 60), panel.scale.at(panel.value(epoch))) for epoch in learner.epochs]
    line = element(
        "polyline",
        points=" ".join(f"{1000 * x:.1f},{1000 * (1 - y):.1f}" for x, y in places),
        vector_effect="non-scaling-stroke",
        class_=f"curve {learner.style}{' thin' if panel.plain else ''}",
    )
    stretched = element(
        "svg",
        line,
        x="0",
        y=panel.top,
        width="100%",
        height=panel.height,
        viewBox="0 0 1000 1000",
        preserveAspectRatio="none",
    )
    return [stretched] if panel.plain else [stretched, *_dots(panel, learner, places)]


def _dots(panel: _Panel, learner: Learner, places: Sequence[tuple[float, float]]) -> list[Markup]:
    every = -(-len(places) // _MOST_DOTS)
    last = len(places) - 1
    dots: list[Markup] = []
    for number, (epoch, (x, y)) in enumerate(zip(learner.epochs, places, strict=True)):
        if not 0 <= y <= 1 or (number % every and number != last):
            continue
        exact = element(
            "title",
            f"{learner.label}, epoch {epoch.epoch}, {epoch.seconds / 60:.2f} min: "
            f"accuracy {100 * epoch.validation_accuracy:.2f} %, loss {epoch.validation_loss:.4f}, lr {epoch.lr:.3g}",
        )
        cy = panel.top + panel.height * (1 - y)
        style = f"dot {learner.style}"
        dots.append(element("circle", exact, cx=share(x), cy=cy, r=2.5, class_=style))
    return dots


def _end_labels(panel: _Panel, learners: Sequence[Learner], time: Scale) -> list[Markup]:
    ends: list[tuple[float, float, Learner]] = []
    for learner in learners:
        last = learner.epochs[-1]
        part = min(1.0, max(0.0, panel.scale.at(last.validation_accuracy)))
        ends.append((panel.top + panel.height * (1 - part), time.at(last.seconds / 60), learner))
    parts: list[Markup] = []
    free = panel.top - 4
    for y, x, learner in sorted(ends, key=lambda end: end[0]):
        at = max(y + 4, free)
        free = at + 15
        value = typeset(f" {100 * learner.epochs[-1].validation_accuracy:.1f} %")
        if x < 0.97:
            parts.append(element("line", x1=share(x), x2="100%", y1=y, y2=at - 4, class_="leader"))
        style = f"{learner.style} label"
        number = element("tspan", value, class_="where-wide")
        parts.append(element("text", learner.label, number, x="100%", dx=7, y=at, class_=style))
    return parts


def _time_axis(time: Scale, bottom: float) -> list[Markup]:
    parts: list[Markup] = []
    for tick in time.ticks(5):
        at = share(time.at(tick))
        parts.append(element("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, class_="axis"))
        parts.append(element("text", f"{tick:g}", x=at, y=bottom + 18, text_anchor="middle", class_="quiet"))
    caption = "minutes of training"
    return [*parts, element("text", caption, x="50%", y=bottom + 38, text_anchor="middle", class_="quiet")]
