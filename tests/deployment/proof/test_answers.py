"""Another program's answers are read by name, judged, and refused where they do not fit."""

import csv

import numpy as np
import pytest

from econet.deployment.proof.answers_file import read_answers
from econet.errors import UserError
from econet.images.preprocess import cropped
from econet.jobs.prove import prove


def write_table(path, proof, logits, order=None):
    classes = list(proof.head.classes)
    order = list(range(len(classes))) if order is None else order
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["photo", *(classes[place] for place in order)])
        for name, row in reversed(list(zip(proof.names, logits, strict=True))):
            writer.writerow([name, *(repr(float(row[place])) for place in order)])


def test_a_table_is_matched_by_the_names_of_photos_and_classes(proven, tmp_path):
    given = proven("colour", "int8")
    write_table(tmp_path / "app.csv", given.proof, given.proof.logits, order=[4, 0, 3, 1, 2])
    assert np.array_equal(read_answers(tmp_path / "app.csv", given.proof).logits, given.proof.logits)
    replay = prove(given.path, answers=tmp_path / "app.csv")
    assert replay.passed
    assert [check.stage for check in replay.checks] == ["answers"]


def test_probabilities_in_place_of_logits_are_named(proven, tmp_path):
    given = proven("colour", "fp32")
    weights = np.exp(given.proof.logits.astype(float))
    write_table(tmp_path / "app.csv", given.proof, weights / weights.sum(1, keepdims=True))
    (finding,) = prove(given.path, answers=tmp_path / "app.csv").findings
    assert finding.what == "the answers are probabilities, not logits"


def test_pixels_that_reach_the_network_name_the_stage(proven, tmp_path):
    given = proven("colour", "int8")
    right = cropped(given.proof.pixels, given.proof.head.preprocess)
    np.savez(tmp_path / "app.npz", inputs=right)
    assert prove(given.path, answers=tmp_path / "app.npz").passed
    np.savez(tmp_path / "app.npz", inputs=right[:, :, ::-1])
    (finding,) = prove(given.path, answers=tmp_path / "app.npz").findings
    assert (finding.stage, finding.cause) == ("input", "mirrored")
    assert finding.photos == given.proof.names[: len(right)]


def test_a_decoder_that_cannot_read_a_format_is_named(proven, tmp_path):
    given = proven("gray", "int8")
    decoded = {f"decoded_{number:02}": pixels for number, pixels in enumerate(given.proof.decoded)}
    del decoded[f"decoded_{given.proof.names.index('lossless.webp'):02}"]
    np.savez(tmp_path / "app.npz", **decoded)
    (finding,) = prove(given.path, answers=tmp_path / "app.npz").findings
    assert finding.what == "the decoder cannot read lossless.webp"


def test_what_fits_no_known_cause_is_named_by_its_stage(proven, tmp_path):
    given = proven("colour", "fp32")
    noise = np.random.default_rng(0).normal(0, 9, given.proof.logits.shape)
    write_table(tmp_path / "app.csv", given.proof, given.proof.logits + noise)
    (finding,) = prove(given.path, answers=tmp_path / "app.csv").findings
    assert (finding.stage, finding.cause) == ("answers", "answers")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "first line"),
        ("photo,coat,dress\n", "first line"),
        ("photo,coat,dress,hat,boot,bag\ncolour.png,1,2,3,4,5\n", "does not have each photo"),
        ("photo,coat,dress,hat,boot,bag\n{rows}", "no number"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(proven, tmp_path, text, why):
    given = proven("colour", "fp32")
    rows = "".join(f"{name},1,2,3,four,5\n" for name in given.proof.names)
    (tmp_path / "app.csv").write_text(text.replace("{rows}", rows))
    with pytest.raises(UserError, match=why):
        prove(given.path, answers=tmp_path / "app.csv")


def test_arrays_that_do_not_fit_are_refused(proven, tmp_path):
    given = proven("colour", "fp32")
    for arrays, why in (
        ({"logits": np.zeros((2, 5), np.float32)}, "'logits' is float32"),
        ({"answers": np.zeros(3, np.uint8)}, "it has 'answers'"),
        ({"logits": np.array([None])}, "holds object"),
    ):
        np.savez(tmp_path / "app.npz", **arrays)
        with pytest.raises(UserError, match=why):
            prove(given.path, answers=tmp_path / "app.npz")
