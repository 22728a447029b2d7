"""Section 6: error on the 10,184 classes of Fall 2009: quoted, since it takes the whole of ImageNet."""

from econet.claims.claim import Claim
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="fall2009",
    title="Section 6: error on the 10,184 classes of Fall 2009",
    said=Said(
        text="67.4 % and 40.9 %, against 78.1 % and 60.9 % before",
        value=0.674,
        unit="top-1 error",
        where="section 6",
    ),
    notes="Recipes `imagenet-alexnet-paper` and `imagenet-alexnet-original-code` run it where ImageNet lies.",
)
