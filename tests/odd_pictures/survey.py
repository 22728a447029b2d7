"""Count what becomes of odd and of damaged picture files, in training's store and in a shipped file.

    python -m odd_pictures.survey [--mutants 20000] [--first 0]        (in tests/)

Prints one JSON object. A fresh process, so that its peak memory is its own.
"""

import argparse
import faulthandler
import hashlib
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from econet.data.dataset import Dataset
from econet.data.load import load_data
from econet.data.sources.photo_files import printable
from econet.deployment.metadata import Metadata, embed
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from odd_pictures.corpus import KINDS, corpus, mutants, write_classes
from odd_pictures.made import png, random

PART = 1000
# A decoder that is still at one file by then is stuck; the process ends with the place where it stands.
STUCK_S = 120


@dataclass
class Counts:
    """What became of the files of one survey."""

    files: int = 0
    readable: int = 0
    set_aside: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    unnamed: list[str] = field(default_factory=list)
    disagreeing: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    folder_unchanged: bool = True


def artifact(folder: Path, preprocess: Preprocess) -> Path:
    """A network that takes pictures of the store's size: the mean of their pixels, by colour."""
    size = [preprocess.channels, *preprocess.image_size]
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    ends = [("image", TensorProto.UINT8, ["N", *size]), ("logits", TensorProto.FLOAT, ["N", size[0]])]
    given, answer = (helper.make_tensor_value_info(*end) for end in ends)
    graph = helper.make_graph(nodes, "mean", [given], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    classes = ("red", "green", "blue")
    embed(model, Metadata(name="mean", classes=classes, preprocess=preprocess, precision="fp32"))
    path = folder / "mean.onnx"
    onnx.save(model, path)
    return path


def tree(folder: Path) -> str:
    """Names, times and bytes of everything in a folder, as one digest."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest.update(repr((os.fsencode(path), status.st_mtime_ns, status.st_mode, status.st_size)).encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def odd_places(folder: Path, outside: Path, content: bytes) -> None:
    """What is no file of pixels, or has no name of letters."""
    (outside / "away.png").write_bytes(content)
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket may have a hundred letters
        listening.bind("socket.png")
        os.chdir(here)
    (folder / "away.png").symlink_to(outside / "away.png")
    (folder / "nowhere.png").symlink_to(folder / "nothing")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / ".hidden").mkdir()
    for name in (b"\xff\xfe.png", "mütze 🎩.png".encode(), b"two\nlines.png", b"<b>&\"'.png", b"n" * 250 + b".png"):
        (folder / os.fsdecode(name)).write_bytes(content)
    (folder / "within.png").symlink_to(folder / os.fsdecode(b"\xff\xfe.png"))


def survey(folder: Path, work: Path, counts: Counts) -> Dataset:
    """Load `folder` as training does and ask a shipped file for the same pictures; add up what was found."""
    before = tree(folder)
    data = load_data(str(folder), image_size=32, skip_bad=True)
    predictor = Predictor(artifact(work, data.preprocess))
    stored = dict(_stored(data))
    aside = {line.path: line.set_aside for line in data.listing if line.set_aside is not None}
    reasons = Counter(counts.reasons)
    for path in _files(folder):
        name = printable(path.relative_to(folder))
        shipped, seconds = _asked(predictor, path)
        counts.files, counts.slowest_s = counts.files + 1, max(counts.slowest_s, round(seconds, 2))
        if path in stored:
            counts.readable += 1
            if isinstance(shipped, str) or not np.array_equal(shipped, stored[path]):
                counts.disagreeing.append(name)
        else:
            counts.set_aside += 1
            reasons[re.sub(r"\d[\d,]*", "N", aside.get(name) or "")] += 1
            if not aside.get(name):
                counts.unnamed.append(name)
            # A link out of the folder is no part of the data; as a picture that somebody names it may well be one.
            elif not isinstance(shipped, str) and aside[name] != "a link that leaves the folder":
                counts.disagreeing.append(name)
    counts.reasons = dict(reasons.most_common())
    counts.folder_unchanged &= tree(folder) == before
    return data


def _files(folder: Path) -> list[Path]:
    """Everything in the class folders that is no folder."""
    return [path for path in sorted(folder.glob("*/*")) if not path.is_dir()]


def _stored(data: Dataset) -> Iterator[tuple[Path, np.ndarray]]:
    for part in (data.train, data.validation, data.test):
        yield from zip(part.files, part.pixels, strict=True)


def _asked(predictor: Predictor, path: Path) -> tuple[np.ndarray | str, float]:
    """What the shipped file makes of a picture, or why it cannot, and the processor's seconds."""
    faulthandler.dump_traceback_later(STUCK_S, exit=True)
    began = time.process_time()
    try:
        found = predictor.stored(path)
    except UserError as error:
        found = error.why
    faulthandler.cancel_dump_traceback_later()
    return found, time.process_time() - began


def peak_memory_mb() -> int:
    """The most memory this process ever held. Linux tells it from the start of the program on."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) // 1000
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_000_000


def main() -> int:
    """Survey the corpus and the mutants, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    sound = png(random(1), 8, 2)
    odd, damaged = Counts(), Counts()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        write_classes(work / "odd", {name: each.content for name, each in corpus().items()}, sound)
        odd_places(work / "odd" / "one", work, sound)
        survey(work / "odd", work, odd)
        for start in range(asked.first, asked.first + asked.mutants, PART):
            stop = min(start + PART, asked.first + asked.mutants)
            write_classes(work / f"from {start}", mutants(start, stop), sound)
            survey(work / f"from {start}", work, damaged)
    found = {"kinds": len(KINDS), "odd": asdict(odd), "mutants": asdict(damaged), "peak_memory_mb": peak_memory_mb()}
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
