"""Training, evaluating and playing in games other than CoinRun."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from uncut_policy import UncutPolicy

from rlvision_jax import checkpoint, envs, models
from rlvision_jax.envs import GAMES
from rlvision_jax.training import (
    PPOConfig,
    TrainConfig,
    evaluate,
    evaluate_split,
    play,
    read_metrics,
    sample_observations,
    train,
)
from rlvision_jax.training.device_training import DeviceTrainer
from rlvision_jax.training.evaluation import SPLITS
from rlvision_jax.training.rollout import Collector
from rlvision_jax.training.trainer import run_keys
from rlvision_jax.training.update import initial_learner, make_update

BREAKOUT = "gymnax:Breakout-MinAtar"


@dataclasses.dataclass(frozen=True)
class BrightnessPolicy(UncutPolicy):
    """Policy logits and value are linear in the brightness of the channels: quick to compile."""

    def init(self, key):
        return {"kernel": jax.random.normal(key, (self.observation_shape[2], self.num_actions + 1))}

    def apply(self, params, observations):
        outputs = (observations / 255.0).mean((1, 2)) @ params["kernel"]
        return outputs[:, :-1], outputs[:, -1]


def make_quick(name, num_actions, observation_shape, activation_dtype="float32"):
    return BrightnessPolicy(name, num_actions, tuple(observation_shape))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(models, "make", make_quick)


def config(env, total_updates=2, **options):
    ppo = PPOConfig(num_envs=4, num_steps=8, num_epochs=1, num_minibatches=2)
    ppo = dataclasses.replace(ppo, total_steps=total_updates * ppo.batch_size)
    return TrainConfig(
        env=env, env_options=options, ppo=ppo, checkpoint_minutes=0.0, tensorboard=False
    )


@pytest.fixture(scope="module")
def procgen_learning():
    """One policy for all games of Procgen, and its compiled update."""
    ppo = PPOConfig(num_envs=2, num_steps=4, num_epochs=1, num_minibatches=1)
    policy = BrightnessPolicy("nature", 15)
    return policy, initial_learner(policy, ppo, jax.random.key(0)), make_update(policy, ppo)


@pytest.mark.parametrize("game", GAMES)
def test_every_procgen_game_is_learned_from(procgen_learning, game):
    policy, learner, update = procgen_learning
    env = envs.make(f"procgen:{game}", num_envs=2, num_threads=0, distribution_mode="easy", seed=1)
    collector = Collector([env])
    rollout, _ = collector.collect(policy, learner.params, jax.random.key(1), 4)
    assert len(np.unique(rollout.observations[0, 0])) > 10  # a picture
    learned, metrics = update(learner, rollout, jax.random.key(2))
    assert np.isfinite(metrics.losses.loss)
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), learned.params, learner.params)
    assert any(jax.tree.leaves(moved))
    env.close()


@pytest.mark.parametrize("game", ["starpilot", "fruitbot"])
def test_procgen_games_are_evaluated_on_levels_to_complete(procgen_learning, game):
    policy, learner, _ = procgen_learning
    env = {"env": f"procgen:{game}", "env_options": {"distribution_mode": "easy", "num_levels": 9}}
    results = [evaluate_split(policy, learner.params, env, split, num_levels=2) for split in SPLITS]
    assert [result.num_levels for result in results] == [2, 2]
    assert all(result.mean_length > 1 and result.failures is None for result in results)
    assert results[0] != results[1]  # of other levels


@pytest.mark.usefixtures("quick")
def test_atari_runs_stop_and_continue_with_new_episodes(tmp_path):
    run = config("atari:pong", num_threads=1)
    assert train(run, tmp_path / "run").finished
    longer = dataclasses.replace(run, ppo=config("atari:pong", 3).ppo)
    with pytest.warns(UserWarning, match="atari:pong cannot save its games: .* new episodes"):
        result = train(longer, tmp_path / "run")
    assert result.finished
    rows = read_metrics(tmp_path / "run")
    assert [row["step"] for row in rows] == [32, 64, 96]
    assert all(np.isfinite(row["loss"]) for row in rows)
    assert checkpoint.load(result.agent)[2]["env"] == "atari:pong"


def test_continued_runs_of_games_without_states_show_other_games():
    """As often as a run is continued, its environments draw anew."""

    def shown_after(num_continued):
        env = envs.make("atari:pong", num_envs=1, num_threads=1)
        collector = Collector([env])
        for _ in range(num_continued):
            assert collector.restore(collector.state()) is False
        assert collector.state()["num_restarts"] == num_continued
        frames = [env.step([2 + t % 3]).observation for t in range(20)]
        env.close()
        return frames[-1]

    assert (shown_after(1) != shown_after(2)).any()


@pytest.mark.usefixtures("quick")
def test_gymnax_is_trained_on_the_host(tmp_path):
    result = train(config(BREAKOUT, max_steps_in_episode=6), tmp_path / "run")
    policy, _, agent_config = checkpoint.load(result.agent)
    assert policy.observation_shape == (10, 10, 4)
    assert agent_config["env_options"] == {"max_steps_in_episode": 6}
    last = read_metrics(tmp_path / "run")[-1]
    assert last["episodes"] > 0
    assert last["episode_length"] <= 6
    assert "level_completion" not in last  # there are no levels


@pytest.mark.usefixtures("quick")
def test_gymnax_is_trained_on_the_device():
    run = config(BREAKOUT, max_steps_in_episode=6)
    trainer = DeviceTrainer(run, envs.make(BREAKOUT, **run.env_options))
    parameter_key, _, key = run_keys(0)
    learner = initial_learner(trainer.policy, run.ppo, parameter_key)
    outcome = trainer.iterate(learner, key)
    assert outcome.num_episodes > 0
    assert all(1 <= episode.length <= 6 for episode in outcome.episodes)
    assert np.isfinite(outcome.metrics.losses.loss)
    moved = np.asarray(outcome.learner.params["kernel"]) != np.asarray(learner.params["kernel"])
    assert moved.any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "model"),
    [("atari:pong", "nature"), ("atari:pong", "impala"), (BREAKOUT, "impala")],
)
def test_networks_train_on_frames_of_other_sizes(tmp_path, env, model):
    run = dataclasses.replace(config(env), model=model)
    result = train(run, tmp_path / "run")
    policy, params, _ = checkpoint.load(result.agent)
    batch = envs.make_host(env, num_envs=2)
    assert policy.observation_shape == batch.observation_shape
    played = play(policy, params, batch, jax.random.key(0), 3)
    assert np.isfinite(played.values).all()
    batch.close()


def test_games_without_levels_are_evaluated_played_and_sampled():
    env = envs.make_host(BREAKOUT, num_envs=3, seed=1, max_steps_in_episode=8)
    policy = BrightnessPolicy("nature", 3, (10, 10, 4))
    params = policy.init(jax.random.key(0))
    result = evaluate(policy, params, env, jax.random.key(0), 7)
    assert result.num_levels == 7
    assert result.num_completed == 0
    assert 1 <= result.mean_length <= 8
    frames = sample_observations(policy, params, env, jax.random.key(1), 5, interval=2)
    assert frames.shape == (5, 10, 10, 4)
    played = play(policy, params, env, jax.random.key(2), 4)
    logits, _ = policy.apply(params, played.observations[1])
    np.testing.assert_allclose(played.policy_logits[1], logits, rtol=1e-5)  # batch sizes differ


@pytest.mark.parametrize(
    ("num_actions", "shape", "text"),
    [
        (15, (10, 10, 4), "Breakout-MinAtar has 3 actions, but the policy chooses among 15"),
        (3, (64, 64, 3), r"shows frames of shape \(10, 10, 4\), but the policy sees \(64, 64, 3\)"),
    ],
)
def test_agents_of_other_games_are_refused(num_actions, shape, text):
    env = envs.make_host(BREAKOUT, num_envs=1)
    policy = BrightnessPolicy("nature", num_actions, shape)
    params = policy.init(jax.random.key(0))
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=text):
        play(policy, params, env, key, 1)
    with pytest.raises(ValueError, match=text):
        sample_observations(policy, params, env, key, 1, interval=1)
    with pytest.raises(ValueError, match=text):
        evaluate(policy, params, env, key, 1)


@pytest.mark.parametrize(
    ("model", "env", "text"),
    [
        ("clear", "atari:pong", 'network "clear" needs .* divisible by 16; got frames of 84x84'),
        ("nature", BREAKOUT, 'network "nature" needs .* at least 36 .* frames of 10x10'),
        ("impala", "procgen:pong", 'unknown environment "procgen:pong"'),
    ],
)
def test_runs_that_cannot_work_are_refused_before_they_write(tmp_path, model, env, text):
    run = dataclasses.replace(config(env), model=model)
    with pytest.raises(ValueError, match=text):
        train(run, tmp_path / "run")
    assert not (tmp_path / "run").exists()
