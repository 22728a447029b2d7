"""One point of a budget search: weighed before anything is trained, then trained for a little while."""

import copy
import time
from collections.abc import Callable, Sequence

import msgspec
import optuna
from msgspec.structs import replace
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from econet.errors import UserError
from econet.jobs.search import BEGAN, FOLDER, Watcher, tell
from econet.jobs.shrink_task import POINT, TRIALS, Task
from econet.jobs.train import train
from econet.models import cost
from econet.models.network import Network
from econet.models.space import chosen, in_words
from econet.runs.folder import Run
from econet.runs.shrink_records import TrialPoint


class TrialChooser:
    """Lets a trial make the choices of a point."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def among(self, name: str, options: Sequence[str]) -> str:
        """One of `options`."""
        return str(self._trial.suggest_categorical(name, list(options)))

    def whole(self, name: str, low: int, high: int, step: int = 1) -> int:
        """A whole number from `low` to `high` in steps of `step`."""
        return self._trial.suggest_int(name, low, high, step=step)


def try_out(task: Task, study: Study, trial: Trial, between_steps: Callable[[], None]) -> TrialPoint:
    """Weigh the point that `trial` chooses, train it where it keeps the budgets, and tell the study.

    Raises Interrupted after a signal: the trial then stays a running one and is queued again by the next process.
    """
    architecture = chosen(task.space, TrialChooser(trial))
    point = TrialPoint(
        number=trial.number,
        stage="trial",
        outcome="over budget",
        point=dict(trial.params),
        network=in_words(architecture),
        side=architecture.input[1],
        cost=None,
        over={},
        accuracy=None,
        epochs=0,
        seconds=0.0,
    )
    twin = _trained_before(study, point)
    if twin is not None:  # a search comes by the same network twice: its value is known
        tell(study, trial, twin.value)
        return point
    most = task.config.budgets.max_macs
    macs = cost.macs(architecture)
    if most is not None and macs > most:
        return _over(study, trial, point, {"macs": macs / most - 1})
    network = task.network(architecture)
    weighed, over = task.scales.weighed_untrained(
        copy.deepcopy(network), task.preprocess(architecture), task.config.data.classes, architecture.name
    )
    point = replace(point, cost=weighed, over=over)
    if over:
        return _over(study, trial, point, over)
    trial.set_user_attr(BEGAN, True)
    return _trained(task, study, trial, point, network, between_steps)


def _trained(
    task: Task, study: Study, trial: Trial, point: TrialPoint, network: Network, between_steps: Callable[[], None]
) -> TrialPoint:
    """Train the weighed `network` of `trial` for the trials' epochs, unless it is weak or cannot be trained."""
    architecture, weighed = network.architecture, point.cost
    if weighed is None:
        raise ValueError("a network is weighed before it is trained")
    folder = task.home(TRIALS, int(trial.user_attrs[FOLDER]))
    run, began = Run(folder), time.monotonic()

    def score(accuracy: float) -> float:
        return task.score(accuracy, weighed)

    watcher = Watcher(trial, between_steps, score, known=run.history)
    asked = task.training(architecture, epochs=task.plan.trial_epochs, threads=1)
    dataset = task.dataset(architecture.input[1])
    outcome, fault = "trained", None
    try:
        train(folder, dataset, asked, watcher, module=network, resume=run.exists)
    except optuna.TrialPruned:
        outcome = "stopped early"
    except UserError as error:
        outcome, fault = "failed", f"{error.what}: {error.why}"
    accuracy = run.history[-1].validation_accuracy if run.history else None
    point = msgspec.structs.replace(
        point,
        outcome=outcome,
        fault=fault,
        accuracy=accuracy,
        epochs=watcher.epochs,
        seconds=round(time.monotonic() - began, 3),
    )
    trial.set_user_attr(POINT, msgspec.to_builtins(point))
    tell(study, trial, score(accuracy) if outcome == "trained" and accuracy is not None else None)
    return point


def _over(study: Study, trial: Trial, point: TrialPoint, over: dict[str, float]) -> TrialPoint:
    point = replace(point, over=over)
    for name, share in over.items():
        trial.set_constraint(name, share)  # so the sampler learns where the budgets lie
    trial.set_user_attr(POINT, msgspec.to_builtins(point))
    tell(study, trial)
    return point


def _trained_before(study: Study, point: TrialPoint) -> FrozenTrial | None:
    """A trial that trained the very same network."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        known = trial.user_attrs.get(POINT)
        if known is not None and (known["network"], known["side"]) == (point.network, point.side):
            return trial
    return None


def points_of(study: Study) -> list[TrialPoint]:
    """Every point that was looked at, in the order of the trials."""
    kept = (trial.user_attrs.get(POINT) for trial in study.get_trials(deepcopy=False))
    return [msgspec.convert(point, TrialPoint) for point in kept if point is not None]
