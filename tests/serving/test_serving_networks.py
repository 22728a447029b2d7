"""Which network is on the page: its name, its size, and an accuracy only where it is this very file's."""

import json
import shutil

import pytest

from econet.deployment.zoo import card, zoo_names
from econet.errors import UserError
from econet.runs.beside import beside
from econet.runs.record import write_record
from econet.serving.description import describe
from econet.serving.networks import open_networks
from served_page import SHIPPED

CARD = card(zoo_names()[0])


@pytest.fixture
def copied(tmp_path):
    """The shipped file as a run keeps it: with its evaluation and its export record beside it."""
    path = tmp_path / "shirts" / "model.int8.onnx"
    path.parent.mkdir()
    shutil.copy(SHIPPED, path)
    write_record(beside(path, "evaluation.json"), CARD.evaluation)
    write_record(beside(path, "export.json"), CARD.export)
    return path


def test_a_shipped_network_shows_its_card(tmp_path):
    (network,) = open_networks([SHIPPED])
    assert network.name == "fashion-mnist-econet-76k"
    assert network.bytes == SHIPPED.stat().st_size == CARD.export.bytes
    assert network.evaluation == CARD.evaluation
    assert network.data == "fashion-mnist"
    (note,) = describe([network], []).networks
    assert note.input == "28 × 28 gray"
    assert (note.gray, note.ground) == (True, "black")
    low, high = CARD.evaluation.accuracy_interval
    assert note.facts[0] == f"{100 * low:.1f} to {100 * high:.1f} % on 10,000 test images of fashion-mnist"


def test_a_file_of_a_run_shows_the_record_beside_it(copied):
    (network,) = open_networks([copied])
    assert network.name == "shirts/model.int8.onnx"
    assert network.evaluation == CARD.evaluation


def test_a_record_of_another_file_is_not_taken_for_this_one(copied, relabelled):
    relabelled(copied, [f"class {number}" for number in range(10)])
    (network,) = open_networks([copied])
    assert network.evaluation is None
    (note,) = describe([network], []).networks
    assert note.headline.endswith("accuracy not recorded")


def test_a_card_of_another_file_is_not_taken_for_this_one(tmp_path, relabelled):
    shutil.copy(SHIPPED.with_name("card.json"), tmp_path / "card.json")
    path = relabelled(tmp_path / "model.int8.onnx", [f"class {number}" for number in range(10)])
    assert open_networks([path])[0].evaluation is None


def test_a_damaged_record_is_named(copied):
    record = json.loads(beside(copied, "evaluation.json").read_bytes())
    beside(copied, "evaluation.json").write_text(json.dumps(record | {"accuracy": "high"}))
    with pytest.raises(UserError, match=r"model\.int8\.evaluation\.json"):
        open_networks([copied])


def test_files_of_the_same_name_are_told_apart_by_their_whole_path(copied, tmp_path):
    other = tmp_path / "again" / "shirts" / "model.int8.onnx"
    other.parent.mkdir(parents=True)
    shutil.copy(copied, other)
    names = [network.name for network in open_networks([copied, other, SHIPPED])]
    assert len(set(names)) == 3
    assert str(copied).endswith(names[0].lstrip("…"))
    assert names[1].endswith("/again/shirts/model.int8.onnx")
    assert names[2] == "fashion-mnist-econet-76k"


def test_one_bad_file_and_none_is_opened(copied, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(SHIPPED.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"broken\.onnx"):
        open_networks([copied, broken])
