"""The sides of one comparison, trained and exported: baseline first, then a teacher of its own, then the candidate."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from msgspec import structs

from econet.data.dataset import Dataset
from econet.deployment.parity import ParityBroken
from econet.jobs.export import export_run
from econet.jobs.options import PARITY_DROP, TrainOptions, settings
from econet.jobs.sides import Artifact, Contender, Lineup, artifact_of_file, artifacts_of
from econet.jobs.train import train
from econet.runs.comparison_records import ComparisonConfig, Step
from econet.runs.folder import Run
from econet.training.plan import RESERVE
from econet.training.progress import Progress

# Of the half that is not the baseline's, a teacher of its own takes this share.
TEACHER_SHARE = 0.6
# The candidate's training is planned to take this share of the time that the baseline's really took: a busy moment of
# the machine must not give it more.
JUST_UNDER = 0.9


@dataclass
class Story:
    """What one comparison has at hand while it goes on."""

    folder: Path
    dataset: Dataset
    config: ComparisonConfig
    progress: Progress
    steps: list[Step] = field(default_factory=list[Step])
    warnings: list[str] = field(default_factory=list[str])
    training_s: float = 0.0

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Tell and time one step."""
        self.progress.note(name)
        began = time.monotonic()
        yield
        self.steps.append(Step(name=name, seconds=round(time.monotonic() - began, 3)))

    def count_training(self, seconds: float) -> None:
        """The last step was a training of `seconds`, part of which an earlier process may have done."""
        self.training_s += seconds
        last = self.steps[-1]
        self.steps[-1] = Step(name=last.name, seconds=max(last.seconds, round(seconds, 3)))


def train_and_export(story: Story, lineup: Lineup) -> list[Artifact]:
    """Train what is to be trained, baseline first, and export every side; the files in the order of the table.

    Raises ParityBroken where a file does not answer as its network does; of the baseline's int8 file, which the
    verdict is not about, that is only a warning.
    """
    large = _train_side(story, lineup.baseline, _share(story, "baseline"))
    teacher = _teacher(story, lineup, large)
    small = _train_side(story, lineup.candidate, _candidate_time(story, large), teacher, lineup.width)
    artifacts: list[Artifact] = []
    for side in (large, small):
        artifacts += _exported(story, side)
    if teacher is not None and (large.run is None or teacher.folder != large.run.folder):
        artifacts += _exported(story, Contender("teacher", run=teacher))
    return artifacts


def _share(story: Story, role: str) -> float | None:
    """Seconds of the budget a side is planned for: half to the baseline; a teacher of its own shares the rest."""
    budget = story.config.time_s
    if budget is None:
        return None
    if role == "baseline":
        return budget / 2
    return budget / 2 * TEACHER_SHARE


def _candidate_time(story: Story, baseline: Contender) -> float | None:
    """What is left for the candidate: what the baseline really had, less a little and a teacher of its own."""
    budget = story.config.time_s
    if budget is None:
        return None
    half = budget / 2
    if baseline.run is not None and baseline.model is not None:
        had = baseline.run.finished.seconds
        half = min(budget - had, JUST_UNDER * had / (1 - RESERVE))
    own_teacher = Run(story.folder / "teacher")
    return half - (own_teacher.finished.seconds if own_teacher.is_finished else 0)


def _teacher(story: Story, lineup: Lineup, baseline: Contender) -> Run | None:
    """The teacher's finished run: the baseline's, one trained here, one trained before, or none."""
    if lineup.candidate.model is None or story.config.teacher == "none":
        return None
    if lineup.teacher is not None:
        return _train_side(story, lineup.teacher, _share(story, "teacher")).run
    if baseline.run is None:
        story.warnings.append("the baseline was given as a file, which cannot teach: the candidate had no teacher")
    return baseline.run


def _train_side(
    story: Story, side: Contender, time_s: float | None, teacher: Run | None = None, width: float | None = None
) -> Contender:
    """The side with its finished run: trained in `<role>/` where it is a model, untouched where it is not."""
    if side.model is None:
        return side
    config = story.config
    folder = story.folder / side.role
    own = {
        "model": side.model,
        "width": width,
        "time_s": time_s,
        "teacher": None if teacher is None else teacher.folder,
    }
    asked = settings(TrainOptions, structs.asdict(config), **own)
    taught = f", taught by {teacher.config.model}" if teacher is not None else ""
    with story.step(f"training the {side.role}, {side.model}{taught}"):
        run = train(folder, story.dataset, asked, story.progress, resume=Run(folder).exists)
    story.count_training(run.finished.seconds)
    return replace(side, run=run)


def _exported(story: Story, side: Contender) -> list[Artifact]:
    """The files of a side, each exported and proven equal where it is not there yet."""
    if side.file is not None:
        return [artifact_of_file(side.role, side.file)]
    if side.run is None:
        raise ValueError(f"the {side.role} has neither a run nor a file")
    exported: list[Artifact] = []
    with story.step(f"exporting the {side.role}"):
        for artifact in artifacts_of(side.role, side.run):
            try:
                export_run(
                    side.run,
                    story.dataset,
                    int8=artifact.precision == "int8",
                    parity_drop=PARITY_DROP,
                    progress=story.progress,
                )
            except ParityBroken as broken:
                if (artifact.role, artifact.precision) != ("baseline", "int8"):
                    raise
                story.warnings.append(f"the baseline has no int8 file: {str(broken).splitlines()[0]}")
            else:
                exported.append(artifact)
    return exported
