import subprocess
from collections.abc import Callable

import pytest

from econet.cli.main import COMMANDS

HEAVY = ("torch", "numpy", "onnx", "onnxruntime", "PIL", "rich", "matplotlib", "jinja2")

ASK = f"""
import sys
from econet.cli.main import main
code = main(sys.argv[1:])
print("loaded:", [name for name in {HEAVY} if name in sys.modules])
sys.exit(code)
"""

Fresh = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy_and_shows_an_example(words: tuple[str, ...], in_a_fresh_process: Fresh):
    shown = in_a_fresh_process(ASK, *words, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "loaded: []" in shown.stdout
    assert f"Example:\n    {' '.join(('econet', *words))}" in shown.stdout


def test_help_lists_every_command_with_a_whole_sentence(econet):
    shown = econet("--help").out
    for name in COMMANDS:
        line = next(line for line in shown.splitlines() if line.strip().startswith(name + " "))
        assert line.endswith("."), line
        assert not line.endswith("..."), line


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_json_and_quiet(name: str, econet):
    shown = econet(name, "--help").out
    assert "--json" in shown
    assert "--quiet" in shown


@pytest.mark.parametrize("name", ["compare", "train", "recipe", "prune"])
def test_commands_where_chance_plays_take_a_seed(name: str, econet):
    assert "--seed N" in econet(name, "--help").out


def test_the_version_is_told(econet):
    from econet.version import __version__

    assert econet("--version").out == f"econet {__version__}\n"


def test_prediction_and_zoo_work_without_torch(in_a_fresh_process: Fresh, tmp_path):
    refuse_torch = 'import sys; sys.modules["torch"] = None\n'
    shown = in_a_fresh_process(refuse_torch + ASK, "predict", str(tmp_path / "no.onnx"), "no.png")
    assert shown.returncode == 2
    assert "no.onnx does not exist" in shown.stderr
    assert in_a_fresh_process(refuse_torch + ASK, "zoo").returncode == 0


def test_training_without_torch_names_the_install_command(in_a_fresh_process: Fresh, tmp_path):
    refuse_torch = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Absent())
"""
    shown = in_a_fresh_process(refuse_torch + ASK, "train", "fashion-mnist", "--out", str(tmp_path / "run"))
    assert shown.returncode == 2
    assert shown.stderr.endswith('try: pip install "econet[train]"\n')
