"""The C array is the .tflite file to the byte, as the system's own compiler reads it."""

import shutil
import subprocess

import msgspec
import numpy as np
import pytest

from econet.deployment.metadata import embed, read_metadata
from econet.deployment.targets.c_array import array_bytes, make_c_array
from econet.deployment.targets.litert.artifact import make_litert
from econet.deployment.targets.target import SOURCE

HOSTILE = ('quo"te', "back\\slash", "trigraph ??/", "überzug", "new\nline", "*/ end", "1f", "0", "%d", "j")

PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "model.int8.h"
int main(void) {
  const EconetModel* m = &SYMBOL;
  fwrite(m->data, 1, m->length, stdout);
  fprintf(stderr, "%d %d %d %d %d %d %d\n", m->height, m->width, m->channels, m->offset, m->input_zero_point,
          m->output_zero_point, m->class_count);
  fprintf(stderr, "%.9g %.9g %.9g\n", m->scale, m->input_scale, m->output_scale);
  fprintf(stderr, "%d\n", (int)((uintptr_t)m->data % 16));
  for (int i = 0; i < m->class_count; ++i) fwrite(m->classes[i], 1, strlen(m->classes[i]) + 1, stderr);
  return 0;
}
"""


@pytest.fixture(scope="module")
def hostile(artifacts):
    """The int8 artifact of `gated`, whose classes hold all that C could misread."""
    model = type(artifacts("gated")[1])()
    model.CopyFrom(artifacts("gated")[1])
    metadata = read_metadata(model, SOURCE)
    embed(model, msgspec.structs.replace(metadata, classes=HOSTILE, name="my.net:fine"))
    return model, artifacts("gated")[2]


@pytest.mark.skipif(shutil.which("cc") is None or shutil.which("c++") is None, reason="there is no C compiler here")
def test_a_compiled_program_holds_the_very_file_and_what_its_answers_mean(hostile, tmp_path):
    model, bounds = hostile
    made, flat = make_c_array(model, bounds, "model.int8"), make_litert(model, bounds, "model.int8")
    for ending, content in made.contents.items():
        (tmp_path / f"model.int8{ending}").write_bytes(content)
    (tmp_path / "main.c").write_text(PROGRAM.replace("SYMBOL", "econet_my_net_fine_int8"))
    strict = ["-Wall", "-Wextra", "-Werror"]
    for command in (
        ["cc", "-std=c99", *strict, "-c", "main.c"],
        ["c++", "-std=c++11", *strict, "-c", "model.int8.cc", "-o", "model.o"],
        ["c++", "main.o", "model.o", "-o", "program"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, check=True)
    assert done.stdout == flat.contents[".tflite"]
    numbers, scales, alignment, names = done.stderr.split(b"\n", 3)
    sidecar = made.sidecar
    assert [int(each) for each in numbers.split()] == [28, 28, 1, 73, 73 - 128, sidecar.output.zero_point, 10]
    wanted = np.array([1 / 90, sidecar.input.scale, sidecar.output.scale], np.float32)
    assert np.array([float(each) for each in scales.split()], np.float32).tolist() == wanted.tolist()
    assert alignment == b"0"
    assert tuple(name.decode() for name in names.split(b"\0")[:-1]) == HOSTILE


def test_the_bytes_are_read_back_from_the_text(hostile):
    model, bounds = hostile
    made = make_c_array(model, bounds, "model.int8")
    content = make_litert(model, bounds, "model.int8").contents[".tflite"]
    assert array_bytes(made.contents[".cc"].decode()) == content
    assert made.held_bytes == len(content)
    with pytest.raises(ValueError, match="no array"):
        array_bytes("int main() {}")


def test_the_comments_say_what_the_sidecar_says_and_end_where_they_end(hostile):
    model, bounds = hostile
    text = make_c_array(model, bounds, "model.int8").contents[".h"].decode()
    comments = [line for line in text.splitlines() if line.startswith("//")]
    assert any("preprocess" in line and "offset" in line for line in comments)
    assert any("classes" in line for line in comments)
    assert text.isascii()
    assert not any(line.endswith("\\") for line in comments)
