"""How results are told: nothing is left out, and a goal that was missed is told as missed."""

from tests.benchmarks import previews
from tests.benchmarks.__main__ import HEAD, merged
from tests.benchmarks.table import Finding, Section, at_least, at_most


def test_goal_is_judged_by_the_median() -> None:
    speed = Finding("speed", [9, 11, 30], "times", at_least(10))
    cost = Finding("cost", [2.96, 3.14, 4], "times", at_most(3))

    assert speed.row == ("speed", "11 times", "9 to 30", "≥ 10", "yes")
    assert cost.row == ("cost", "3.14 times", "2.96 to 4", "≤ 3", "**no**")


def test_what_has_no_goal_is_not_judged() -> None:
    assert Finding("memory", [101.4], "MB").row == ("memory", "101 MB", "", "", "")


def test_part_that_is_measured_again_takes_its_own_place_only() -> None:
    one, other = Section("One", [Finding("a", [1])]), Section("Other", [Finding("b", [2])])
    kept = merged("", [one, other], load=0.5)

    again = merged(kept, [Section("One", [Finding("a", [3])])], load=2.0)

    assert again.startswith(HEAD)
    assert [line for line in again.splitlines() if line.startswith("## ")] == ["## One", "## Other"]
    assert "| 3 " in again
    assert "| 1 " not in again
    assert "| 2 " in again
    assert again.count("load before 0.5.") == again.count("load before 2.0.") == 1


def test_previews_are_measured() -> None:
    told: list[str] = []

    section = previews.measure(0.001, 1, told.append)

    assert all(value > 0 for one in section.findings for value in one.values)
    assert len(told) == 1
