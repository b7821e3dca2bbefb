"""Sweeps: attribution of many frames, shard by shard, into a Zarr store. (Host only.)"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from rlvision_jax import checkpoint
from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.attribution import attribute_scores, parse_scores
from rlvision_jax.features import Directions, find_directions
from rlvision_jax.models import VisionPolicy, check_layer, middle_layer
from rlvision_jax.sweeps.config import SweepConfig
from rlvision_jax.sweeps.executors import Executor, run_here
from rlvision_jax.sweeps.schema import array_specs
from rlvision_jax.sweeps.store import check_store, create_store, problem_of_shard, remove_leftovers
from rlvision_jax.sweeps.sweep import Sweep
from rlvision_jax.sweeps.worker import ShardWorker

Notify = Callable[[str, int, int], None]
"""Called with the name of a stage, the work done in it, and its whole work."""


def run_sweep(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: SweepConfig,
    out: Path,
    *,
    part: tuple[int, int] = (0, 1),
    executor: Executor = run_here,
    num_threads: int | None = None,
    notify: Notify = lambda stage, done, total: None,
) -> Sweep:
    """Attributes scores to a layer for all frames of a sweep, or continues doing so.

    What is finished in the folder is checked, and what is missing or damaged is computed. Stopped
    at any moment, even killed, the same call continues; the arrays become the same, byte for byte,
    on the same machine. Where JAX runs on several hosts (`jax.distributed`), each computes its
    share of the shards, and `out` must lie on a disk of all of them.

    Args:
      policy: as `checkpoint.load` returned it, or any other.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it, or `env` and `env_options` alone.
      config: the sweep.
      out: folder of the store.
      part: (i, n): only every n-th shard, from the i-th on; for processes that do not know of
        each other.
      executor: computes the shards: `run_here` on all devices of this process, or `run_on_ray`.
      num_threads: threads that step host environments; None: one for each processor.
      notify: told of progress.

    Returns:
      The sweep, finished as far as `part` goes.

    Raises:
      ValueError: if a setting does not suit the policy or the frames.
      StoreMismatchError: if `out` holds another sweep or something else; nothing is written.
      FloatingPointError: if an attribution is not finite.
      OSError: if the store cannot be written.
    """
    _check_part(*part)
    layer = middle_layer(policy) if config.layer is None else config.layer
    check_layer(policy, layer)
    worker = ShardWorker(
        policy=policy,
        params=jax.tree.map(np.asarray, params),
        agent_config=dict(agent_config),
        config=dataclasses.replace(config, layer=layer),
        out=out,
        num_threads=num_threads,
    )
    identity = _identity(worker)
    if jax.process_index() == 0:
        remove_leftovers(out)
        if not check_store(out, identity):
            _create(worker, identity, notify)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the sweep is there")
        hosts = jax.process_count()
        part = part[0] * hosts + jax.process_index(), part[1] * hosts
    check_store(out, identity)

    shards = Sweep(out).shards[part[0] :: part[1]]
    total = sum(shard.stop - shard.start for shard in shards)
    done, missing = 0, []
    for number, shard in enumerate(shards):
        notify("checking", number, len(shards))
        if problem_of_shard(out, shard.start, shard.stop) is None:
            done += shard.stop - shard.start
        else:
            missing.append(shard)
    notify("checking", len(shards), len(shards))
    notify("attributing", done, total)

    def on_frames(count: int) -> None:
        nonlocal done
        done += count
        notify("attributing", done, total)

    if missing:
        executor(worker, missing, on_frames)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the sweep is finished")
    remove_leftovers(out)
    return Sweep(out)


def _check_part(index: int, of: int) -> None:
    check_at_least("the number of parts", of, 1)
    if not 0 <= index < of:
        raise ValueError(f"the part must be from 0 to {of - 1}, of {of} parts; got {index}")


def _identity(worker: ShardWorker) -> dict[str, Any]:
    """What decides the content of a sweep: two sweeps that agree in it are the same sweep."""
    policy, config = worker.policy, worker.config
    scores = parse_scores(config.scores.split(","), policy.num_actions)
    settings = config.to_json()
    return {
        "rlvision_jax": __version__,
        "policy": policy.config,
        "parameters": checkpoint.fingerprint(worker.params),
        "sweep": settings,
        "scores": list(scores),
        "num_frames": worker.source.num_frames,
        "shard_frames": config.shard_frames,
        "frames": worker.source.identity,
    }


def _create(worker: ShardWorker, identity: dict[str, Any], notify: Notify) -> None:
    """Finds the features and makes the store."""
    policy, params, config = worker.policy, worker.params, worker.config
    scores = parse_scores(config.scores.split(","), policy.num_actions)
    frames = worker.source.sample(
        1 if config.directions else config.num_feature_frames,
        on_frame=lambda done, total: notify("sampling frames", done, total),
    )
    # Before the features are looked for: a score may not suit the layer.
    silent = attribute_scores(
        policy, params, frames[:1], config.layer, tuple(scores.values()), num_steps=1
    )
    if config.directions:
        directions = _borrowed(config.directions, str(config.layer), silent.values.shape[-1])
    else:
        notify("finding features", 0, 1)
        directions = find_directions(
            policy,
            params,
            frames,
            str(config.layer),
            num_features=config.num_features,
            num_steps=config.num_integration_steps,
            rule=config.rule,
        )
        notify("finding features", 1, 1)
    height, width, _ = silent.values.shape[2:]
    nmf = directions.nmf
    specs = array_specs(
        facts=worker.source.facts,
        num_scores=len(scores),
        num_actions=policy.num_actions,
        num_features=len(nmf.components),
        layer_shape=(height, width),
        observation_shape=policy.observation_shape,
        shard_frames=config.shard_frames,
        maps=config.maps,
        observations=config.observations,
    )
    fit = {
        "reconstruction_error": float(nmf.reconstruction_error),
        "num_iterations": int(nmf.num_iterations),
    }
    create_store(
        worker.out,
        {**identity, "factorization": fit},
        specs,
        {
            "components": (("feature", "layer_channel"), np.asarray(nmf.components)),
            "baseline_scores": (("score",), silent.baseline_scores[0]),
        },
    )


def _borrowed(path: Path, layer: str, num_channels: int) -> Directions:
    """The features of an earlier sweep, if they are of this layer."""
    directions = Sweep(path).directions
    theirs = directions.nmf.components.shape[1]
    if directions.layer != layer or theirs != num_channels:
        raise ValueError(
            f'{path} has features of layer "{directions.layer}" with {theirs} channels; expected '
            f'layer "{layer}" with {num_channels}'
        )
    return directions
