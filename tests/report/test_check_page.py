"""The page of a data check: what was found in words and pictures, and nothing from outside as a live tag."""

import csv
import io
import re

import numpy as np
import pytest
from msgspec.structs import replace

from econet.report.check_page import findings_table, headline, said, write_check_page
from econet.report.check_pictures import MOST, Shown, shown_findings, write_check_pictures
from econet.runs.check_records import (
    Check,
    CheckedData,
    CheckedPicture,
    DuplicateHealth,
    Finding,
    LabelHealth,
    Leak,
    SizeHealth,
    SplitHealth,
)
from econet.runs.record import write_record

HOSTILE = '<script>alert("x")</script>'
TURNED = "\u202egnp.exe"


def picture(split, place, label=HOSTILE, path=None):
    return CheckedPicture(split=split, place=place, row=None, path=path, label=label)


def made_check(**changes) -> Check:
    findings = (
        Finding(
            kind="near duplicate",
            picture=picture("test", 3, path=f"test/{HOSTILE}/a.jpg"),
            partner=picture("train", 8, label="b", path=f"train/b/{TURNED}"),
            score=0.91,
            leak=True,
            labels_differ=True,
            mirrored=True,
        ),
        Finding(
            kind="exact duplicate",
            picture=picture("train", 5),
            partner=picture("train", 4, label="b"),
            score=1.0,
            labels_differ=True,
        ),
        Finding(kind="likely wrong label", picture=picture("train", 6), suggested=f"{HOSTILE}b", score=0.8),
        Finding(kind="set aside", picture=picture("train", None, path=f"{HOSTILE}.jpg"), reason=f"damaged: {HOSTILE}"),
    )
    record = Check(
        created="2026-11-21T10:00:00+00:00",
        command=f"econet check {HOSTILE}",
        econet="0.1.0",
        data=CheckedData(source=HOSTILE, name=HOSTILE, fingerprint="f" * 64, classes=(HOSTILE, "b")),
        seed=0,
        splits=(
            SplitHealth(split="train", images=30, per_class=(10, 20), missing=(), imbalance=2.0),
            SplitHealth(split="test", images=10, per_class=(10, 0), missing=("b",), imbalance=1.0),
        ),
        provable_margin=0.2229,
        duplicates=DuplicateHealth(
            searched="everywhere",
            images=40,
            copies=1,
            near_pairs=1,
            conflicts=2,
            leaks=(Leak(split="test", other="train", exact=0, near=1, share=0.1, places=(3,)),),
            seconds=1.0,
        ),
        labels=LabelHealth(model="econet", folds=4, images=40, accuracy=0.9, expected=2, flagged=1, seconds=9.0),
        labels_reason=None,
        sizes=SizeHealth(files=40, smallest=(60, 80), median=(100, 100), largest=(200, 300), odd=0),
        set_aside=1,
        void=("class 'b' has no picture in test",),
        findings=findings,
        warnings=(HOSTILE,),
        seconds=12.0,
    )
    return replace(record, **changes)


def drawn(folder, record) -> str:
    write_record(folder / "check.json", record)
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8)
    shown = shown_findings(record)
    pairs = [Shown(n, pixels, pixels if record.findings[n].partner else None) for n in shown]
    write_check_pictures(folder, pairs)
    return write_check_page(folder).read_text()


def test_nothing_from_outside_is_a_live_tag(tmp_path):
    text = drawn(tmp_path, made_check())
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    assert not re.search(r"\son\w+=", re.sub(r"&[a-z#0-9]+;", "", text))


def test_the_page_loads_nothing_and_shows_the_pictures_of_each_section(tmp_path):
    text = drawn(tmp_path, made_check())
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="https?:', text)
    assert text.count("<img ") == 2 + 2 + 1
    order = ["In two splits", "One picture, two labels", "Labels that are likely wrong", "What the splits hold"]
    assert [text.index(title) for title in order] == sorted(text.index(title) for title in order)
    assert "Twice in one split" not in text
    assert "91\u00a0% alike, mirrored" in text


def test_the_answer_names_what_voids_a_comparison_first():
    record = made_check()
    assert headline(record) == "A comparison on these data would prove nothing"
    assert said(record)[:2] == [
        "Class 'b' has no picture in test.",
        "0 test pictures are in training pixel for pixel, 1 more nearly so (10.00 % of the test split).",
    ]
    assert said(record)[-1] == "The test split can show a loss of 22.29 points at best."
    assert headline(made_check(void=())) == "Fit for a comparison, with findings to look at"
    assert headline(made_check(void=(), findings=())) == "Nothing was found that would mislead"


def test_the_table_is_whole_and_exact():
    rows = list(csv.DictReader(io.StringIO(findings_table(made_check()))))
    assert [row["finding"] for row in rows] == [each.kind for each in made_check().findings]
    assert rows[0]["partner_path"] == f"train/b/{TURNED}"
    assert (rows[0]["leak"], rows[0]["mirrored"], rows[1]["leak"]) == ("yes", "yes", "")
    assert rows[2]["suggested"] == f"{HOSTILE}b"
    assert rows[3]["place"] == ""


def test_labels_that_were_not_doubted_are_said_with_the_reason(tmp_path):
    text = drawn(tmp_path, made_check(labels=None, labels_reason="too <short>"))
    assert "Labels were not doubted: too &lt;short&gt;." in text


@pytest.mark.parametrize("count", [0, 500])
def test_of_very_many_findings_a_page_shows_the_first(tmp_path, count):
    pair = made_check().findings[0]
    record = made_check(findings=(pair,) * count)
    text = drawn(tmp_path, record)
    assert text.count("<img ") == 2 * min(count, MOST["leaks"])
    assert len(text) < 2_000_000
