"""Each option of Procgen does what its name says."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs import procgen_library
from rlvision_jax.envs.procgen_config import EXPLORATION_LEVELS, GAMES_OF_MODE

RIGHT = envs.ACTION_NAMES.index("right")
MODES_OF_GAMES = [(game, mode) for mode, games in GAMES_OF_MODE.items() for game in games]


def grid_of(state):
    """The 64x64 grid of a CoinRun state, indexed [y, x]."""
    return np.frombuffer(state[-16416:-32], "<i4").reshape(64, 64)


@pytest.mark.parametrize(("game", "mode"), MODES_OF_GAMES)
def test_every_game_runs_in_every_mode_it_has(make_env, game, mode):
    env = make_env(game, distribution_mode=mode)
    frames = [env.reset().observation]
    for step in range(20):
        frames.append(env.step(np.array([RIGHT, step % 15])).observation)
    assert len({frame.tobytes() for frame in frames}) > 1
    if mode == "exploration":
        np.testing.assert_array_equal(env.observe().level_seed, [EXPLORATION_LEVELS[game]] * 2)


def test_every_refused_mode_is_an_error_with_the_modes_that_exist(make_env):
    with pytest.raises(
        ValueError, match='coinrun has no distribution_mode "memory"; it has "easy"'
    ):
        make_env(distribution_mode="memory")


def test_paint_velocity_paints_two_grey_squares_and_nothing_else(make_env):
    plain, painted = make_env(seed=4), make_env(seed=4, paint_velocity=True)
    for _ in range(8):
        frame = plain.step([RIGHT, RIGHT]).observation
        with_squares = painted.step([RIGHT, RIGHT]).observation
        square = with_squares[:, :13, :13]
        assert (square == square[:, :1, :1, :1]).all()
        outside = np.ones((64, 64), bool)
        outside[:13, :26] = False
        np.testing.assert_array_equal(frame[:, outside], with_squares[:, outside])
    # Running right at (nearly) full speed, 0.5 tiles/step, paints the left square white: the
    # speed after n steps from rest is 0.5 * (1 - 0.8**n), hence 255 * (1 - 0.8**8 / 2) = 233.
    assert square[0, 0, 0, 0] == pytest.approx(233, abs=1)  # one grey level for its rounding


def test_without_backgrounds_what_changes_turns_black(make_env):
    plain = make_env(num_envs=8, seed=4).reset().observation
    bare = make_env(num_envs=8, seed=4, use_backgrounds=False).reset().observation
    changed = (plain != bare).any(axis=-1)
    assert changed.mean() > 0.1  # some sky is seen in every level
    # Sprites with half-transparent edges mix with what is behind them, hence not all.
    assert (bare[changed] == 0).all(axis=-1).mean() > 0.95


def test_monochrome_assets_leave_few_colours(make_env):
    def colours(**options):
        env = make_env(num_envs=1, seed=4, use_backgrounds=False, **options)
        return len(np.unique(env.reset().observation.reshape(-1, 3), axis=0))

    assert colours(use_monochrome_assets=True) < 10 < colours()


@pytest.mark.parametrize("game", envs.GAMES)
def test_every_game_survives_every_way_of_drawing(make_env, game):
    plain = make_env(game, num_envs=4, seed=4)
    bare = make_env(
        game,
        num_envs=4,
        seed=4,
        use_monochrome_assets=True,
        restrict_themes=True,
        use_backgrounds=False,
        paint_velocity=True,
    )
    for row in np.random.default_rng(0).integers(0, 15, (60, 4)):
        # Only pixels are compared: some games take the sizes of objects from the theme.
        changed = plain.step(row).observation != bare.step(row).observation
        assert changed.any(axis=(1, 2, 3)).all()


def test_generated_assets_are_random_shapes_without_states(make_env):
    env = make_env(seed=4, use_generated_assets=True)
    assert (env.reset().observation != make_env(seed=4).reset().observation).mean() > 0.5
    for call in (env.get_state, lambda: env.set_state([b"", b""])):
        with pytest.raises(ValueError, match="use_generated_assets have no states"):
            call()


def test_restricted_themes_give_all_levels_one_ground(make_env):
    def grounds(**options):
        env = make_env(num_envs=24, distribution_mode="hard", **options)
        return len(np.unique(env.reset().observation[:, -1, 0], axis=0))

    # The bottom left pixel lies below the level, in the ground. Six themes exist.
    assert grounds(restrict_themes=True) == 1
    assert grounds() > 3


def test_without_centering_the_picture_stands_still(make_env):
    def unchanged(**options):
        env = make_env(num_envs=1, seed=4, **options)
        before = env.reset().observation
        for _ in range(6):
            after = env.step([RIGHT]).observation
        return (before == after).all(axis=-1).mean()

    # CoinRun shows all of its 64x64 tiles then; only the agent's few pixels change.
    assert unchanged(center_agent=False) > 0.95
    assert unchanged() < 0.8


def test_debug_mode_reaches_the_game(make_env):
    def coin_rows(**options):
        states = make_env(num_envs=16, seed=4, **options).get_state()
        return {np.argwhere(grid_of(state) == 1)[0][0] for state in states}

    assert coin_rows(debug_mode=8) == {1}
    assert len(coin_rows()) > 1


def test_easy_and_hard_differ(make_env):
    easy, hard = (
        make_env(num_envs=4, seed=4, distribution_mode=mode).reset() for mode in ("easy", "hard")
    )
    np.testing.assert_array_equal(easy.level_seed, hard.level_seed)
    assert (easy.observation != hard.observation).mean() > 0.1


def test_human_frames_show_the_same_moment_in_more_detail(make_env):
    env = make_env(seed=4, render_human=True)
    assert env.render().shape == (2, 512, 512, 3)
    for _ in range(5):
        moment = env.step([RIGHT, RIGHT])
    kept = env.render()
    blocks = kept.reshape(2, 64, 8, 64, 8, 3).mean(axis=(2, 4))
    difference = np.abs(blocks - moment.observation)
    other = np.abs(blocks - np.roll(moment.observation, 1, axis=0))
    # One is smoothed, the other takes the nearest texel, so they agree only roughly: the measure
    # is how far another level is off.
    assert 2 * difference.mean() < other.mean()
    states = env.get_state()
    before = kept.copy()
    env.step([RIGHT, RIGHT])
    np.testing.assert_array_equal(kept, before)
    assert (env.render() != kept).any()
    env.set_state(states)
    np.testing.assert_array_equal(env.render(), kept)


def test_observations_do_not_depend_on_human_frames(make_env):
    plain, human = make_env(seed=4), make_env(seed=4, render_human=True)
    for _ in range(10):
        one, other = plain.step([RIGHT, RIGHT]), human.step([RIGHT, RIGHT])
        np.testing.assert_array_equal(one.observation, other.observation)


def test_render_without_human_frames_names_the_option(make_env):
    with pytest.raises(RuntimeError, match="made with render_human=True"):
        make_env().render()


def test_threads_default_to_the_cores_but_not_more_than_environments():
    cores = len(os.sched_getaffinity(0))
    assert envs.ProcgenConfig(game="maze", num_envs=1).threads == 1
    assert envs.ProcgenConfig(game="maze", num_envs=10_000).threads == cores
    assert envs.ProcgenConfig(game="maze", num_envs=2, num_threads=7).threads == 7


def test_own_art_is_drawn(tmp_path):
    installed = procgen_library.installed_files().assets
    shutil.copytree(installed, tmp_path / "art", copy_function=os.symlink)
    ground = tmp_path / "art/kenney/Ground/Dirt/dirtCenter.png"
    ground.unlink()
    ground.symlink_to(installed / "kenney/Ground/Sand/sandCenter.png")
    # The library loads art once per process, so each picture needs a process of its own.
    script = (
        "import sys; from rlvision_jax import envs\n"
        "env = envs.make('procgen:coinrun', num_envs=1, num_threads=0, distribution_mode='easy',\n"
        "                resource_root=sys.argv[1] or None)\n"
        "print(*env.reset().observation[0, -1, 0])\n"
    )
    pixels = {
        root: subprocess.run(
            [sys.executable, "-c", script, root], capture_output=True, text=True, check=True
        ).stdout
        for root in ("", str(tmp_path / "art"))
    }
    assert len(set(pixels.values())) == 2


def test_incomplete_art_is_refused(make_env, tmp_path):
    make_env()
    library = procgen_library.Library(
        procgen_library.load().functions, procgen_library.installed_files().assets
    )
    with pytest.raises(ValueError, match=r"lacks \d+ of \d+ PNG files, the first kenney"):
        library.choose_art(str(tmp_path))


def test_art_cannot_change_within_a_process(make_env, tmp_path):
    make_env()
    with pytest.raises(ValueError, match="loads art only once; use another process"):
        make_env(resource_root=str(tmp_path))
