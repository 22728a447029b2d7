"""A whole short run - train, export, evaluate, prove - disturbed once, taken up again, and held against a quiet one."""

import random
from pathlib import Path
from typing import Any

from disturbed.disk import FAILING, LYING
from disturbed.nursery import Nursery, assert_whole

SIGKILL = 9
# econet at a quarter of its width on 271 pictures of clothes: two epochs of two steps, a checkpoint after each step.
SIZE = ("econet", 2, 135)
# What does not hold a time or a process: these files must be the same bytes, however often the run was disturbed.
SAME = (
    "weights.safetensors",
    "model.int8.onnx",
    "model.int8.export.json",
    "model.int8.proof.npz",
    "model.int8.predictions.npz",
)
LEFT = {".lock", "config.json", "finished.json", "history.jsonl", "model.int8.evaluation.json", *SAME}


class Sweep:
    """The quiet run, made first in `folder / "quiet"`, and every disturbed one in a folder of its own beside it."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self.nursery, self.folder = nursery, folder
        quiet = self._child(folder / "quiet")
        assert (quiet["signal"], quiet["exit"]) == (0, 0), quiet["said"]
        self.operations, self.seconds = quiet["operations"], quiet["seconds"]
        self.expected = {name: (folder / "quiet" / name).read_bytes() for name in SAME}

    def at(self, operation: int, fault: str = "kill", moment: str = "before") -> str:
        """Disturb the run at that operation and finish it: "killed", "refused" or "done" as if nothing had been.

        Raises AssertionError where the run then is not whole, or ends otherwise than the quiet one.
        """
        folder = self.folder / f"{fault}-{moment}-{operation}"
        first = self._child(folder, operation=operation, fault=fault, moment=moment)
        outcome = _outcome(first, folder)
        if fault == "kill":
            assert outcome == ("killed" if operation <= self.operations else "done")
        elif fault in FAILING:
            assert outcome == "refused"
        else:
            assert outcome in (("done", "refused") if fault in LYING else ("done",))
        self._finish(folder)
        return outcome

    def at_random(self, number: int) -> str:
        """Kill the run at a moment drawn by `number`, and finish it: "killed", or "done" where it was quicker."""
        folder = self.folder / f"random-{number}"
        pause = random.Random(number).uniform(0, self.seconds)
        outcome = _outcome(self._child(folder, pause=pause), folder)
        self._finish(folder)
        return outcome

    def second_start(self, number: int) -> str:
        """Begin a run in a folder where one is on: "refused", naming the holder, which then is killed and taken up.

        Raises AssertionError where the second is let in, or the first is harmed.
        """
        folder = self.folder / f"second-{number}"
        second = self._child(folder, second=True, after_reports=1 + number % 2)
        assert (second["signal"], second["exit"]) == (0, 2), second["said"]
        assert f"another process is writing in {folder}" in second["said"]
        assert f'"pid": {second["holder"]}' in second["said"]
        self._finish(folder)
        return "refused"

    def _child(self, folder: Path, **disturbance: Any) -> dict[str, Any]:
        return self.nursery.child(folder, *SIZE, whole=True, scope="all", **disturbance)

    def _finish(self, folder: Path) -> None:
        """Take the run up again; hold it against the quiet one and drop its folder."""
        assert_whole(folder)
        again = self._child(folder)
        assert (again["signal"], again["exit"]) == (0, 0), again["said"]
        assert_whole(folder)
        for name, content in self.expected.items():
            assert (folder / name).read_bytes() == content, f"{folder}: {name} differs from that of a quiet run"
        left = {path.name for path in folder.iterdir()}
        assert left == LEFT, left ^ LEFT
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _outcome(ended: dict[str, Any], folder: Path) -> str:
    """What became of a child. Raises AssertionError where it ended in a traceback, or does not name its folder."""
    if ended["signal"] == SIGKILL:
        return "killed"
    assert ended["signal"] == 0
    assert ended["exit"] in (0, 2), ended["said"]
    if ended["exit"] == 2:
        assert ended["said"].startswith("error: cannot write "), ended["said"]
        assert str(folder) in ended["said"]
        return "refused"
    return "done"
