"""Every claim by its name, in the order of the paper."""

from econet.claims import (
    batch_norm,
    bias_one,
    binary_codes,
    binary_codes_cost,
    binary_codes_short,
    column_special,
    crops_mirror,
    data_scale,
    depth_conv3,
    depth_conv4,
    depth_conv5,
    dropout_error,
    dropout_overfit,
    ensemble,
    fall2009,
    ilsvrc2010,
    ilsvrc2012,
    lrn_cifar,
    lrn_extent,
    lrn_imagenet,
    neighbours,
    no_dense_layers,
    off_centre,
    overlap_pool,
    pca_colour,
    relu_vs_tanh,
    ten_views,
    two_columns,
    weight_decay_train,
)
from econet.claims.claim import Claim
from econet.errors import unknown_name

CLAIMS: dict[str, Claim] = {
    module.CLAIM.name: module.CLAIM
    for module in (
        relu_vs_tanh,
        two_columns,
        lrn_imagenet,
        lrn_cifar,
        overlap_pool,
        crops_mirror,
        pca_colour,
        ten_views,
        dropout_overfit,
        dropout_error,
        weight_decay_train,
        bias_one,
        depth_conv3,
        depth_conv4,
        depth_conv5,
        ensemble,
        column_special,
        neighbours,
        off_centre,
        ilsvrc2010,
        ilsvrc2012,
        fall2009,
        batch_norm,
        no_dense_layers,
        lrn_extent,
        data_scale,
        binary_codes,
        binary_codes_short,
        binary_codes_cost,
    )
}


def claim_named(name: str) -> Claim:
    """The claim of that name. Raises UserError with the nearest names where there is none."""
    if name not in CLAIMS:
        raise unknown_name("claim", name, CLAIMS)
    return CLAIMS[name]
