"""torch's windows in TensorFlow's words, against windows listed one by one."""

from hypothesis import given
from hypothesis import strategies as st

from econet.deployment.targets.litert.schema import Padding
from econet.deployment.targets.litert.windows import Axis, placed


def tensorflow_starts(size, kernel, stride, padding):
    """First pixels of TensorFlow's windows, from its own definition of SAME and VALID."""
    if padding == Padding.VALID:
        return list(range(0, size - kernel + 1, stride))
    outputs = -(-size // stride)
    missing = max((outputs - 1) * stride + kernel - size, 0)
    return [index * stride - missing // 2 for index in range(outputs)]


@given(
    size=st.integers(1, 40),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    before=st.integers(0, 3),
    cut=st.booleans(),
)
def test_the_windows_are_torchs(size, kernel, stride, before, cut):
    before = min(before, kernel - 1)
    whole = (size + 2 * before - kernel) // stride + 1
    # With ceil_mode a last window that is cut off by the edge counts too, as long as it begins on the map.
    outputs = whole + (cut and size + 2 * before - kernel >= 0 and whole * stride - before < size)
    if outputs < 1:
        return
    axis = Axis(size, kernel, stride, before, outputs)
    padding, pads = placed(axis, axis)
    near, far = pads[0] if pads else (0, 0)
    found = tensorflow_starts(near + size + far, kernel, stride, padding)
    wanted = [index * stride - before for index in range(outputs)]
    assert [start - near for start in found] == wanted


def test_same_is_used_where_it_fits_and_a_map_is_padded_where_it_does_not():
    assert placed(Axis(28, 3, 1, 1, 28), Axis(28, 3, 1, 1, 28)) == (Padding.SAME, None)
    assert placed(Axis(7, 3, 2, 1, 4), Axis(7, 3, 2, 1, 4)) == (Padding.SAME, None)
    assert placed(Axis(28, 3, 2, 1, 14), Axis(28, 3, 2, 1, 14)) == (Padding.VALID, ((1, 0), (1, 0)))
    assert placed(Axis(28, 1, 2, 0, 14), Axis(28, 1, 2, 0, 14)) == (Padding.VALID, None)
