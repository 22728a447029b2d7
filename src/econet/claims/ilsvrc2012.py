"""Table 2: error on ILSVRC-2012: quoted, since it takes the whole of ImageNet."""

from econet.claims.claim import Claim
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="ilsvrc2012",
    title="Table 2: error on ILSVRC-2012",
    said=Said(
        text="40.7 % top-1 and 18.2 % top-5 on validation with one network; 15.3 % top-5 on test with "
        "seven, against 26.2 % for the second best",
        value=0.407,
        unit="top-1 error",
        where="table 2",
    ),
    notes="Recipes `imagenet-alexnet-paper` and `imagenet-alexnet-original-code` run it where ImageNet lies.",
)
