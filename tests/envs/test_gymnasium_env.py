"""Vector environments of Gymnasium against a loop that steps and resets one by one."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlvision_jax import envs
from rlvision_jax._extras import import_extra

SHAPE = (4, 4, 3)
LENGTHS = (2, 3, 3)
ACTIONS = np.random.default_rng(0).integers(0, 5, (9, 3)).astype(np.int32)


class Counting(gymnasium.Env):
    """Frames count the steps since its making, rewards its actions; logs what it was told."""

    def __init__(self, length=2, truncates=False, shape=SHAPE, dtype=np.uint8, start=0):
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, dtype)
        self.action_space = gymnasium.spaces.Discrete(5, start=start)
        self.length, self.truncates = length, truncates
        self.log, self.count = [], 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.log.append("reset")
        self.time = 0
        return self._frame(100), {}

    def step(self, action):
        self.log.append(int(action))
        self.time += 1
        self.count += 1
        ended = self.time == self.length
        frame, reward = self._frame(0), 10.0 * self.count + action
        return frame, reward, ended and not self.truncates, ended and self.truncates, {}

    def _frame(self, opening):
        return np.full(self.observation_space.shape, self.count + opening, np.uint8)


def makers(**options):
    return [
        lambda length=length, truncates=index == 1: Counting(length, truncates, **options)
        for index, length in enumerate(LENGTHS)
    ]


class SplitEnv(SyncVectorEnv):
    """Steps in two calls."""

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        return self.step(self.actions)


class Forgetful(SyncVectorEnv):
    """Resets all environments, whatever it is told."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class Doubled(gymnasium.vector.VectorRewardWrapper):
    def rewards(self, reward):
        return 2 * reward


def expected(t):
    """Moment after action t, one environment at a time."""
    count = t + 1
    ended = np.asarray([count % length == 0 for length in LENGTHS])
    return {
        "observation": np.broadcast_to((count + 100 * ended)[:, None, None, None], (3, *SHAPE)),
        "reward": 10.0 * count + ACTIONS[t],
        "terminated": ended & [True, False, True],
        "truncated": ended & [False, True, False],
        "first": ended,
        "level_seed": np.zeros(3),
        "prev_level_seed": np.zeros(3),
        "level_complete": np.zeros(3, bool),
    }


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("kind", [SyncVectorEnv, SplitEnv])
def test_every_mode_keeps_the_contract_and_takes_no_step_of_its_own(mode, kind):
    vector_env = kind(makers(), autoreset_mode=mode)
    env = envs.from_gymnasium(vector_env)
    first = env.reset()
    assert first.first.all()
    assert (first.observation == 100).all()
    assert (first.reward == 0).all()
    for t, actions in enumerate(ACTIONS):
        step = env.step(actions)
        for name, value in expected(t).items():
            np.testing.assert_array_equal(getattr(step, name), value, err_msg=f"{name}, {t}")
        assert env.observe() is step
    for index, game in enumerate(vector_env.envs):
        told = ["reset"]
        for t, action in enumerate(ACTIONS[:, index]):
            told += [action, "reset"] if (t + 1) % LENGTHS[index] == 0 else [action]
        assert game.log == told


def test_arrays_of_a_step_outlive_the_next():
    env = envs.from_gymnasium(SyncVectorEnv(makers(), copy=False))
    before = env.step(ACTIONS[0])
    kept = [array.copy() for array in before]
    env.step(ACTIONS[1])
    for array, copy in zip(before, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_only_a_later_reset_abandons_running_episodes():
    vector_env = SyncVectorEnv(makers())
    env = envs.from_gymnasium(vector_env)
    env.reset()
    assert vector_env.envs[0].log == ["reset"]
    env.step(ACTIONS[0])
    assert env.reset().first.all()
    assert vector_env.envs[0].log == ["reset", ACTIONS[0, 0], "reset"]


def test_wrappers_around_a_vector_environment_take_part():
    env = envs.from_gymnasium(Doubled(SplitEnv(makers())))
    np.testing.assert_array_equal(env.step(ACTIONS[0]).reward, 2 * expected(0)["reward"])


def test_a_vector_environment_that_resets_too_much_is_noticed():
    env = envs.from_gymnasium(Forgetful(makers()))
    env.step(ACTIONS[0])
    with pytest.raises(RuntimeError, match="it ignores the option reset_mask"):
        env.step(ACTIONS[1])


def test_frames_without_channels_get_one():
    env = envs.from_gymnasium(SyncVectorEnv(makers(shape=(6, 5))))
    assert env.observation_shape == (6, 5, 1)
    assert env.description.channels == "gray"
    assert env.step(ACTIONS[0]).observation.shape == (3, 6, 5, 1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dtype": np.float32}, "expected a Box of uint8"),
        ({"shape": (7,)}, "expected a Box of uint8"),
        ({"shape": (3, 8, 8)}, r"\[3, 8, 8\], with the channels first; .* numpy.moveaxis"),
        ({"start": 1}, "expected Discrete actions from 0 on"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*precision lowered:UserWarning")
def test_other_spaces_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        envs.from_gymnasium(SyncVectorEnv(makers(**options)))


def test_a_vector_environment_must_say_how_it_resets():
    vector_env = SyncVectorEnv(makers())
    vector_env.metadata = {}
    with pytest.raises(ValueError, match=r'metadata\["autoreset_mode"\] = None; expected one of'):
        envs.from_gymnasium(vector_env)


def test_misuse_is_named():
    env = envs.from_gymnasium(SyncVectorEnv(makers()))
    with pytest.raises(ValueError, match="must be from 0 to 4; got values from -1 to"):
        env.step(np.asarray([-1, 0, 0]))
    with pytest.raises(RuntimeError, match="call send"):
        env.recv()
    env.send(ACTIONS[0])
    with pytest.raises(RuntimeError, match="a step is under way"):
        env.send(ACTIONS[0])
    env.recv()
    with pytest.raises(envs.NoStatesError, match="gymnasium:SyncVectorEnv cannot save its games"):
        env.get_state()
    env.close()
    env.close()
    with pytest.raises(RuntimeError, match="is closed; make another one"):
        env.step(ACTIONS[0])


def test_ales_own_environment_by_name():
    """A third party's environment: RGB frames of 210x160."""
    name = "gymnasium:ale_py:ALE/Breakout-v5"
    env = envs.make(name, num_envs=2, vectorization_mode="sync", repeat_action_probability=0.0)
    raw = gymnasium.make("ALE/Breakout-v5", repeat_action_probability=0.0)
    seed = int(np.random.default_rng(0).integers(2**31 - 3))  # as `from_gymnasium` draws it
    np.testing.assert_array_equal(env.reset().observation[1], raw.reset(seed=seed + 1)[0])
    assert env.description.action_names == ("noop", "fire", "right", "left")
    for action in (1, 2, 2, 3):
        step = env.step([0, action])
        np.testing.assert_array_equal(step.observation[1], raw.step(action)[0])
    env.close()


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("gymnasium:Nope-v1", {}, "cannot make Nope-v1 .*doesn't exist"),
        ("gymnasium:CartPole-v1", {}, "gymnasium:CartPole-v1 observes .* expected a Box of uint8"),
        ("gymnasium:CartPole-v1", {"wheels": 4}, "cannot make CartPole-v1 .*wheels"),
        ("gymnasium:ale_py:ALE/Pong-v5", {}, "use atari:<game>"),
    ],
)
def test_environments_that_cannot_be_made_say_why(name, options, text):
    with pytest.raises(ValueError, match=text):
        envs.make_host(name, num_envs=1, **options)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("gymnasium:CartPole-v1", "gymnasium", "gymnasium"),
        ("gymnax:Breakout-MinAtar", "gymnax", "gymnax"),
        ("atari:pong", "ale_py.vector_env", "atari"),
    ],
)
def test_a_missing_package_names_the_extra(monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(envs.MissingExtraError, match=rf"pip install 'rlvision_jax\[{extra}\]'"):
        envs.make_host(name, num_envs=1)
    assert issubclass(envs.MissingExtraError, ImportError)


def test_an_installed_package_is_imported():
    assert import_extra("gymnasium", extra="gymnasium") is gymnasium
