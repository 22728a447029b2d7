"""What the tiny folder in the shape of ILSVRC holds: known to those who make it and to those who check it."""

# In the devkit's order, which is not the alphabet's: ILSVRC2012_ID 1 is the first.
DEVKIT = tuple(f"n{number:08d}" for number in (2119789, 2100735, 2110185, 2096294, 2102040, 2066245, 42, 7, 9999, 500))
PER_CLASS = 8
# The class of each validation picture, as a place in DEVKIT.
TEST_CLASSES = (3, 0, 9, 1, 4, 4, 7, 2, 5, 8, 6, 0, 9, 2)
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
