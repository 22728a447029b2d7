import pytest

from econet.measurement.energy import estimate_energy, measure_energy_mj, unwrapped


def zone(folder, name, microjoules, largest=1_000_000):
    path = folder / name
    path.mkdir()
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text(f"{largest}\n")
    return path


def test_without_a_counter_nothing_is_measured(tmp_path):
    assert measure_energy_mj(lambda: None, powercap=tmp_path / "absent", seconds=0) is None
    (tmp_path / "intel-rapl:0").mkdir()
    assert measure_energy_mj(lambda: None, powercap=tmp_path, seconds=0) is None


def test_packages_are_added_up_and_their_parts_left_out(tmp_path):
    zones = [zone(tmp_path, f"intel-rapl:{name}", 100_000) for name in ("0", "1", "0:0")]

    def run():
        for each in zones:
            before = int((each / "energy_uj").read_text())
            (each / "energy_uj").write_text(str(before + 3000))

    assert measure_energy_mj(run, powercap=tmp_path, seconds=0) == 6.0
    assert measure_energy_mj(run, powercap=tmp_path, seconds=0.02) == 6.0


def test_a_counter_that_begins_again_is_followed(tmp_path):
    package = zone(tmp_path, "intel-rapl:0", 999_000)
    found = measure_energy_mj(lambda: (package / "energy_uj").write_text("999"), powercap=tmp_path, seconds=0)
    assert found == 2.0
    assert unwrapped(10, 30, 100) == 20
    assert unwrapped(95, 4, 99) == 9


def test_an_estimate_is_a_range_that_says_so():
    found = estimate_energy(0.001)
    assert (found.low_mj, found.high_mj) == pytest.approx((2.0, 10.0))
    assert "estimated, not measured" in found.model
