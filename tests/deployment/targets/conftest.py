"""The artifacts of `target_networks`, each made once."""

import pytest

from econet.compression.quantization import activation_ranges, quantize
from target_networks import ARTIFACTS, onnx_logits, pictures


@pytest.fixture(scope="session")
def unseen():
    """200 real test pictures, uint8 [200, 1, 28, 28]."""
    return pictures("t10k", 200)


@pytest.fixture(scope="session")
def artifacts():
    """(fp32 artifact, int8 artifact, range of the int8 logits on 300 training pictures) of a network by name."""
    made = {}

    def get(name):
        if name not in made:
            model, calibration = ARTIFACTS[name](), pictures("train", 300)
            small = quantize(model, activation_ranges(model, calibration))
            logits = onnx_logits(small, calibration)
            made[name] = (model, small, (float(logits.min()), float(logits.max())))
        return made[name]

    return get
