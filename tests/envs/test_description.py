import numpy as np
import pytest

from rlvision_jax import envs


def test_planes_get_colours_that_differ():
    frames = 255 * np.eye(4, dtype=np.uint8)[:, None, None]  # one frame for each plane
    shown = envs.to_rgb(frames, "planes")[:, 0, 0]
    assert len({tuple(color) for color in shown.tolist()}) == 4
    assert shown.max(-1).tolist() == [255] * 4
    np.testing.assert_array_equal(envs.to_rgb(frames // 255 * 100, "planes")[0, 0, 0], [100, 0, 0])


def test_rgb_frames_are_shown_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    np.testing.assert_array_equal(envs.to_rgb(frames, "rgb"), frames)


def test_rgb_needs_threes():
    with pytest.raises(ValueError, match="a multiple of 3 channels; got 4"):
        envs.to_rgb(np.zeros((2, 2, 4), np.uint8), "rgb")


def test_games_say_how_to_show_them():
    env = envs.make("procgen:maze", num_envs=1, num_threads=0)
    assert envs.describe(env).action_names == envs.ACTION_NAMES
    assert envs.describe(env).has_levels
    env.close()


@pytest.mark.parametrize(
    ("name", "on_device", "levels"),
    [
        ("coinrun", True, True),
        ("procgen:maze", False, True),
        ("atari:pong", False, False),
        ("gymnasium:ALE/Pong-v5", False, False),
        ("gymnax:Breakout-MinAtar", True, False),
    ],
)
def test_names_tell_the_kind(name, on_device, levels):
    assert envs.lives_on_device(name) is on_device
    assert envs.has_levels(name) is levels


@pytest.mark.parametrize("name", ["atari:", "pong", "procgen:pong", "mine:pong"])
def test_unknown_names_list_the_kinds(name):
    for ask in (envs.lives_on_device, envs.has_levels, envs.make):
        with pytest.raises(
            ValueError, match=r'unknown environment .*"atari:<game>".*"gymnax:<id>"'
        ):
            ask(name)
