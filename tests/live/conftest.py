import concurrent.futures
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import checkpoint, envs, models
from rlvision_jax.interface import Feature, Layer, Report, Score, Trajectory, write_report
from rlvision_jax.live import Session
from rlvision_jax.live import games as replayed
from rlvision_jax.live.moments import Moments, Place
from rlvision_jax.training.forward import forward_pass

NUM_STEPS = 150
NUM_PLAYS = 2
OPTIONS = {"distribution_mode": "hard", "paint_velocity": True}
INTEGRATION = {"num_integration_steps": 2, "rule": "midpoint"}


@pytest.fixture(scope="session", autouse=True)
def assets_once():
    """Lets all sessions of the tests share their pictures, 240 MB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replayed, "load_assets", functools.cache(replayed.load_assets))
        yield


@pytest.fixture(scope="session")
def agent():
    """A small network with random parameters, drawn without compiling anything."""
    policy = models.make("nature", num_actions=15)
    rng = np.random.default_rng(0)

    def drawn(leaf):
        # Kernels and biases such that activations neither vanish nor explode.
        scale = np.sqrt(2 / max(1, np.prod(leaf.shape[:-1]))) if len(leaf.shape) > 1 else 0.05
        return jnp.asarray(rng.normal(0, scale, leaf.shape), leaf.dtype)

    params = jax.tree.map(drawn, jax.eval_shape(policy.init, jax.random.key(0)))
    return policy, params, {"env": "procgen:coinrun", "env_options": OPTIONS}


@pytest.fixture(scope="session")
def play():
    """What happens in two games of Procgen's own in which somebody runs to the right."""
    env = envs.make("procgen:coinrun", num_envs=NUM_PLAYS, seed=1, num_threads=1, **OPTIONS)
    rng = np.random.default_rng(1)
    before, moments = env.reset(), []
    for _ in range(NUM_STEPS):
        actions = rng.choice([7, 8], NUM_PLAYS).astype(np.int32)
        after = env.step(actions)
        moments.append((before, actions, after))
        before = after
    env.close()
    return moments


@pytest.fixture(scope="session")
def report(agent, play):
    policy, params, config = agent
    rng = np.random.default_rng(2)
    directions = rng.random((3, 64), np.float32)
    trajectories = []
    with forward_pass(policy) as forward:
        for i in range(NUM_PLAYS):
            frames = np.stack([before.observation[i] for before, _, _ in play])
            outputs = [forward(params, frame[None]) for frame in frames]
            logits, values = (np.concatenate(each) for each in zip(*outputs, strict=True))
            ends = {
                name: np.stack([getattr(after, name)[i] for _, _, after in play])
                for name in ("terminated", "truncated", "level_complete")
            }
            trajectories.append(
                Trajectory(
                    observations=frames,
                    actions=np.stack([actions[i] for _, actions, _ in play]),
                    rewards=np.stack([after.reward[i] for _, _, after in play]),
                    level_seeds=np.stack([before.level_seed[i] for before, _, _ in play]),
                    values=values,
                    advantages=np.zeros(NUM_STEPS, np.float32),
                    policy_logits=logits,
                    **ends,
                )
            )
    features = tuple(
        Feature(
            name=f"feature {i + 1}",
            direction=direction,
            thumbnails=np.zeros((0, 1, 1, 3), np.uint8),
            strengths=np.zeros(0, np.float32),
        )
        for i, direction in enumerate(directions)
    )
    return Report(
        title="a live report",
        action_names=envs.ACTION_NAMES,
        layers=(Layer(name="conv2", features=features),),
        scores=(Score(name="value"), Score(name="right logit", actions=(7,))),
        trajectories=tuple(trajectories),
        object_names=envs.OBJECT_NAMES,
        provenance={
            "agent": config,
            "parameters": checkpoint.fingerprint(params),
            "report": INTEGRATION,
        },
    )


@pytest.fixture(scope="session")
def folder(report, agent, tmp_path_factory):
    return write_report(report, tmp_path_factory.mktemp("live") / "report", agent=agent).parent


@pytest.fixture(scope="session")
def rules(report):
    return replayed.rules_of(report.provenance["agent"])


@pytest.fixture(scope="session")
def games(rules, report):
    return replayed.RecordedGames(rules, report.trajectories)


@pytest.fixture
def moments(report, games):
    return Moments(report.trajectories, games)


@pytest.fixture
def after(moments):
    """The moment after some events at a step of the first trajectory."""

    def find(*events, step=0):
        return moments.at(Place(0, step, events))

    return find


@pytest.fixture(scope="session")
def session(report, agent):
    # In a thread of its own, as in the server.
    with concurrent.futures.ThreadPoolExecutor(1) as worker:
        session = worker.submit(Session, report, [agent]).result()
    yield session
    session.close()
