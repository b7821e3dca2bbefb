"""From a name and options to an environment."""

from rlvision_jax._checks import quoted
from rlvision_jax.envs.procgen import ProcgenEnv
from rlvision_jax.envs.procgen_config import GAMES, ProcgenConfig

_PROCGEN = "procgen:"


def make(name: str, **options) -> ProcgenEnv:
    """Makes an environment.

    Args:
      name: "procgen:" and one of the 16 games, such as "procgen:coinrun".
      **options: fields of `ProcgenConfig`, among them `num_envs`, and `copy` of `ProcgenEnv`.

    Raises:
      ValueError: if there is no such environment or option, or the option's value is not
        allowed.
      MissingProcgenError: if Procgen's C library is not installed.

    Example:
      >>> env = make("procgen:coinrun", num_envs=2, distribution_mode="easy", paint_velocity=True)
      >>> env.name, env.num_actions
      ('procgen:coinrun', 15)
      >>> env.close()
    """
    names = [_PROCGEN + game for game in GAMES]
    if name not in names:
        raise ValueError(f'unknown environment "{name}"; expected one of {quoted(names)}')
    known = ["copy", *(field for field in ProcgenConfig.__dataclass_fields__ if field != "game")]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(f"{name} has no option {quoted(unknown)}; its options are {quoted(known)}")
    if "num_envs" not in options:
        raise ValueError(f"{name} needs num_envs, the number of environments stepped together")
    copy = options.pop("copy", True)
    return ProcgenEnv(ProcgenConfig(game=name.removeprefix(_PROCGEN), **options), copy=copy)
