"""RUN, FILE or ZOO: told apart by looking."""

from pathlib import Path

from econet.errors import UserError


def target(word: str) -> Path:
    """The run folder, the artifact or the shipped artifact that `word` names. Raises UserError for none of them."""
    from econet.deployment import zoo

    path = Path(word)
    if path.exists():
        return path
    if len(path.parts) > 1 or path.suffix:
        raise UserError(f"{word} does not exist", "there is no such file or folder", "check its name")
    return zoo.find(word)


def artifact(word: str) -> Path:
    """The one file that `word` names; of a run folder its int8 file, else its fp32 one. Raises UserError."""
    from econet.runs.folder import open_run

    path = target(word)
    if not path.is_dir():
        return path
    artifacts = open_run(path).artifacts()
    if not artifacts:
        raise UserError(f"{path} has no file to use yet", "it was not exported", f"econet export {path} --int8")
    return artifacts[-1]
