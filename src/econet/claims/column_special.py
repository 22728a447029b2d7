"""Section 6.1, figure 3: one column's first filters turn out gray and the other's coloured, in every run."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="column_special",
    title="The columns specialise: one for colour, one without",
    said=Said(
        text="in every run the kernels of one column are largely colour-agnostic and those of the other "
        "colour-specific",
        where="section 6.1, figure 3",
    ),
    scale=MINI,
    arms=(Arm("one_column", switches={"columns": 1}), Arm("base")),
    measure="column_colour_gap",
    unit="colourfulness",
    better="higher",
    notes="Colourfulness of a filter: 1 - 3 |mean over channels|^2 / |w|^2. The gap between the columns is held "
    "against the gap between two halves of a network that has no columns, which is chance.",
)
