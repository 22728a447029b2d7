"""What comes after training: a file, its proof beside it, its accuracy on the test pictures."""

from econet.data.dataset import Dataset
from econet.jobs.evaluate import evaluate_artifacts
from econet.jobs.export import export_run
from econet.jobs.prove import prove
from econet.runs.folder import Run
from econet.training.progress import Silent


def shipped(run: Run, dataset: Dataset) -> None:
    """Export the run as int8, evaluate the file and let it prove itself. Raises AssertionError where it does not."""
    export_run(run, dataset, int8=True, parity_drop=0.02, progress=Silent())
    file = run.artifact("int8")
    evaluate_artifacts([(file, run)], dataset, "test", Silent())
    replay = prove(file)
    assert replay.passed, replay.findings
