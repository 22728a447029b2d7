"""The student's features become the teacher's under a learned map, which is gone when training is over."""

import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from econet.errors import UserError
from econet.jobs.export import export_run
from econet.models import catalog
from econet.runs.records import TeacherConfig
from econet.training import hint as room
from econet.training import teachers as of_teachers
from econet.training.hint import Hint
from econet.training.interruption import Interrupted
from econet.training.teachers import Teachers, answered, feature_count
from econet.training.weights import Renormalised

CPU = torch.device("cpu")
TAUGHT = TeacherConfig(run="a", weights_sha256="0", temperature=2.0, weight=0.5, match_features=3.0)


def network(seed: int, **switches) -> nn.Module:
    torch.manual_seed(seed)
    return catalog.build("econet", input_shape=(1, 28, 28), width=0.25, **switches).eval()


def pictures(count: int = 5) -> torch.Tensor:
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(3))


def last_layer(network: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    *_, weight, bias = network.state_dict().values()
    return weight.numpy(), bias.numpy()


@pytest.mark.parametrize(
    "model", ["alexnet:mini", "alexnet_small", "cuda_convnet:18pct", "econet:fine", "resnet_small"]
)
def test_features_are_what_the_last_layer_makes_the_answer_of(model):
    torch.manual_seed(0)
    made = catalog.build(model, input_shape=(3, 32, 32)).eval()
    with torch.no_grad():
        images = torch.randn(2, 3, 32, 32)
        logits, features = answered(made, images)
        expected = made(images)
    assert features.shape == (2, feature_count(made))
    np.testing.assert_array_equal(logits.numpy(), expected.numpy())
    weight, bias = last_layer(made)
    np.testing.assert_allclose(features.numpy() @ weight.T + bias, expected.numpy(), rtol=1e-3, atol=1e-3)


def test_the_loss_on_features_is_that_of_plain_numpy_over_all_teachers():
    student, first, second = network(0), network(1), network(2)
    hint = Hint(student, Teachers([first, second], TAUGHT), 3.0, CPU, seed=0)
    with torch.no_grad():
        logits, lesson, loss = hint.answers(pictures())
        own = answered(student, pictures())[1].numpy()
        theirs = [answered(each, pictures())[1].numpy() for each in (first, second)]
        np.testing.assert_array_equal(logits.numpy(), student(pictures()).numpy())
        np.testing.assert_array_equal(lesson.numpy(), Teachers([first, second], TAUGHT)(pictures()).numpy())
    wanted = np.concatenate([each / np.sqrt((each**2).mean(1, keepdims=True)) for each in theirs], axis=1)
    mapped = own @ hint.map.weight.detach().numpy().T + hint.map.bias.detach().numpy()
    assert loss.item() == pytest.approx(3.0 * ((mapped - wanted) ** 2).mean(), rel=1e-5)


def test_a_map_that_gives_nothing_costs_the_weight():
    hint = Hint(network(0), Teachers([network(1)], TAUGHT), 3.0, CPU, seed=0)
    nn.init.zeros_(hint.map.weight)
    assert hint.answers(pictures())[2].item() == pytest.approx(3.0, rel=1e-4)


def test_a_teacher_on_another_scale_of_pixels_has_the_same_features():
    plain = network(1)
    scales = (SimpleNamespace(offset=73, scale=1 / 90), SimpleNamespace(offset=10, scale=0.5))
    moved = Renormalised(plain, scales[1], scales[0])
    pixels = torch.randint(0, 256, (4, 1, 28, 28)).float()
    with torch.no_grad():
        expected = answered(plain, (pixels - 73) / 90)[1]
        found = answered(moved, (pixels - 10) * 0.5)[1]
    assert feature_count(moved) == feature_count(plain)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_map_learns_and_its_state_is_all_that_going_on_needs():
    def one(hint: Hint) -> float:
        loss = hint.answers(pictures())[2]
        loss.backward()
        hint.step(1.0)
        return loss.item()

    student, teachers = network(0), Teachers([network(1)], TAUGHT)
    first = Hint(student, teachers, 1.0, CPU, seed=0)
    losses = [one(first) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]
    second = Hint(student, teachers, 1.0, CPU, seed=9)
    second.load({name: value.clone() for name, value in first.state().items()})
    assert [one(first) for _ in range(3)] == [one(second) for _ in range(3)]


# In training


@pytest.fixture
def student(trained, tmp_path):
    trained("teacher", epochs=1, seed=5)
    asked = {"teacher": tmp_path / "teacher", "match_features": 2.0, "epochs": 2}
    return lambda name, *notes, **more: trained(name, *notes, **{**asked, **more})


def test_features_change_what_is_learned_and_the_map_is_not_in_the_weights(student, clothes_data):
    run = student("student")
    without = student("without", match_features=None)
    assert load_file(run.weights_path).keys() == load_file(without.weights_path).keys()
    assert run.weights_path.read_bytes() != without.weights_path.read_bytes()
    assert run.config.training.teacher.match_features == 2.0
    export = export_run(run, clothes_data, int8=False, parity_drop=1.0, progress=SimpleNamespace(note=print))
    assert export.parity.passed


def test_a_stopped_run_ends_with_the_same_bits_with_map_ensemble_and_mixing(student, trained, teller, tmp_path):
    trained("second", epochs=1, seed=6)
    asked = {
        "teacher": [tmp_path / "teacher", tmp_path / "second"],
        "mixup": 0.5,
        "cutmix": 1.0,
        "augment": "rich",
        "schedule": "cosine",
    }

    def stop(step: int) -> None:
        if step == 15:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        student("stopped", teller(stop), **asked)
    checkpoint = load_file(tmp_path / "stopped" / "checkpoint.safetensors")
    assert checkpoint["hint.weight"].shape == (2 * 64, 64)
    run = student("stopped", resume=True, **asked)
    assert run.weights_path.read_bytes() == student("plain", **asked).weights_path.read_bytes()


def test_a_network_of_ones_own_is_refused_by_name(student, trained, tmp_path):
    own = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with pytest.raises(UserError, match="--match-features cannot be had of Sequential"):
        student("own", model="Sequential", module=own)
    assert not (tmp_path / "own" / "config.json").exists()


def test_a_teacher_of_ones_own_is_refused_by_its_folder(student, monkeypatch):
    monkeypatch.setattr(of_teachers, "DenseLayer", nn.Identity)  # nobody's last layer
    with pytest.raises(UserError, match="--match-features cannot be had of econet"):
        student("own")


def test_the_map_is_drawn_from_the_runs_seed():
    first, again, other = (
        room.hint_for(network(0), Teachers([network(1)], TAUGHT), SimpleNamespace(teacher=TAUGHT), seed, CPU).map.weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
