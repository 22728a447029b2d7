"""A .tflite file as a C array for microcontrollers: a `.cc` to compile in, and the `.h` that declares what it holds."""

import json
import re
from collections.abc import Iterator

import msgspec
import onnx

from econet.deployment.sidecar import Sidecar
from econet.deployment.targets.litert.artifact import make_litert
from econet.deployment.targets.target import LogitsRange, TargetFiles

_BYTES_PER_LINE = 16
_ARRAY = re.compile(r"\[\] = \{\n(.*?)\n\};", re.DOTALL)

_STRUCT = """\
#ifndef ECONET_MODEL_DEFINED
#define ECONET_MODEL_DEFINED
/* A model and what its answers mean. A pixel's value is x = (pixel - offset) * scale; an int8 or uint8 input holds
   x / input_scale + input_zero_point, an int8 output (value - output_zero_point) * output_scale. */
typedef struct {
  const unsigned char* data; /* the .tflite file, aligned to 16 bytes */
  size_t length;
  const char* name;
  int height, width, channels; /* of the input, rows first, channels last */
  int offset;
  float scale;
  float input_scale; /* 0 where the input is float */
  int input_zero_point;
  float output_scale; /* 0 where the output is float */
  int output_zero_point;
  int class_count;
  const char* const* classes; /* in the order of the outputs, which are logits */
} EconetModel;
#endif
"""


def make_c_array(model: onnx.ModelProto, logits_range: LogitsRange, stem: str) -> TargetFiles:
    """`<stem>.cc` and `<stem>.h` of the artifact's .tflite file; that file's own bytes are what a device holds."""
    made = make_litert(model, logits_range, stem)
    content, sidecar = made.contents[".tflite"], made.sidecar
    source = "".join(f"{line}\n" for line in _source(content, sidecar, stem)).encode()
    header = "".join(f"{line}\n" for line in _header(sidecar, len(content))).encode()
    return TargetFiles({".cc": source, ".h": header}, sidecar, len(content))


def array_bytes(source: str) -> bytes:
    """The .tflite file in the text of a `.cc`. Raises ValueError where there is none."""
    found = _ARRAY.search(source)
    if found is None:
        raise ValueError("no array of bytes in it")
    return bytes(int(number, 16) for number in found.group(1).replace("\n", "").replace(" ", "").rstrip(",").split(","))


def _symbol(sidecar: Sidecar) -> str:
    """What the model is called in C: of a network's name what C allows."""
    return "econet_" + re.sub(r"[^0-9a-z]+", "_", f"{sidecar.name}_{sidecar.precision}".lower()).strip("_")


def _header(sidecar: Sidecar, length: int) -> Iterator[str]:
    symbol = _symbol(sidecar)
    yield from _comment(sidecar, length)
    yield f"#ifndef {symbol.upper()}_H_"
    yield f"#define {symbol.upper()}_H_"
    yield "#include <stddef.h>"
    yield "#ifdef __cplusplus"
    yield 'extern "C" {'
    yield "#endif"
    yield _STRUCT.rstrip("\n")
    yield f"extern const EconetModel {symbol};"
    yield "#ifdef __cplusplus"
    yield "}"
    yield "#endif"
    yield "#endif"


def _source(content: bytes, sidecar: Sidecar, stem: str) -> Iterator[str]:
    symbol, record = _symbol(sidecar), sidecar.preprocess
    given, answer = sidecar.input, sidecar.output
    yield from _comment(sidecar, len(content))
    yield f'#include "{stem}.h"'
    yield "namespace {"
    yield "alignas(16) const unsigned char data[] = {"
    for start in range(0, len(content), _BYTES_PER_LINE):
        yield ",".join(f"0x{value:02x}" for value in content[start : start + _BYTES_PER_LINE]) + ","
    yield "};"
    yield "const char* const classes[] = {"
    yield from (f"  {_quoted(name)}," for name in sidecar.classes)
    yield "};"
    yield "}  // namespace"
    yield f"const EconetModel {symbol} = {{"
    yield f"  data, sizeof(data), {_quoted(sidecar.name)},"
    yield f"  {record.image_size[0]}, {record.image_size[1]}, {record.channels},"
    yield f"  {record.offset}, {_float(record.scale)},"
    yield f"  {_float(given.scale or 0)}, {given.zero_point or 0},"
    yield f"  {_float(answer.scale or 0)}, {answer.zero_point or 0},"
    yield f"  {len(sidecar.classes)}, classes,"
    yield "};"


def _comment(sidecar: Sidecar, length: int) -> Iterator[str]:
    """What the sidecar says, a line a key; JSON in ASCII cannot end a line comment or begin the next."""
    yield f"// Written by EcoNet: a .tflite model of {length:,} bytes."
    for key, value in msgspec.to_builtins(sidecar).items():
        if value is not None:
            yield f"// {key}: {json.dumps(value)}"


def _quoted(text: str) -> str:
    """A C string of the text in UTF-8: bytes that could mean anything else are octal, three digits each."""
    plain = set(b" !#$%&'()*+,-./0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~")
    return '"' + "".join(chr(each) if each in plain else f"\\{each:03o}" for each in text.encode()) + '"'


def _float(value: float) -> str:
    """A float literal that a compiler reads back as the same float32."""
    return f"{value:.9e}f"
