"""Errors say what is wrong, why, and what to do."""

from econet.errors import UserError, unknown_name


def test_an_error_prints_what_why_and_what_to_do():
    error = UserError("image size 8 is too small", "it needs 28", "--image-size 28")
    assert str(error) == "error: image size 8 is too small\n  why: it needs 28\n  try: --image-size 28"


def test_a_misspelt_name_gets_the_nearest_known_one():
    error = unknown_name("model", "alexnet-smal", ("econet", "alexnet_small"))
    assert "'alexnet-smal'" in error.what
    assert error.remedy == "did you mean alexnet_small?"


def test_a_name_like_no_other_gets_all_of_them():
    assert unknown_name("data", "zzzz", ("cifar10", "fashion-mnist")).remedy == "one of: cifar10, fashion-mnist"
