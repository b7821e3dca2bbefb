"""Bad options are errors of Python: the library would end the process."""

import dataclasses
import json

import pytest

from rlvision_jax import envs

INT32_MAX = 2**31 - 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"distribution_mode": "harder"}, 'unknown distribution_mode "harder"; expected one of'),
        ({"distribution_mode": "extreme"}, 'it has "easy", "hard", "exploration"'),
        ({"num_envs": 0}, "num_envs must be an integer from 1 to 65536; got 0"),
        ({"num_envs": 70_000}, "num_envs must be an integer from 1 to 65536; got 70000"),
        ({"num_envs": 2.0}, "num_envs must be an integer .* got 2.0"),
        ({"num_envs": True}, "num_envs must be an integer .* got True"),
        ({"num_levels": -1}, f"num_levels must be an integer from 0 to {INT32_MAX}; got -1"),
        ({"num_levels": 2**31}, "num_levels must be an integer .* got 2147483648"),
        ({"num_levels": "200"}, "num_levels must be an integer .* got '200'"),
        ({"start_level": -5, "num_levels": 1}, "start_level must be an integer .* got -5"),
        ({"start_level": 7}, "start_level 7 has no effect when num_levels is 0"),
        ({"start_level": INT32_MAX, "num_levels": 1}, r"start_level \+ num_levels must be at most"),
        ({"distribution_mode": "exploration", "num_levels": 3}, "plays one fixed level"),
        ({"seed": -1}, "seed must be an integer .* got -1"),
        ({"seed": None}, "seed must be an integer .* got None"),
        ({"debug_mode": 2**31}, "debug_mode must be an integer"),
        ({"num_threads": -1}, "num_threads must be an integer from 0 to 1024; got -1"),
        ({"num_threads": 2000}, "num_threads must be an integer from 0 to 1024; got 2000"),
        ({"use_backgrounds": 1}, "use_backgrounds must be True or False; got 1"),
        ({"paint_velocity": "yes"}, "paint_velocity must be True or False; got 'yes'"),
        ({"render_human": None}, "render_human must be True or False; got None"),
        ({"resource_root": 3}, "resource_root must be a path as str, or None; got 3"),
        ({"copy": "no"}, "copy must be True or False; got 'no'"),
    ],
)
def test_bad_options_are_refused(as_in_production, options, text):
    with pytest.raises(ValueError, match=text):
        envs.make("procgen:coinrun", **{"num_envs": 2, **options})


@pytest.mark.parametrize("name", ["procgen:pong", "coinrun:procgen", "procgen:", "", None])
def test_unknown_environments_list_those_that_exist(as_in_production, name):
    with pytest.raises(ValueError, match=r'unknown environment .*"procgen:bigfish", .*"procgen:st'):
        envs.make(name, num_envs=2)


def test_unknown_options_list_those_that_exist():
    with pytest.raises(ValueError, match=r'no option "paint_vel_info", "x"; .*"paint_velocity"'):
        envs.make("procgen:coinrun", num_envs=2, paint_vel_info=True, x=1)


def test_the_number_of_environments_must_be_said():
    with pytest.raises(ValueError, match="procgen:coinrun needs num_envs"):
        envs.make("procgen:coinrun")


def test_an_unknown_game_lists_the_games():
    with pytest.raises(ValueError, match='unknown Procgen game "pong"; expected one of "bigfish"'):
        envs.ProcgenConfig(game="pong", num_envs=1)


def test_a_config_survives_json():
    config = envs.ProcgenConfig(game="maze", num_envs=4, num_levels=10, start_level=3, seed=2)
    assert envs.ProcgenConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
