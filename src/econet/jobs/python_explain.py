"""`econet.explain` for Python: by itself, so that a file is explained where there is no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from econet.jobs.explain import ExplainOptions
from econet.jobs.explain import explain as explain_in
from econet.report.explained import Explained
from econet.runs.folder import Run
from econet.training.progress import Progress, Silent


def explain(
    subject: Run | Path | str,
    images: Path | str | Sequence[Path | str],
    *,
    against: Run | Path | str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Explained:
    """Where a file or a run looked for its answers to `images`, beside `against` where that is given.

    Options as in ExplainOptions. A notebook shows the result; `econet.report.explanation_page.write_explanation` writes
    it as a page. Raises UserError where something can be put right.
    """
    pictures = [images] if isinstance(images, Path | str) else images
    subjects = [_path(each) for each in (subject, against) if each is not None]
    return explain_in(subjects, [Path(each) for each in pictures], ExplainOptions(**options), progress or Silent())


def _path(subject: Run | Path | str) -> Path:
    return subject.folder if isinstance(subject, Run) else Path(subject)
