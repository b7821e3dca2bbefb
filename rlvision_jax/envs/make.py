"""From a name and options to an environment."""

import dataclasses
from typing import Any

from rlvision_jax._checks import quoted
from rlvision_jax.envs.base import HostEnv
from rlvision_jax.envs.coinrun.assets import load_assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.env import CoinRun
from rlvision_jax.envs.coinrun.host_env import CoinRunBatch
from rlvision_jax.envs.coinrun.level_generation import tabulate_levels
from rlvision_jax.envs.procgen import ProcgenEnv
from rlvision_jax.envs.procgen_config import GAMES, ProcgenConfig

_PROCGEN = "procgen:"
_COINRUN = "coinrun"
NAMES = (_COINRUN, *(_PROCGEN + game for game in GAMES))

# 11 KB a level: larger sets are generated level by level, as they are played.
_MOST_TABLED_LEVELS = 10_000


def make(name: str, **options: Any) -> ProcgenEnv | CoinRun:
    """Makes an environment.

    Args:
      name: "coinrun" for the game on the device, or "procgen:" and one of the 16 games, such as
        "procgen:coinrun", for a batch on the host.
      **options: of "coinrun": fields of `CoinRunConfig`, and `assets` (its `size`) and
        `all_backgrounds` of `load_assets`. Of Procgen: fields of `ProcgenConfig`, among them
        `num_envs`, and `copy` of `ProcgenEnv`.

    Raises:
      ValueError: if there is no such environment or option, or the option's value is not
        allowed.
      MissingProcgenError: if Procgen is not installed; "coinrun" takes its art from there.

    Example:
      >>> env = make("procgen:coinrun", num_envs=2, distribution_mode="easy", paint_velocity=True)
      >>> env.name, env.num_actions
      ('procgen:coinrun', 15)
      >>> env.close()
    """
    _check_name(name)
    return _make_coinrun(options) if name == _COINRUN else _make_procgen(name, options)


def make_host(
    name: str,
    *,
    num_envs: int,
    seed: int = 0,
    num_threads: int | None = None,
    copy: bool = True,
    **options: Any,
) -> HostEnv:
    """Makes a batch of environments that are stepped from Python, of either kind.

    Args:
      name: as in `make`; "coinrun" is stepped on JAX's default device.
      num_envs: environments stepped together.
      seed: of the generator that draws level seeds, 0 to 2^31 - 1.
      num_threads: as in `ProcgenConfig`; "coinrun" has no threads of its own.
      copy: as in `ProcgenEnv`; the frames of "coinrun" are always new arrays.
      **options: the others of `make`.

    Raises:
      ValueError, MissingProcgenError: as `make`.
    """
    if name == _COINRUN:
        return CoinRunBatch(_make_coinrun(options), num_envs=num_envs, seed=seed)
    given = {"num_envs": num_envs, "seed": seed, "num_threads": num_threads, "copy": copy}
    return _make_procgen(name, {**given, **options})


def _make_procgen(name: str, options: dict[str, Any]) -> ProcgenEnv:
    _check_name(name)
    _check_options(name, options, [*_fields(ProcgenConfig), "copy"])
    if "num_envs" not in options:
        raise ValueError(f"{name} needs num_envs, the number of environments stepped together")
    copy = options.pop("copy", True)
    return ProcgenEnv(ProcgenConfig(game=name.removeprefix(_PROCGEN), **options), copy=copy)


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


def _check_name(name: str) -> None:
    if name not in NAMES:
        raise ValueError(f'unknown environment "{name}"; expected one of {quoted(NAMES)}')


def _fields(config: type) -> list[str]:
    return [field.name for field in dataclasses.fields(config) if field.name != "game"]


def _check_options(name: str, options: dict[str, Any], known: list[str]) -> None:
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(f"{name} has no option {quoted(unknown)}; its options are {quoted(known)}")
