"""`econet explain` in the terminal and on its page."""

import json
import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from patch_networks import patch_network, patched_picture, preprocess, written

HOSTILE = '<script>alert("1")</script>&\u202e.png'


@pytest.fixture
def file(tmp_path):
    return written(patch_network(3), 3, tmp_path / "by-hand.onnx")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(patched_picture(3)).save(path)
    return path


def test_a_picture_is_explained_in_words_and_blocks(econet, file, picture):
    outcome = econet("explain", file, picture, "--masks", 300)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].startswith(str(picture)[:40])
    assert lines[1].startswith("  red ")
    assert "looked at: upper right, for red" in lines[2]
    assert "random masks, 300 answers" in lines[3]
    drawn = [line for line in lines if line.startswith("  |")]
    assert len(drawn) == 8
    assert {len(line) for line in drawn} == {20}
    assert "█" in "".join(drawn[1:3])


def test_a_second_file_is_told_from_a_picture_by_looking(econet, file, picture, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(file.read_bytes())
    outcome = econet("explain", file, other, picture, "--masks", 50, "--json")
    record = json.loads(outcome.out)
    assert [each["path"] for each in record["subjects"]] == [str(file), str(other)]
    assert record["images"][0]["agreement"]["top_overlap"] == 1
    alone = econet("explain", file, other)
    assert alone.code == 2
    assert "IMAGE is missing" in alone.err
    assert json.loads(econet("explain", file, picture, picture, "--masks", 20, "--json").out)["images"][1]["image"]


def test_the_folder_holds_page_record_and_maps(econet, file, picture, tmp_path):
    out = tmp_path / "why"
    outcome = econet("explain", file, picture, "--masks", 50, "--out", out, "--json")
    assert json.loads((out / "explanation.json").read_text()) == json.loads(outcome.out)
    with np.load(out / "maps.npz") as maps:
        assert maps["image_1_1"].shape == (32, 32)
    page = (out / "explanation.html").read_text(encoding="utf-8")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 3  # the legend, the picture, its map
    with Image.open(BytesIO(b64decode(pictures[1]))) as seen:
        np.testing.assert_array_equal(np.asarray(seen), patched_picture(3))
    assert "http" not in page.replace("http-equiv", "")


def test_hostile_names_of_files_and_classes_are_text_on_the_page_and_in_the_terminal(econet, picture, tmp_path):
    from econet.deployment.onnx_export import export_network

    classes = ("<img src=x onerror=alert(1)>", "b\x1b[31m")
    model = export_network(patch_network(3), preprocess(3), classes, "<b>net</b>")
    file = tmp_path / "hostile.onnx"
    file.write_bytes(model.SerializeToString())
    named = tmp_path / HOSTILE.replace("/", "_")
    picture.rename(named)
    out = tmp_path / "why"
    outcome = econet("explain", file, named, "--masks", 20, "--out", out)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert "\u202e" not in outcome.out
    page = (out / "explanation.html").read_text(encoding="utf-8")
    for tag in ("<script", "<img src=x", "<b>net"):
        assert tag not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_what_is_no_picture_is_refused_with_its_name(econet, file, tmp_path):
    path = tmp_path / "half.jpg"
    buffer = BytesIO()
    Image.fromarray(patched_picture(3)).save(buffer, "JPEG")
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    outcome = econet("explain", file, path)
    assert outcome.code == 2
    assert "half.jpg" in outcome.err
    assert econet("explain", file, tmp_path / "missing.onnx", path).code == 2


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # from here on `import torch` fails
from econet.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_file_is_explained_where_there_is_no_torch(in_a_fresh_process, file, picture, tmp_path):
    words = (
        "explain",
        str(file),
        str(file),
        str(picture),
        "--masks",
        "20",
        "--evidence",
        "--out",
        str(tmp_path / "why"),
    )
    result = in_a_fresh_process(WITHOUT_TORCH, *words)
    assert result.returncode == 0, result.stderr
    assert "looked at" in result.stdout


def test_explaining_a_file_never_loads_torch(in_a_fresh_process, file, picture):
    code = (
        "import sys\nfrom econet.cli.main import main\n"
        "main(sys.argv[1:])\nprint([name for name in sys.modules if name.split('.')[0] == 'torch'])"
    )
    result = in_a_fresh_process(code, "explain", str(file), str(picture), "--masks", "20")
    assert result.stdout.splitlines()[-1] == "[]"
