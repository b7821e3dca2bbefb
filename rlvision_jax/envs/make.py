"""From a name and options to an environment."""

import dataclasses
from typing import Any

from rlvision_jax._checks import quoted
from rlvision_jax.envs.atari import AtariConfig, make_atari
from rlvision_jax.envs.base import HostEnv
from rlvision_jax.envs.coinrun.assets import load_assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.env import CoinRun
from rlvision_jax.envs.coinrun.host_env import CoinRunBatch
from rlvision_jax.envs.coinrun.level_generation import tabulate_levels
from rlvision_jax.envs.device_batch import DeviceBatch
from rlvision_jax.envs.gymnasium_env import GymnasiumBatch, make_gymnasium
from rlvision_jax.envs.gymnax_env import GymnaxEnv, make_gymnax
from rlvision_jax.envs.procgen import ProcgenEnv
from rlvision_jax.envs.procgen_config import GAMES, ProcgenConfig

_COINRUN, _PROCGEN = "coinrun", "procgen"
_ATARI, _GYMNASIUM, _GYMNAX = "atari", "gymnasium", "gymnax"
NAMES = (
    _COINRUN,
    *(f"{_PROCGEN}:{game}" for game in GAMES),
    f"{_ATARI}:<game>",
    f"{_GYMNASIUM}:<id>",
    f"{_GYMNAX}:<id>",
)

# 11 KB a level: larger sets are generated level by level, as they are played.
_MOST_TABLED_LEVELS = 10_000


def make(name: str, **options: Any) -> ProcgenEnv | CoinRun | GymnasiumBatch | GymnaxEnv:
    """Makes an environment.

    Args:
      name: on the device: "coinrun", or "gymnax:" and an id. A batch on the host: "procgen:" and
        one of its 16 games, "atari:" and a game, or "gymnasium:" and an id. docs/environments.md
        tells about each.
      **options: of "coinrun": fields of `CoinRunConfig`, and `assets` (its `size`) and
        `all_backgrounds` of `load_assets`. Of Procgen: fields of `ProcgenConfig`, and `copy` of
        `ProcgenEnv`. Of Atari: fields of `AtariConfig`. Of Gymnasium: arguments of
        `gymnasium.make_vec`. Of gymnax: fields of the environment's parameters, and arguments of
        its constructor. A batch needs `num_envs`, and may have a `seed`.

    Raises:
      ValueError: if there is no such environment or option, or the option's value is not
        allowed.
      MissingProcgenError: if Procgen is not installed; "coinrun" takes its art from there.
      MissingExtraError: if Atari, Gymnasium or gymnax is not installed.

    Example:
      >>> env = make("procgen:coinrun", num_envs=2, distribution_mode="easy", paint_velocity=True)
      >>> env.name, env.num_actions
      ('procgen:coinrun', 15)
      >>> env.close()
    """
    family, game = _parse(name)
    if family == _COINRUN:
        return _make_coinrun(options)
    if family == _GYMNAX:
        return make_gymnax(game, options)
    return _make_batch(name, options)


def make_host(
    name: str,
    *,
    num_envs: int,
    seed: int = 0,
    num_threads: int | None = None,
    copy: bool = True,
    **options: Any,
) -> HostEnv:
    """Makes a batch of environments that are stepped from Python, of any kind.

    Args:
      name: as in `make`; environments on the device are stepped on JAX's default device.
      num_envs: environments stepped together.
      seed: of all that is random, such as the generator that draws level seeds, 0 to 2^31 - 1.
      num_threads: as in `ProcgenConfig` and `AtariConfig`; the others have no threads of their
        own.
      copy: as in `ProcgenEnv`; the frames of the others are always new arrays.
      **options: the others of `make`.

    Raises:
      ValueError, MissingProcgenError, MissingExtraError: as `make`.
    """
    family, game = _parse(name)
    if family == _COINRUN:
        return CoinRunBatch(_make_coinrun(options), num_envs=num_envs, seed=seed)
    if family == _GYMNAX:
        return DeviceBatch(make_gymnax(game, options), num_envs=num_envs, seed=seed)
    batch: dict[str, Any] = {"num_envs": num_envs, "seed": seed}
    if family in (_PROCGEN, _ATARI):
        batch["num_threads"] = num_threads
    if family == _PROCGEN:
        batch["copy"] = copy
    return _make_batch(name, {**batch, **options})


def lives_on_device(name: str) -> bool:
    """Whether `make` gives an environment on the device; else it gives a batch on the host.

    Raises:
      ValueError: if there is no such environment.
    """
    return _parse(name)[0] in (_COINRUN, _GYMNAX)


def has_levels(name: str) -> bool:
    """Whether the games have levels, chosen by `num_levels` and `start_level`, with a goal each.

    Raises:
      ValueError: if there is no such environment.
    """
    return _parse(name)[0] in (_COINRUN, _PROCGEN)


def _make_batch(name: str, options: dict[str, Any]) -> ProcgenEnv | GymnasiumBatch:
    family, game = _parse(name)
    if "num_envs" not in options:
        raise ValueError(f"{name} needs num_envs, the number of environments stepped together")
    if family == _PROCGEN:
        _check_options(name, options, [*_fields(ProcgenConfig), "copy"])
        copy = options.pop("copy", True)
        return ProcgenEnv(ProcgenConfig(game=game, **options), copy=copy)
    if family == _ATARI:
        _check_options(name, options, _fields(AtariConfig))
        return make_atari(AtariConfig(game=game, **options))
    num_envs, seed = options.pop("num_envs"), options.pop("seed", 0)
    return make_gymnasium(game, options, num_envs=num_envs, seed=seed)


def _make_coinrun(options: dict[str, Any]) -> CoinRun:
    of_assets = {"assets": "exact", "all_backgrounds": False}
    _check_options(_COINRUN, options, [*_fields(CoinRunConfig), *of_assets])
    size, all_backgrounds = (options.pop(name, value) for name, value in of_assets.items())
    config = CoinRunConfig(**options)
    low, high = config.level_bounds
    # Sequential levels lead out of the set.
    tabled = high - low <= _MOST_TABLED_LEVELS and not config.use_sequential_levels
    levels = tabulate_levels(config) if tabled else None
    assets = load_assets(config, size=size, all_backgrounds=all_backgrounds)
    return CoinRun(config, assets, levels)


def _parse(name: str) -> tuple[str, str]:
    """Family of an environment and the game in it."""
    family, colon, game = name.partition(":") if isinstance(name, str) else ("", "", "")
    if name in NAMES or (colon and game and family in (_ATARI, _GYMNASIUM, _GYMNAX)):
        return family, game
    raise ValueError(f'unknown environment "{name}"; expected one of {quoted(NAMES)}')


def _fields(config: type) -> list[str]:
    return [field.name for field in dataclasses.fields(config) if field.name != "game"]


def _check_options(name: str, options: dict[str, Any], known: list[str]) -> None:
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(f"{name} has no option {quoted(unknown)}; its options are {quoted(known)}")
