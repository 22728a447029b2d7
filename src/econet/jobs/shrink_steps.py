"""From a trained run to the files that may ship: the one place where further steps on a network are put in."""

from econet.data.dataset import Dataset
from econet.deployment.parity import ParityBroken
from econet.jobs.export import export_run
from econet.jobs.options import PARITY_DROP
from econet.runs.artifact_records import Export
from econet.runs.folder import Run
from econet.training.progress import Progress


def candidate_steps(trained: Run, dataset: Dataset, progress: Progress) -> list[tuple[Run, Export]]:
    """The files of a finished run, int8 first, each with the run it lies in and its parity proven.

    A file that does not answer as the network does is left out and said so. Steps that change the network, such as
    pruning, give a run of their own and add its files here.
    """
    files: list[tuple[Run, Export]] = []
    for int8 in (True, False):
        try:
            export = export_run(trained, dataset, int8=int8, parity_drop=PARITY_DROP, progress=progress)
        except ParityBroken as broken:
            progress.note(f"{trained.folder}: left out: {str(broken).splitlines()[0]}")
        else:
            files.append((trained, export))
    return files
