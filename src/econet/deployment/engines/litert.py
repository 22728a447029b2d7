""".tflite files in LiteRT, with XNNPACK, one image a call. What the ends mean is said by the sidecar."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econet.deployment.sidecar import OutputTensor, Sidecar
from econet.errors import UserError
from econet.images.preprocess import Pixels

# An odd scalar field may end at the file's last byte; the interpreter reads whole words.
_SLACK = bytes(8)


class LiteRtEngine:
    """An interpreter. Pixels become the input's codes by a table of 256, so that handing over is one look-up.

    Raises UserError where LiteRT is not installed, ValueError or RuntimeError where it cannot run the file.
    """

    name = "litert"

    def __init__(self, content: bytes, sidecar: Sidecar, *, threads: int) -> None:
        interpreter = _interpreter(content, threads)
        self.version, self.threads = version("ai-edge-litert"), threads
        self._interpreter, self._sidecar = interpreter, sidecar
        self._input = int(interpreter.get_input_details()[0]["index"])
        self._output = int(interpreter.get_output_details()[0]["index"])
        self._codes = input_codes(sidecar)
        self._try_out()

    def logits(self, images: Pixels) -> NDArray[np.float32]:
        """Logits [N, K] of uint8 [N, H, W, C], one image after the other."""
        inputs = self._inputs(images)
        answers = np.concatenate([self._answer(inputs[index : index + 1]) for index in range(len(images))])
        return logits_of(answers, self._sidecar.output)

    def call(self, images: Pixels) -> Callable[[], object]:
        """A call for each of these images."""
        inputs = self._inputs(images)
        singles = [inputs[index : index + 1] for index in range(len(images))]
        return lambda: [self._answer(single) for single in singles]

    def _try_out(self) -> None:
        """One answer to a black picture: some faults of a file show only when it runs."""
        record = self._sidecar.preprocess
        answer = self._answer(self._inputs(np.zeros((1, *record.image_size, record.channels), np.uint8)))
        if answer.shape != (1, len(self._sidecar.classes)):
            raise ValueError(f"it gives an answer of shape {list(answer.shape)}")

    def _inputs(self, images: Pixels) -> NDArray[Any]:
        ordered = images if self._sidecar.input.layout == "NHWC" else images.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(self._codes[ordered])

    def _answer(self, single: NDArray[Any]) -> NDArray[Any]:
        self._interpreter.set_tensor(self._input, single)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


def input_codes(sidecar: Sidecar) -> NDArray[Any]:
    """What stands in the input tensor for each gray level: [256] of the tensor's type."""
    record, end = sidecar.preprocess, sidecar.input
    values = (np.arange(256, dtype=np.float64) - record.offset) * record.scale
    if end.scale is None or end.zero_point is None:
        return values.astype(np.float32)
    bounds = np.iinfo(end.type)
    codes = np.rint(values / end.scale) + end.zero_point
    return np.clip(codes, bounds.min, bounds.max).astype(end.type)


def logits_of(answers: NDArray[Any], end: OutputTensor) -> NDArray[np.float32]:
    """Logits [N, K] of what a file gives: probabilities p become log p, so that their softmax is p again.

    A probability of 0 counts as half a step of the output's grid (of float32: as its smallest normal number).
    """
    values = answers.astype(np.float64)
    step = float(np.finfo(np.float32).tiny)
    if end.scale is not None and end.zero_point is not None:
        values, step = (values - end.zero_point) * end.scale, end.scale / 2
    if end.holds == "probabilities":
        values = np.log(np.maximum(values, step))
    return values.astype(np.float32)


def _interpreter(content: bytes, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise UserError(
            "LiteRT is not installed", "it is what runs .tflite files", 'pip install "econet[litert]"'
        ) from error
    with silent():
        interpreter = Interpreter(model_content=content + _SLACK, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def silent() -> Generator[None]:
    """What goes wrong is raised; the runtime's own lines on standard error would stand beside it."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
