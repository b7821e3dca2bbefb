"""The study of failures: rates, episodes and figure of levels whose ends are known."""

import pytest

from rlvision_jax.studies.failures import FailuresResult, draw_failures, worst_of_each_cause
from rlvision_jax.training import wilson_interval

ENDS = ["completed", "saw", "saw", "lava", "completed", "saw", "enemy_left", "completed"]


@pytest.fixture
def result(make_levels):
    return FailuresResult(make_levels(ENDS))


def test_rates_have_wilson_intervals(result):
    rows = {row["outcome"]: row for row in result.table.rows}
    assert sum(row["levels"] for row in rows.values()) == len(ENDS)
    assert rows["saw"]["levels"] == 3
    assert (rows["saw"]["low"], rows["saw"]["high"]) == wilson_interval(3, 8)
    # The worst advantages of levels 1, 2 and 5; from step i to the last, i + 2, are 2 steps.
    assert rows["saw"]["median_worst_advantage"] == -2
    assert rows["saw"]["median_steps_to_end"] == 2
    assert rows["timeout"]["levels"] == 0
    assert rows["timeout"]["median_worst_advantage"] is None


def test_episodes_are_the_failed_levels_the_worst_first(result):
    assert [episode.level for episode in result.episodes] == [6, 5, 3, 2, 1]
    worst = result.episodes[0]
    assert (worst.seed, worst.cause, worst.worst_step) == (106, "enemy_left", 6)
    table = result.episode_table({5: "gallery/index.html#trajectory=1&step=6"})
    assert table.column("cause") == ["enemy_left", "saw", "lava", "saw", "saw"]
    assert table.column("steps") == [9, 8, 6, 5, 4]
    assert table.column("gallery")[:2] == [None, "gallery/index.html#trajectory=1&step=6"]


def test_gallery_has_the_worst_of_each_cause(result):
    chosen = worst_of_each_cause(result.episodes, 2)
    assert [episode.level for episode in chosen] == [5, 2, 6, 3]


def test_figure_names_causes_and_the_article(result):
    svg = draw_failures(result)
    for text in (b">8 levels<", b">enemy left<", b"article", b">lava<"):
        assert text in svg
    assert b">timeout<" not in svg
