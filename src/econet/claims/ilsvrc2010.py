"""Table 1: top-1 and top-5 error on ILSVRC-2010: quoted, since it takes the whole of ImageNet."""

from econet.claims.claim import Claim
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="ilsvrc2010",
    title="Table 1: top-1 and top-5 error on ILSVRC-2010",
    said=Said(
        text="37.5 % and 17.0 %, against 47.1 % and 28.2 % for sparse coding and 45.7 % and 25.7 % for "
        "SIFT with Fisher vectors",
        value=0.375,
        unit="top-1 error",
        where="table 1",
    ),
    notes="Recipes `imagenet-alexnet-paper` and `imagenet-alexnet-original-code` run it where ImageNet lies.",
)
