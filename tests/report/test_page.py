import html
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from econet.errors import UserError
from econet.report.page import write_page

HOSTILE = ("<script>alert(1)</script>", "\"quoted' & co", "abc\u202efed", "x" * 200)
# Elements that HTML leaves open.
VOID = {"meta", "img", "br", "link"}


class Checker(HTMLParser):
    """Collects elements and fails where one is closed out of turn."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def written(folder):
    return write_page(folder).read_text(encoding="utf-8")


def words(page):
    """The text of a page as a reader sees it."""
    return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.S)))


@pytest.fixture
def page(tmp_path, comparison_in):
    comparison_in(tmp_path, images=2000, n10=12, n01=14, both_wrong=120)
    return written(tmp_path)


def test_the_first_screen_answers_with_the_interval_and_four_figures(page):
    text = words(page)
    assert "Yes: the small network is as good." in text
    assert "93.4\u00a0% against 93.3\u00a0%" in text
    for figure in (
        "1.91\u00a0M",
        "10.5× less",
        "81.3\u00a0KB",
        "54.2× smaller",
        "119\u00a0µs",
        "3.8× faster",
    ):
        assert figure in text


def test_all_nine_parts_stand_in_their_order(page):
    titles = re.findall(r"<h[12]>(.*?)</h[12]>", page)
    assert titles == [
        "Yes: the small network is as good.",
        "The difference, and how sure it is",
        "The two networks",
        "Every file measured",
        "Accuracy against cost",
        "Where they differ",
        "How they learned",
        "Can you trust it?",
        "How it was made",
    ]


@pytest.mark.parametrize(
    ("n10", "n01", "images", "headline"),
    [
        (200, 40, 2000, "No: the small network is worse."),
        (10, 10, 372, "Undecided: 372 test pictures cannot tell."),
    ],
)
def test_no_and_undecided_are_said_as_plainly(tmp_path, comparison_in, n10, n01, images, headline):
    comparison_in(tmp_path, n10=n10, n01=n01, images=images, both_wrong=40)
    text = words(written(tmp_path))
    assert headline in text
    assert "the answer would be yes" in text


def test_the_page_is_well_formed_small_and_loads_nothing(tmp_path, page):
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert (tmp_path / "page.html").stat().st_size < 2_000_000
    assert not [tag for tag, _ in checker.seen if tag in ("script", "link", "iframe", "object")]
    for _, attributes in checker.seen:
        assert (attributes.get("src") or "data:image/png").startswith("data:image/png")
        assert not re.match(r"(https?:)?//", attributes.get("href") or "")
    assert "url(" not in page
    assert "@import" not in page


def test_every_drawing_is_valid_svg_with_a_text_alternative(page):
    drawings = re.findall(r"<svg(?:(?!<svg).)*?role=.*?</svg>(?=\s*</figure>)", page, flags=re.S)
    assert len(drawings) >= 8
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).get("aria-label")


def test_links_lead_to_records_that_exist(tmp_path, page):
    links = re.findall(r'<a href="([^"]+)"', page)
    assert "comparison.json" in links
    assert "candidate/model.int8.export.json" in links
    assert all((tmp_path / link).is_file() for link in links)


def test_hostile_class_names_are_shown_and_never_run(tmp_path, comparison_in):
    comparison_in(tmp_path, names=HOSTILE, n10=30, n01=30, images=600)
    page = written(tmp_path)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert "<script" not in page
    assert "\u202e" not in page
    assert "<script>alert(1)</script>" in words(page)
    assert "abc[U+202E]fed" in words(page)
    assert "x" * 100 not in words(page)


@pytest.mark.parametrize("classes", [2, 200])
def test_two_classes_and_two_hundred_fit_on_the_page(tmp_path, comparison_in, classes):
    comparison_in(tmp_path, names=tuple(f"class {n}" for n in range(classes)), images=1000, epochs=1)
    page = written(tmp_path)
    assert len(page) < 2_000_000
    assert page.count('class="interval-bar"') <= 1 + 12


def test_a_slower_candidate_is_shown_as_slower(tmp_path, comparison_in):
    comparison_in(tmp_path, latency_ratio=1.21)
    page = written(tmp_path)
    assert '<dd class="compared wrong">slower: 1.2×</dd>' in page


def test_validation_as_proof_is_said_before_the_answer(tmp_path, comparison_in):
    comparison_in(tmp_path, proof="validation")
    page = written(tmp_path)
    assert page.index("Not a proof.") < page.index("<h1>")
    assert "The test pictures were not read." in words(page)


def test_sides_given_as_files_have_no_history_and_no_claim_of_equal_time(tmp_path, comparison_in):
    comparison_in(tmp_path, trained=False, teacher=False)
    text = words(written(tmp_path))
    assert "nothing was trained here" in text
    assert "that both sides had equal time is not claimed" in text


def test_a_baseline_that_got_less_time_is_called_unfair(tmp_path, comparison_in):
    comparison_in(tmp_path)
    record = json.loads((tmp_path / "comparison.json").read_text())
    for side in record["sides"]:
        if side["role"] == "baseline":
            side["training"]["seconds"] = 30.0
    (tmp_path / "comparison.json").write_text(json.dumps(record))
    assert "The baseline was trained for 30 s, less than the other side" in words(written(tmp_path)).replace(
        "\xa0", " "
    )


def test_every_seed_is_listed_with_its_interval_and_their_mean(tmp_path, comparison_in):
    comparison_in(tmp_path, repeats=5)
    page = written(tmp_path)
    assert page.count('class="interval-bar"') == 1 + 5 + 10
    assert "points over 5 seeds (95\u00a0% t interval of the mean" in words(page)


def test_a_single_seed_is_called_a_single_seed(page):
    assert "this is a single seed" in words(page)


def test_the_networks_are_drawn_from_the_files(page):
    assert page.count('class="kind-depthwise"') == 3
    assert page.count('class="kind-conv"') == 5
    assert "64\u2009×\u200914\u2009×\u200914" in words(page)


def test_a_missing_file_is_said_and_the_rest_is_drawn(tmp_path, comparison_in):
    comparison_in(tmp_path)
    (tmp_path / "candidate" / "model.int8.onnx").unlink()
    (tmp_path / "pictures.npz").unlink()
    text = words(written(tmp_path))
    assert "The candidate's file does not lie in this folder any more." in text
    assert "This folder holds no pictures." in text


def test_warnings_and_files_set_aside_are_listed_with_their_reasons(tmp_path, comparison_in):
    comparison_in(tmp_path, warnings=("the baseline was <still> improving",))
    line = {"path": "a/<b>.jpg", "set_aside": "does not decode"}
    (tmp_path / "data.jsonl").write_text(json.dumps(line) + "\n" + json.dumps({"path": "ok", "set_aside": None}) + "\n")
    page = written(tmp_path)
    assert "the baseline was <still> improving" in words(page)
    assert "1 file was not used." in words(page)
    assert "a/<b>.jpg" in words(page)
    assert "<still>" not in page


def test_the_best_of_each_column_is_marked_and_equal_ones_are_not(page):
    best = re.findall(r'<b class="best">(.*?)</b>', page)
    assert best.count("81.3\u00a0KB") == 1
    assert best.count("62.4\u00a0K") == 2
    assert len(best) == 1 + 2 + 2 + 1 + 1 + 1


def test_a_folder_without_a_finished_comparison_is_refused_with_the_way_on(tmp_path):
    with pytest.raises(UserError, match="econet compare --resume"):
        write_page(tmp_path)


def test_the_page_needs_neither_torch_nor_matplotlib():
    import subprocess
    import sys

    code = "import sys, econet.report.page; assert not {'torch', 'matplotlib'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_side_from_a_run_elsewhere_claims_no_equal_time(tmp_path, comparison_in):
    comparison_in(tmp_path)
    record = json.loads((tmp_path / "comparison.json").read_text())
    for side in record["sides"]:
        if side["role"] == "baseline":
            side["run"] = "../runs/older"
    (tmp_path / "comparison.json").write_text(json.dumps(record))
    text = words(written(tmp_path))
    assert "The baseline was given as a run trained before: that both sides had equal time is not claimed." in text
