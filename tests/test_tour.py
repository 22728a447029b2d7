"""docs/tour.ipynb runs from top to bottom, and shows what one such run gave."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"
# What a notebook program does with each cell: its last line, where it is a value, is shown if it knows how. In haste:
# the machine is not measured, and the int8 file of a network that learned next to nothing is let through.
RUNNER = """
import ast, json, sys
from econet.deployment import parity
from econet.training import machine
measured = machine.choose
machine.choose = lambda device, threads, deterministic, *rest: measured(device, 1, True, *rest)
parity.INT8_LEAST_AGREEMENT = 0.0
space = {"__name__": "__main__"}
for place, source in enumerate(json.loads(sys.stdin.read())):
    cell = ast.parse(source, f"cell {place}")
    last = cell.body.pop() if isinstance(cell.body[-1], ast.Expr) else None
    exec(compile(cell, f"cell {place}", "exec"), space)
    shown = None if last is None else eval(compile(ast.Expression(last.value), f"cell {place}", "eval"), space)
    kinds = [kind for kind in ("text/html", "image/png") if hasattr(shown, f"_repr_{kind[-4:].lstrip('/')}_")]
    for kind in kinds:
        assert getattr(shown, f"_repr_{kind[-4:].lstrip('/')}_")()
    print(f"<cell {place} shows {' '.join(kinds)}>")
"""


@pytest.fixture(scope="module")
def notebook():
    return json.loads(TOUR.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cells(notebook):
    """The code cells."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def kept(cell) -> str:
    """All text that a cell's stored outputs show."""
    parts = []
    for output in cell["outputs"]:
        texts = [output.get("text", "")] + [text for kind, text in output.get("data", {}).items() if "png" not in kind]
        parts += ["".join(text) for text in texts]
    return "\n".join(parts)


def test_the_tour_runs_from_top_to_bottom_and_shows_the_same_kinds_of_things(cells, tmp_path):
    sources = ["".join(cell["source"]) for cell in cells]
    assert "parameters" in cells[0]["metadata"]["tags"]
    # 100 pictures of validation are the fewest by which a file can say how sure it is.
    sources[0] = "LEARN, PROVE, EPOCHS = 50, 20, 1"
    done = subprocess.run(
        [sys.executable, "-c", RUNNER], input=json.dumps(sources), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for place, cell in enumerate(cells):
        kinds = {kind for output in cell["outputs"] for kind in output.get("data", {})}
        shown = re.search(rf"<cell {place} shows (.*)>", done.stdout)
        assert shown is not None
        assert set(shown[1].split()) == kinds - {"text/plain"}
    assert "   400 training pictures" in done.stdout
    assert re.search("verdict: (yes|no|undecided)", done.stdout)
    assert re.search("noise .* none of these\\? (True|False)", done.stdout)
    assert "torch loaded: False" in done.stdout
    assert (tmp_path / "tour" / "comparison" / "page.html").is_file()


def test_the_tour_keeps_what_one_run_showed_and_nothing_of_the_machine(notebook, cells):
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    assert not [output for cell in cells for output in cell["outputs"] if output.get("name") == "stderr"]
    shown = "\n".join(kept(cell) for cell in cells)
    for said in (" 2,000 training pictures", "verdict: ", "none of these? ", "torch loaded: False"):
        assert said in shown
    assert re.findall(r"(?:^|[\s'\"(])(?:/\w+/|[A-Z]:\\)", shown) == []
    assert len(TOUR.read_bytes()) < 1_000_000
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
