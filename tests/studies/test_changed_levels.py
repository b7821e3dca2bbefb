"""Changed levels as an option of the studies."""

import pytest

from rlvision_jax.envs.coinrun import CoinRunConfig
from rlvision_jax.studies import LevelChanges


def test_without_changes_an_agents_config_is_left_alone():
    config = {"env": "procgen:starpilot", "env_options": {"num_levels": 3}, "steps": 7}
    assert LevelChanges().apply(config) == config
    assert LevelChanges(change_seed=5).apply(config) == config


def test_changed_levels_are_played_on_the_device_with_the_agents_options():
    options = {"distribution_mode": "easy", "num_levels": 200, "paint_velocity": True}
    config = {"env": "procgen:coinrun", "env_options": options, "steps": 7}
    changed = LevelChanges(coin="moved", themes="random", change_seed=3).apply(config)
    assert (changed["env"], changed["steps"]) == ("coinrun", 7)
    game = CoinRunConfig(**changed["env_options"])
    assert (game.coin, game.themes, game.change_seed) == ("moved", "random", 3)
    assert (game.distribution_mode, game.num_levels, game.paint_velocity) == ("easy", 200, True)
    assert "coin" not in options


def test_other_games_and_settings_are_refused():
    changes = LevelChanges(themes="random")
    with pytest.raises(ValueError, match=r"environment is .procgen:maze"):
        changes.apply({"env": "procgen:maze"})
    with pytest.raises(ValueError, match="change_seed must be an integer of at least 0; got -1"):
        LevelChanges(change_seed=-1)
