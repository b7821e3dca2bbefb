"""Why an episode of Procgen's CoinRun failed (host only).

Procgen says that an episode has ended, not why, and by then shows the next level. The device
version takes the last step again, from the state before it.
"""

import jax
import numpy as np

from rlvision_jax.envs.actions import check_actions
from rlvision_jax.envs.coinrun import host_state
from rlvision_jax.envs.coinrun.constants import VISIBLE_TILES
from rlvision_jax.envs.coinrun.physics import FailureCause, advance
from rlvision_jax.envs.procgen_coinrun import CoinRunState, decode_state
from rlvision_jax.envs.procgen_config import ACTION_NAMES

_advance = jax.jit(advance)


def failure_cause(state: CoinRunState | bytes, action: int) -> FailureCause:
    """Why the step that an action makes ends an episode in failure.

    Args:
      state: of a game before the step, as `ProcgenEnv.get_state` or `decode_state` returns it.
      action: index into `ACTION_NAMES`, or `FORCE_RESET`.

    Returns:
      NONE if the episode goes on, the coin is reached or the reset is forced.

    Raises:
      ValueError: if the action is out of range, or the state is none of CoinRun's or holds what
        the device version lacks.

    Example:
      >>> from rlvision_jax import envs
      >>> env = envs.make("procgen:coinrun", num_envs=1)
      >>> failure_cause(env.get_state()[0], ACTION_NAMES.index("right")).name
      'NONE'
      >>> env.close()
    """
    (checked,) = check_actions([action], 1, len(ACTION_NAMES))
    game = decode_state(state) if isinstance(state, bytes) else state
    # Where the picture is taken from does not change what happens.
    game = game._replace(center_agent=1, visibility=float(VISIBLE_TILES))
    _, outcome = _advance(host_state.from_procgen(game), np.int32(checked))
    return FailureCause(int(outcome.cause))
