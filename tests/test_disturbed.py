"""A run is never lost: whatever goes wrong with the disk, and whenever it dies, it ends with the very same files."""

import pytest

from disturbed.disk import FAILING, LYING
from disturbed.nursery import Nursery
from disturbed.sweep import Sweep

# Of the quick tests: every so manieth operation, so that each stage of a run is hit.
STRIDE = 17


@pytest.fixture(scope="module")
def sweep(clothes_folder, tmp_path_factory):
    with Nursery(clothes_folder) as nursery:
        yield Sweep(nursery, tmp_path_factory.mktemp("runs"))


def test_a_run_killed_at_some_operations_on_the_disk_ends_with_the_same_files(sweep):
    assert sweep.operations > 80
    for operation in range(7, sweep.operations + 1, STRIDE):
        assert sweep.at(operation) == "killed"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "halfway"])
def test_a_run_killed_at_each_operation_on_the_disk_ends_with_the_same_files(sweep, moment):
    operation, outcome = 1, ""
    while outcome != "done":
        outcome = sweep.at(operation, moment=moment)
        operation += 1
    assert operation - 2 == sweep.operations


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAILING)
def test_a_disk_that_fails_at_each_operation_is_named_and_the_run_goes_on_to_the_same_files(sweep, fault):
    for operation in range(1, sweep.operations + 1):
        assert sweep.at(operation, fault) == "refused"


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*LYING, "delay"])
def test_a_disk_that_lies_at_each_operation_never_changes_what_the_run_ends_with(sweep, fault):
    for operation in range(1, sweep.operations + 1):
        sweep.at(operation, fault)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_same_files(sweep):
    outcomes = [sweep.at_random(number) for number in range(20)]
    assert outcomes.count("killed") > 10
