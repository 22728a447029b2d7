"""A record is read back as it was written, or refused with the file and the field that is wrong."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econet.errors import UserError
from econet.runs.record import SCHEMA, read_record, write_record
from econet.runs.records import Epoch, Finished, Plan, TeacherConfig, TrainingConfig

numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**40)
words = st.text(st.characters(exclude_categories=["Cs"]))

plans = st.builds(Plan, epochs=counts, steps_per_epoch=counts, steps=counts, dropped_images=counts)
teachers = st.builds(TeacherConfig, run=words, weights_sha256=words, temperature=numbers, weight=numbers)
trainings = st.builds(
    TrainingConfig,
    epochs=st.none() | counts,
    time_s=st.none() | numbers,
    batch_size=counts,
    optimizer=st.sampled_from(["sgd", "adamw", "muon"]),
    schedule=st.sampled_from(["one-cycle", "cosine", "steps", "plateau"]),
    lr=numbers,
    weight_decay=numbers,
    label_smoothing=numbers,
    ema=numbers,
    augment=st.sampled_from(["none", "light", "standard", "strong"]),
    patience=st.none() | counts,
    teacher=st.none() | teachers,
    from_weights=st.none() | words,
    from_weights_sha256=st.none() | words,
)
results = st.builds(
    Finished,
    steps=counts,
    epochs=counts,
    seconds=numbers,
    images=counts,
    validation_accuracy=numbers,
    still_improving=st.booleans(),
    stopped_early=st.booleans(),
    weights_sha256=words,
    finished=words,
)

FINISHED = Finished(
    steps=10,
    epochs=2,
    seconds=1.5,
    images=80,
    validation_accuracy=0.75,
    still_improving=False,
    stopped_early=True,
    weights_sha256="ab",
    finished="2030-01-02T03:04:05+00:00",
)


@pytest.fixture
def finished_path(tmp_path):
    path = tmp_path / "finished.json"
    write_record(path, FINISHED)
    return path


def change(path: Path, **fields) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))


@settings(deadline=None)
@given(record=plans | trainings | results)
def test_every_record_is_read_back_as_it_was_written(record):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        write_record(path, record)
        assert read_record(path, type(record)) == record


def test_a_record_is_plain_json_with_its_schema(finished_path):
    data = json.loads(finished_path.read_bytes())
    assert data["schema"] == 1
    assert data["validation_accuracy"] == 0.75
    assert finished_path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"acuracy": 1.0}, "acuracy"),
        ({"steps": "ten"}, r"\$\.steps"),
        ({"steps": 2.5}, r"\$\.steps"),
        ({"still_improving": None}, r"\$\.still_improving"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(finished_path, fields, told):
    change(finished_path, **fields)
    with pytest.raises(UserError, match=told) as caught:
        read_record(finished_path, Finished)
    assert str(finished_path) in caught.value.what


def test_a_missing_field_is_named(finished_path):
    data = json.loads(finished_path.read_bytes())
    del data["images"]
    finished_path.write_text(json.dumps(data))
    with pytest.raises(UserError, match="images"):
        read_record(finished_path, Finished)


def test_a_record_of_a_newer_version_is_refused(finished_path):
    change(finished_path, schema=SCHEMA + 1, a_field_of_the_future=1)
    with pytest.raises(UserError, match="is newer than this EcoNet") as caught:
        read_record(finished_path, Finished)
    assert str(finished_path) in caught.value.what
    assert f"`schema` is {SCHEMA + 1}" in caught.value.why


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1, "steps": ', b"[]", b"\xff\xfe\x00", b"null"])
def test_a_torn_record_is_refused_and_named(finished_path, content):
    finished_path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_record(finished_path, Finished)
    assert str(finished_path) in caught.value.what


def test_an_absent_record_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_record(tmp_path / "config.json", Finished)


def test_an_epoch_has_the_fields_that_were_promised():
    promised = {"loss", "validation_accuracy", "lr", "seconds", "images_per_s"}
    assert promised <= set(Epoch.__struct_fields__)
