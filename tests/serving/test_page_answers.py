"""Whatever picture comes, the page answers as the Predictor does, or says in three lines why not."""

import base64
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from econet.deployment.predictor import Predictor
from served_page import SHIPPED, serving

PHOTO = sorted((Path(__file__).parents[1] / "fixtures" / "clothing" / "test" / "dress").iterdir())[0]


def square(mode="RGB"):
    """A real photo, 200 pixels a side."""
    with Image.open(PHOTO) as picture:
        return picture.convert("RGB").crop((0, 100, 200, 300)).convert(mode)


def seen(answer) -> np.ndarray:
    """The small picture that the page shows, as pixels."""
    head, _, content = answer["seen"]["source"].partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def shrunk(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").convert("L").resize((28, 28), Image.Resampling.BILINEAR))


def turned():
    exif = Image.Exif()
    exif[274] = 6
    return exif.tobytes()


def wide_gray():
    return Image.fromarray(np.asarray(square("L")).astype(np.uint16) * 257)


def see_through():
    picture = square("RGBA")
    picture.putalpha(0)
    return picture


WHITE = Image.new("L", (200, 200), 255)
AWKWARD = {
    "png": (lambda: (square(), "PNG", {}), square),
    "webp": (lambda: (square(), "WEBP", {"lossless": True}), square),
    "bmp": (lambda: (square(), "BMP", {}), square),
    "tiff": (lambda: (square(), "TIFF", {}), square),
    "gray": (lambda: (square("L"), "PNG", {}), lambda: square("L")),
    "sixteen bits": (lambda: (wide_gray(), "PNG", {}), lambda: square("L")),
    "one bit": (lambda: (square("1"), "PNG", {}), lambda: square("1")),
    "palette": (lambda: (square("P"), "PNG", {}), lambda: square("P")),
    "cmyk": (lambda: (square("CMYK"), "TIFF", {}), lambda: square("CMYK")),
    "turned": (lambda: (square(), "PNG", {"exif": turned()}), lambda: square().rotate(-90)),
    "see-through": (lambda: (see_through(), "PNG", {}), lambda: WHITE),
    "animated": (
        lambda: (square("L"), "GIF", {"save_all": True, "append_images": [WHITE]}),
        lambda: square("L"),
    ),
    "one pixel": (lambda: (Image.new("RGB", (1, 1), "white"), "PNG", {}), lambda: WHITE),
}


@pytest.mark.parametrize("kind", AWKWARD)
def test_every_kind_of_picture_is_seen_as_pillow_shows_it(kind, site, as_file):
    sent, expected = AWKWARD[kind]
    picture, form, options = sent()
    (answer,) = site.answers(as_file(picture, form, **options))
    np.testing.assert_array_equal(seen(answer), shrunk(expected()))


def test_the_answer_is_the_predictors_on_the_picture_that_is_shown(site):
    (answer,) = site.answers(PHOTO.read_bytes())
    expected = Predictor(SHIPPED).predict(seen(answer), top=10)
    assert [each["label"] for each in answer["likeliest"]] == [each.label for each in expected[:5]]
    found = [each["probability"] for each in answer["likeliest"]]
    np.testing.assert_allclose(found, [each.probability for each in expected[:5]], atol=1e-7)
    assert answer["others"] == 5
    assert answer["others_probability"] == pytest.approx(1 - sum(found), abs=1e-6)
    assert answer["latency_ms"] > 0


def test_what_was_done_to_the_picture_is_told(site, as_file):
    (answer,) = site.answers(as_file(square().resize((90, 60))), "/answer?swap=1")
    assert answer["seen"]["steps"] == (
        "90 × 60 pixels, read as gray, dark and light swapped, scaled, and the centre cut to 28 × 28"
    )


def test_swapping_exchanges_dark_and_light(site, as_file):
    gray = square("L").resize((28, 28))
    (answer,) = site.answers(as_file(gray), "/answer?swap=1")
    np.testing.assert_array_equal(seen(answer), 255 - np.asarray(gray))


def header_only_png(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1000) + b"IDAT"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"these are words", "not one of JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "not one of JPEG"),
        (b"%PDF-1.7\n", "not one of JPEG"),
        (b"GIF89a" + bytes(40), ""),
        (header_only_png(30_000, 30_000), "over the limit of"),
        (header_only_png(20_000, 1), "is a strip"),
        (PHOTO.read_bytes()[:3000], ""),
    ],
    ids=["empty", "words", "svg", "pdf", "gif of zeros", "huge", "strip", "cut photo"],
)
def test_what_is_no_picture_is_answered_in_three_lines(content, why, site):
    reply = site.ask("/answer", content)
    assert reply.status == 400
    assert set(reply.json) == {"error", "why", "try"}
    assert reply.json["error"] == "this is no picture that can be read"
    assert why in reply.json["why"]
    assert reply.json["why"]


def test_two_networks_answer_side_by_side_each_in_its_own_way(relabelled, tmp_path, as_file):
    names = [f"kind {number}" for number in range(10)]
    other = relabelled(tmp_path / "other.onnx", names, resize="stretch")
    photo = as_file(square().resize((120, 60)))
    with serving([SHIPPED, other]) as site:
        networks = site.ask("/networks").json["networks"]
        cut, stretched = site.answers(photo)
    assert [each["name"] for each in networks] == ["fashion-mnist-econet-76k", f"{tmp_path.name}/other.onnx"]
    size = SHIPPED.stat().st_size
    assert networks[0]["headline"] == f"{size / 1000:.1f} KB, 94.6 % right"
    assert networks[1]["headline"].endswith("accuracy not recorded")
    wide = square().resize((120, 60))
    np.testing.assert_array_equal(seen(stretched), shrunk(wide))
    height = np.asarray(wide.convert("L").resize((56, 28), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(seen(cut), height[:, 14:42])
    assert cut["likeliest"][0]["label"] in Predictor(SHIPPED).classes
    assert stretched["likeliest"][0]["label"] in names


def test_a_file_without_confidence_says_nothing_of_none_of_these(site):
    (answer,) = site.answers(PHOTO.read_bytes())
    assert answer["sureness"] is None


@pytest.mark.parametrize(("familiar", "none"), [(1e6, True), (-1e6, False)])
def test_a_file_with_confidence_says_whether_it_may_be_none_of_these(familiar, none, doubtful, tmp_path):
    with serving([doubtful(tmp_path / "sure.onnx", familiar=familiar, score=50.0)]) as site:
        (answer,) = site.answers(PHOTO.read_bytes())
    assert answer["sureness"]["none_of_these"] is none
    # Every class is likelier than exp(-50): the set is all ten, of which eight are named.
    assert len(answer["sureness"]["among"]) == 8
    assert answer["sureness"]["others"] == 2
    assert answer["sureness"]["among"][:5] == [each["label"] for each in answer["likeliest"]]


def test_the_set_holds_the_classes_up_to_the_files_threshold(doubtful, tmp_path):
    with serving([doubtful(tmp_path / "sure.onnx", familiar=0.0, score=2.5)]) as site:
        (answer,) = site.answers(PHOTO.read_bytes())
        (none,) = serving_answer(doubtful(tmp_path / "strict.onnx", familiar=0.0, score=0.0))
    logits = Predictor(SHIPPED).logits(seen(answer)[None, :, :, None])[0].astype(float)
    weights = np.exp((logits - logits.max()) / 2)
    likely = weights / weights.sum() >= np.exp(-2.5)
    assert 1 < likely.sum() < 8
    expected = [Predictor(SHIPPED).classes[index] for index in np.argsort(-weights) if likely[index]]
    assert answer["sureness"] == {"none_of_these": False, "among": expected, "others": 0}
    assert none["sureness"]["among"] == []


def serving_answer(path):
    with serving([path]) as site:
        return site.answers(PHOTO.read_bytes())


def test_a_bug_is_told_as_one_and_the_page_goes_on(site, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("econet.serving.answers.fitted", lambda *_: 1 / 0)
        reply = site.ask("/answer", PHOTO.read_bytes())
    assert reply.status == 500
    assert "bug in EcoNet" in reply.json["why"]
    assert len(site.answers(PHOTO.read_bytes())) == 1
