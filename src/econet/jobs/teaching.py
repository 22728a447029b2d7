"""Who teaches a run: asked for, recorded, and found again by a resume."""

from pathlib import Path

from torch import nn

from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.options import TrainOptions
from econet.runs import provenance
from econet.runs.folder import Run, open_run
from econet.runs.records import DataConfig, TeacherConfig, TeacherRun
from econet.training.kept_logits import check_processes
from econet.training.teachers import Teachers, feature_count
from econet.training.towers import is_towers
from econet.training.weights import teacher_for


def asked_teacher(options: TrainOptions, folder: Path) -> TeacherConfig | None:
    """What a run in `folder` records of its teachers; None where none is asked for.

    Raises UserError where one is no run or not finished, and where several processes were to keep its answers.
    """
    runs = [
        TeacherRun(run=provenance.relative_to(each, folder), weights_sha256=open_run(each).finished.weights_sha256)
        for each in options.teachers
    ]
    if not runs:
        return None
    if options.teacher_views is not None:
        check_processes()
    return TeacherConfig(
        run=runs[0].run,
        weights_sha256=runs[0].weights_sha256,
        others=tuple(runs[1:]),
        temperature=options.temperature,
        weight=options.teacher_weight,
        loss=options.distil,
        match_features=options.match_features or 0.0,
        views=options.teacher_views,
    )


def teachers_of(config: TeacherConfig, data: DataConfig, folder: Path, module: nn.Module | None = None) -> Teachers:
    """The recorded teachers of the run in `folder`, fit to teach on `data`; `module` where one is an object.

    Raises UserError where one cannot, or where its weights are no longer those that were recorded.
    """
    networks: list[nn.Module] = []
    for recorded in config.runs:
        run = open_run(folder / recorded.run)
        if run.is_finished and sha256_of(run.weights_path) != recorded.weights_sha256:
            raise changed("teacher", run)
        networks.append(teacher_for(data, run, module))
    return Teachers(networks, config)


def recorded_teachers(student: Run, module: nn.Module | None = None) -> Teachers | None:
    """The teachers of a run that was begun; None where it has none. `module` where one is the user's own object."""
    config = student.config
    recorded = config.training.teacher
    return None if recorded is None else teachers_of(recorded, config.data, student.folder, module)


def check_features(config: TeacherConfig, model: str, network: nn.Module, teachers: Teachers) -> None:
    """Raises UserError, by name, where features are to be matched of a network that has none EcoNet knows."""
    if not config.match_features:
        return
    names = (model, *(recorded.run for recorded in config.runs))
    for name, each in zip(names, (network, *teachers.networks), strict=True):
        if is_towers(name) or feature_count(each) is None:
            raise UserError(
                f"--match-features cannot be had of {name}",
                "it is not a network of the catalog with one dense layer at its end: which values are its features "
                "is not known",
                "leave --match-features out, or take a --model and teachers of the catalog",
            )


def changed(role: str, run: Run) -> UserError:
    """The error for a run whose weights are no longer those that another one began with."""
    return UserError(
        f"the {role} in {run.folder} changed",
        "its weights are not those this run began with",
        f"restore the {role}, or start again with --out NEW",
    )
