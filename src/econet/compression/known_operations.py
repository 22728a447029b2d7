"""Torch's operations by what they do to channels; those with weights are in `weighted_operations`."""

# Every value of the result is a value of the input: moved, repeated or left out.
MOVES = frozenset(
    (
        *(
            "view",
            "reshape",
            "_unsafe_view",
            "_reshape_alias",
            "flatten",
            "unflatten",
            "view_as",
            "squeeze",
            "unsqueeze",
        ),
        *("permute", "transpose", "t", "movedim", "expand", "expand_as", "repeat", "tile", "roll", "flip"),
        *("slice", "select", "narrow", "split", "split_with_sizes", "chunk", "unbind", "unsafe_split", "unsafe_chunk"),
        *("cat", "stack", "slice_scatter", "select_scatter", "copy"),
        *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"),
    )
)
# The result is the input, as far as channels go.
SAME = frozenset(
    (
        *("clone", "contiguous", "alias", "detach", "lift_fresh", "lift_fresh_copy", "_to_copy", "to", "type_as"),
        *("dropout", "feature_dropout", "alpha_dropout", "native_dropout"),
    )
)
# What looks at height and width alone: (operation, how many of the last axes it may mix).
POOLS = {
    f"{kind}{sides}d": sides
    for kind in ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "_adaptive_avg_pool", "lp_pool")
    for sides in (1, 2, 3)
} | {
    "max_pool2d_with_indices": 2,
    "upsample_nearest2d": 2,
    "upsample_bilinear2d": 2,
    "upsample_bicubic2d": 2,
    "_upsample_bilinear2d_aa": 2,
    "upsample_nearest1d": 1,
    "upsample_linear1d": 1,
}
MEANS = frozenset(("mean", "sum", "amax", "amin"))
# Value by value, though torch does not tag all of them so.
POINTWISE = frozenset(
    ("hardswish", "hardsigmoid", "hardtanh", "relu6", "celu", "selu", "leaky_relu", "elu", "mish", "softplus")
)
# Constants made inside `forward`, all of one number.
CONSTANTS = {"zeros": 0.0, "ones": 1.0, "zeros_like": 0.0, "ones_like": 1.0, "new_zeros": 0.0, "new_ones": 1.0}
