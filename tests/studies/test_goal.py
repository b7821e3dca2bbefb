"""The study of the goal: an agent that sees nothing goes on as if nothing had changed.

Slow is what compiles the game on the device.
"""

import csv
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from coin_seer import AGENT_CONFIG, COLOURS, RUNNER

from rlvision_jax import checkpoint
from rlvision_jax.cli.main import main
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.replays import steps_to_coin
from rlvision_jax.features import find_directions
from rlvision_jax.studies import Cells, LevelChanges, replay
from rlvision_jax.studies.goal import GoalConfig, study_goal
from rlvision_jax.studies.goal_features import follow_coin, pair_frames
from rlvision_jax.studies.goal_journeys import (
    DESTINATIONS,
    Journeys,
    journeys,
    level_places,
    played_levels,
)
from rlvision_jax.studies.goal_result import GoalResult, table_row
from rlvision_jax.studies.labelled_frames import sample_games
from rlvision_jax.studies.levels import Levels, make_env, play_levels
from rlvision_jax.studies.object_classes import CLASSES
from rlvision_jax.studies.scored_features import FeaturesConfig

MOVED = CoinRunConfig(distribution_mode="easy", coin="moved")
COIN = CLASSES.index("coin")


@pytest.fixture(scope="module")
def written(blind_runner, tmp_path_factory):
    """The command's folder: the runner, whose values do depend on what it sees, on 24 levels."""
    policy, runner, config = blind_runner
    params = policy.init(jax.random.key(0))
    params["params"]["heads"]["policy"] = runner["params"]["heads"]["policy"]
    options = {**config["env_options"], "use_backgrounds": False, "num_levels": 24}
    folder = tmp_path_factory.mktemp("goal")
    checkpoint.save(folder / "agent", policy, params, {**config, "env_options": options})
    sizes = ["--num-levels", "24", "--num-envs", "8", "--num-frames", "64", "--frame-interval", "4"]
    sizes += ["--num-features", "3", "--layer", "conv2", "--resamples", "50", "--split", "train"]
    arguments = ["study", "goal", str(folder / "agent"), "--out", str(folder / "out"), *sizes]
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 0
    return folder, GoalConfig(
        num_levels=24,
        num_envs=8,
        num_frames=64,
        frame_interval=4,
        num_features=3,
        layer="conv2",
        resamples=50,
        split="train",
    )


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_an_agent_that_does_not_look_goes_on_as_if_nothing_had_changed(written):
    rows = {
        (row["condition"], row["outcome"]): row for row in read(written[0] / "out" / "table.csv")
    }
    for outcome in DESTINATIONS:
        moved, unseen = rows["moved", outcome], rows["unseen", outcome]
        assert (moved["levels"], unseen["difference"]) == (unseen["levels"], "0.0")
    for condition in ("end", "moved", "unseen"):
        counts = [int(rows[condition, outcome]["levels"]) for outcome in DESTINATIONS]
        assert sum(counts) == 24
    # It meets some coins that it does not look for, and passes others.
    assert int(rows["moved", "coin"]["levels"]) > 0
    assert int(rows["moved", "end"]["levels"]) > 0
    assert int(rows["moved", "passed"]["levels"]) >= int(rows["moved", "end"]["levels"])


@pytest.mark.slow
def test_the_study_is_read_from_its_cells(written):
    folder, config = written
    agent = checkpoint.load(folder / "agent")
    stages = []
    result = study_goal(
        *agent,
        config,
        cells=Cells(folder / "out" / "cells"),
        notify=lambda stage, done, total: stages.append(stage),
    )
    assert set(stages) == {"coin-at-end", "coin-moved"}
    assert result.table.to_csv() == (folder / "out" / "table.csv").read_text()
    assert result.feature_table.to_csv() == (folder / "out" / "features.csv").read_text()
    svg = (folder / "out" / "figure.svg").read_bytes()
    assert b">coin moved, as if unseen<" in svg


@pytest.mark.slow
def test_changed_levels_are_shown_as_they_were_played(written):
    """Played again from their beginning, in Procgen, they end with the action that ended them."""
    folder, _ = written
    policy, params, agent_config = checkpoint.load(folder / "agent")
    config = LevelChanges(coin="moved").apply(agent_config)
    cell = json.loads((folder / "out" / "cells" / "coin-moved-000.json").read_text())
    levels = Levels.from_json(cell["result"])
    completed = int(np.flatnonzero(levels.outcomes == 0)[0])
    seed, actions = int(levels.seeds[completed]), levels.actions[completed]
    played = replay(policy, params, config, seed, actions)
    assert played.level_complete[-1, 0]
    with pytest.raises(ValueError, match="does not end with the last"):
        replay(policy, params, agent_config, seed, actions)


@pytest.mark.slow
def test_steps_lead_to_the_moved_coin_in_procgen_too(blind_runner):
    """The device's physics says after how many steps; Procgen plays them from the changed level."""
    policy, params, agent_config = blind_runner
    agent_config = {**agent_config, "env_options": {"distribution_mode": "easy"}}
    env = make_env(agent_config, 8, 21, 1)
    own = play_levels(policy, params, env, jax.random.key(3), 16, agent_config, all_actions=True)
    env.close()
    assert sorted(own.actions) == list(range(16))
    moved = LevelChanges(coin="moved").apply(agent_config)
    steps = steps_to_coin(played_levels(own, range(16)), MOVED)
    met = [index for index, each in enumerate(steps) if each is not None]
    assert 0 < len(met) < 16
    for index in met[:3]:
        seed, actions = int(own.seeds[index]), own.actions[index][: steps[index]]
        played = replay(policy, params, moved, seed, actions)
        assert played.level_complete[:, 0].tolist() == [False] * (len(actions) - 1) + [True]
        with pytest.raises(ValueError, match="does not end with the last"):
            replay(policy, params, agent_config, seed, actions)


@pytest.fixture(scope="module")
def seen():
    """What an agent that sees coins by their colours meets, and its features."""
    observations, games = sample_games(
        RUNNER, COLOURS, AGENT_CONFIG, num_frames=192, interval=16, num_envs=64, num_threads=1
    )
    frames = pair_frames(observations, games, AGENT_CONFIG, MOVED, num_threads=1)
    directions = find_directions(RUNNER, COLOURS, observations, "seen", num_features=3)
    return games, frames, directions


def test_frames_differ_by_the_coin_only(seen):
    games, frames, _ = seen
    changed = (frames.own.observations != frames.moved.observations).any(-1)
    coins = frames.own.masks[..., COIN] | frames.moved.masks[..., COIN]
    assert changed.any()
    assert not (changed & ~coins).any()
    places = level_places(frames.own.level_seeds, MOVED)
    ends = [int(np.argwhere(game.grid == 1)[0, 1]) for game in games]
    np.testing.assert_array_equal(places.end_column, ends)
    # The wall behind the end begins beside the coin, if both are in view.
    for own, walls in zip(frames.own.masks[..., COIN], frames.end_walls, strict=True):
        if own.any() and walls.any():
            gap = np.flatnonzero(walls.any(0))[0] - np.flatnonzero(own.any(0))[-1]
            assert 0 <= gap <= 2  # a coin's picture fills its tile but for its rim


def test_a_feature_of_coins_follows_the_coin(seen):
    _, frames, directions = seen
    config = FeaturesConfig(num_features=3, resamples=100)
    *rows, value = follow_coin(RUNNER, COLOURS, frames, directions, config)
    (coin,) = [row for row in rows if table_row(row, 1, None)["follows"]]
    assert table_row(coin, 1, None)["follows"] == "coin"
    # Nearly all of it: the rest are the crates and saws that its direction has a share of.
    assert coin["moved_coin"].low > 0.7
    assert coin["coin_at_end"].low > 0.7
    assert coin["old_place"].high <= 0
    assert coin["end_wall"].high <= 0
    # The value is linear in the layer: what the coin adds to it, it adds to this feature, but for
    # what the factorization leaves over.
    assert coin["effect_moved"].low > 0
    for effect in ("effect_at_end", "effect_moved"):
        assert coin[effect].mean == pytest.approx(value[effect].mean, rel=0.05)
        for row in rows:
            if row is not coin:
                assert abs(row[effect].mean) < 0.05 * coin[effect].mean


def test_a_feature_of_the_coins_old_place_follows_the_end(seen):
    """The agent is shown the coin at the end, and the truth is that it has moved."""
    _, frames, directions = seen
    fooled = frames._replace(
        moved=frames.moved._replace(observations=frames.own.observations),
    )
    config = FeaturesConfig(num_features=3, resamples=100)
    rows = follow_coin(RUNNER, COLOURS, fooled, directions, config)[:-1]
    (coin,) = [row for row in rows if row["old_place"].low > 0]
    assert coin["moved_coin"].low <= 0
    assert coin["effect_moved"].mean == 0
    assert [table_row(row, 1, None)["follows"] for row in rows if row is not coin] == [None, None]
    assert table_row(coin, 1, None)["follows"] == "end"


def test_table_counts_levels_and_pairs_conditions():
    found = Journeys(
        destinations={
            name: np.asarray(each, np.int8)
            for name, each in {"end": [0, 0, 2], "moved": [0, 1, 2], "unseen": [1, 1, 2]}.items()
        },
        passed=np.asarray([False, True, False]),
    )
    result = GoalResult(found, ())
    rows = {(row["condition"], row["outcome"]): row for row in result.table.rows}
    assert [rows["moved", name]["levels"] for name in ("coin", "end", "saw", "lava")] == [
        1,
        1,
        1,
        0,
    ]
    assert rows["end", "coin"]["difference"] == pytest.approx(-1 / 3)
    assert rows["unseen", "coin"]["difference"] == pytest.approx(1 / 3)
    assert rows["moved", "passed"]["levels"] == 1


def test_other_levels_or_missing_actions_are_refused(make_levels):
    own = make_levels(["completed", "saw"])
    with pytest.raises(ValueError, match="the actions of all 2 levels are needed; got those of 1"):
        journeys(own, own, MOVED)
    with pytest.raises(ValueError, match="are not those with the coin at the end"):
        journeys(own, make_levels(["completed", "saw"], first_seed=7), MOVED)
