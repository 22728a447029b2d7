"""What apps get wrong is found by a proof and named rightly, each sabotage built for real."""

import io
from dataclasses import replace

import numpy as np
import openvino
import pytest
from PIL import Image, ImageOps

from econet.deployment.proof.pipeline import Answers, replayed
from econet.deployment.proof.verdict import judge
from econet.images.decode import decode_bytes
from econet.jobs.prove import prove

SEEN = ["file", "decoder", "resize", "crop", "input", "runtime", "answers"]
KINDS = [(kind, precision) for kind in ("gray", "colour") for precision in ("fp32", "int8")]


def opened(content, *, upright=True):
    picture = Image.open(io.BytesIO(content))
    return ImageOps.exif_transpose(picture) if upright else picture


def as_array(picture, channels):
    colours = picture.convert("RGB")
    return np.array(colours) if channels == 3 else np.array(colours.convert("L"))[..., None]


# Decoders as a person would write them, each wrong in one thing.


def without_orientation(content, channels):
    """Right in all, but for the tag that says how a telephone was held."""
    plain = opened(content, upright=False)
    if plain.getexif().get(0x0112, 1) == 1:
        return decode_bytes(content, channels)
    return as_array(plain, channels)


def blue_first(content, channels):
    return decode_bytes(content, channels)[:, :, ::-1]


def over_black(content, channels):
    picture = opened(content)
    if not picture.has_transparency_data:
        return decode_bytes(content, channels)
    above = np.array(picture.convert("RGBA")).astype(float)
    below = np.rint(above[..., :3] * above[..., 3:] / 255).astype(np.uint8)
    return as_array(Image.fromarray(below), channels)


def clipped_16_bit(content, channels):
    picture = opened(content)
    if picture.mode != "I;16":
        return decode_bytes(content, channels)
    return as_array(Image.fromarray(np.clip(np.array(picture), 0, 255).astype(np.uint8)), channels)


def television_gray(content, channels):
    """Gray by the weights of ITU-R 709 instead of 601."""
    red, green, blue = decode_bytes(content, 3).astype(float).transpose(2, 0, 1)
    return np.rint(0.2126 * red + 0.7152 * green + 0.0722 * blue).astype(np.uint8)[..., None]


def nearest(image, preprocess):
    height, width = preprocess.resize_size
    rows = (np.arange(height) + 0.5) * image.shape[0] / height
    columns = (np.arange(width) + 0.5) * image.shape[1] / width
    return image[rows.astype(int)][:, columns.astype(int)]


def bicubic(image, preprocess):
    height, width = preprocess.resize_size
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def two_by_two(image, preprocess):
    """Bilinear between the four neighbours, as a texture unit or cv2.resize does it: no antialiasing."""
    height, width = preprocess.resize_size
    across, down = image.shape[1] / width, image.shape[0] / height
    planes = [Image.fromarray(np.pad(plane, 1, "edge")) for plane in image.transpose(2, 0, 1)]
    move, kernel = (across, 0, 1, 0, down, 1), Image.Resampling.BILINEAR
    drawn = [np.array(each.transform((width, height), Image.Transform.AFFINE, move, kernel)) for each in planes]
    return np.stack(drawn, 2)


def a_pixel_off(images, preprocess):
    height, width = preprocess.image_size
    top, left = (images.shape[-3] - height) // 2 + 1, (images.shape[-2] - width) // 2
    return images[..., top : top + height, left : left + width, :]


STAGES = {
    "orientation": ({"decode": without_orientation}, "decoder", "orientation", KINDS),
    "channel order": ({"decode": blue_first}, "decoder", "channel order", KINDS[2:]),
    "alpha over black": ({"decode": over_black}, "decoder", "alpha", KINDS),
    "16 bits clipped": ({"decode": clipped_16_bit}, "decoder", "16 bits", KINDS),
    "gray by other weights": ({"decode": television_gray}, "decoder", "gray", KINDS[:2]),
    "nearest": ({"resize": nearest}, "resize", "resize", KINDS[2:]),
    "bicubic": ({"resize": bicubic}, "resize", "resize", KINDS[2:]),
    "no antialiasing": ({"resize": two_by_two}, "resize", "resize", KINDS[2:]),
    "crop": ({"crop": a_pixel_off}, "crop", "crop", KINDS[2:]),
}
# What moves an int8 network by less than its own rounding does shows in pixels, not in logits.
FAINT = [("bicubic", ("colour", "int8"))]
CASES = [(name, kind) for name, (_, _, _, kinds) in STAGES.items() for kind in kinds]


def words(value):
    return "-".join(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("name", "kind"), CASES, ids=words)
def test_a_wrong_stage_is_named_where_every_stage_is_seen(proven, name, kind):
    given = proven(*kind)
    change, stage, cause, _ = STAGES[name]
    answers = replayed(given.proof, replace(given.base, **change))
    (finding,) = judge(given.proof, answers, given.base, "here").findings
    assert (finding.stage, finding.cause) == (stage, cause)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case not in FAINT], ids=words)
def test_a_wrong_stage_is_named_by_another_programs_logits_alone(proven, name, kind):
    given = proven(*kind)
    change, stage, cause, _ = STAGES[name]
    logits = replace(given.base, **change).logits_of(given.proof.photos)
    verdict = judge(given.proof, Answers(logits=logits), given.base, "an app")
    assert [(finding.stage, finding.cause) for finding in verdict.findings] == [(stage, cause)]


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_what_is_right_is_proven(proven, kind):
    given = proven(*kind)
    replay = prove(given.path)
    assert replay.passed
    assert [check.stage for check in replay.checks] == SEEN
    assert {check.largest_difference for check in replay.checks[1:]} == {0.0}


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_same_proof_passes_in_openvino(proven, kind):
    replay = prove(proven(*kind).path, runtime="openvino")
    assert replay.passed, replay.findings
    assert replay.runtime.startswith("openvino ")


# Settings of a runtime.


def in_openvino(path, *, prepare=None, **settings):
    core = openvino.Core()
    model = core.read_model(path)
    if prepare is not None:
        steps = openvino.preprocess.PrePostProcessor(model)
        prepare(steps.input())
        model = steps.build()
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda images: np.array(request.infer([np.ascontiguousarray(images.transpose(0, 3, 1, 2))])["logits"])


def named(given, run):
    answers = replayed(given.proof, replace(given.base, answer=run))
    findings = judge(given.proof, answers, given.base, "openvino").findings
    return [(finding.stage, finding.cause) for finding in findings]


def test_a_runtime_set_to_a_lower_precision_is_named(proven):
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16 for OpenVINO to use")
    given = proven("colour", "fp32")
    assert named(given, in_openvino(given.path, INFERENCE_PRECISION_HINT="bf16")) == [("runtime", "runtime")]
    assert named(given, in_openvino(given.path, INFERENCE_PRECISION_HINT="f32")) == []


def test_a_runtime_set_to_exchange_channels_is_named(proven):
    def exchange(given_input):
        given_input.model().set_layout(openvino.Layout("NCHW"))
        given_input.preprocess().reverse_channels()

    given = proven("colour", "int8")
    assert named(given, in_openvino(given.path, prepare=exchange, INFERENCE_PRECISION_HINT="f32")) == [
        ("input", "channel order")
    ]
