"""A small agent that always runs to the right and jumps, and its sweeps; also a program.

`python runner.py OUT process NUMBER PORT` is one of two processes that compute one sweep.
`python runner.py OUT ray` computes it on a Ray cluster that loses one of its two nodes on the way.
"""

import os
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

from rlvision_jax import models, sweeps

RIGHT_UP = 8
# Level 17 of "easy": whoever runs and jumps dies at a saw after a few dozen steps.
AGENT = {
    "env": "procgen:coinrun",
    "env_options": {"num_levels": 1, "start_level": 17, "distribution_mode": "easy"},
}
CONFIG = sweeps.SweepConfig(
    frames=150,
    scores="value,logit:0+3,log_prob:2",
    num_features=3,
    num_feature_frames=8,
    feature_interval=4,
    num_integration_steps=3,
    maps=True,
    observations=True,
    num_envs=2,
    shard_steps=32,
)


def _pooled(params, x):
    return x.reshape(len(x), 8, 8, 8, 8, 3).mean((2, 4))


def _mixed(params, x):
    return jax.nn.relu(x @ params["kernel"] + 0.1)


def _heads(params, x):
    hidden = jnp.tanh(x.reshape(len(x), -1) @ params["dense"])
    return hidden[:, 1:].at[:, RIGHT_UP].add(100), hidden[:, 0]


POLICY = models.from_functions(
    [("pooled", _pooled), ("mixed", _mixed)],
    _heads,
    num_actions=15,
    observation_shape=(64, 64, 3),
)


def make_params():
    random = np.random.default_rng(0)
    return {
        "kernel": jnp.asarray(random.normal(size=(3, 5)), jnp.float32),
        "dense": jnp.asarray(random.normal(size=(320, 16)) / 10, jnp.float32),
    }


def run(out, config=CONFIG, **options):
    return sweeps.run_sweep(POLICY, make_params(), AGENT, config, out, **options)


def contents(out):
    """Bytes of every file by name."""
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


def run_as_process(out, number, port):
    jax.distributed.initialize(f"localhost:{port}", 2, int(number))
    run(out)


def run_on_dying_cluster(out):
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    other = cluster.add_node(num_cpus=1)
    ray.init(cluster.address, runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}})
    finished = []

    def lose_a_node(worker, shards, on_frames):
        def on_some(count):
            finished.append(count)
            if len(finished) == 1:
                cluster.remove_node(other)

        sweeps.run_on_ray(worker, shards, on_some)

    run(out, executor=lose_a_node)
    assert sorted(finished) == [22, 64, 64], finished
    assert sum(node["Alive"] for node in ray.nodes()) == 1


if __name__ == "__main__":
    import runner  # by this name other processes can import what they are sent

    _, folder, way, *arguments = sys.argv
    ways = {"process": runner.run_as_process, "ray": runner.run_on_dying_cluster}
    ways[way](pathlib.Path(folder), *arguments)
