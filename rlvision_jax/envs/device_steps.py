"""What batches of device environments share: a step in two halves. (Host only: NumPy arrays.)"""

import abc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Int32

from rlvision_jax.envs.actions import check_actions
from rlvision_jax.envs.base import TimeStep


class DeviceSteps(abc.ABC):
    """Steps a batch of games on JAX's default device, which works while Python goes on.

    Attributes:
      num_envs: games stepped together.
      num_actions: actions are 0 to `num_actions` - 1.
    """

    num_envs: int
    num_actions: int
    # The lowest action that means something; below 0: commands to the environment.
    _lowest_action = 0

    def __init__(self, moment: TimeStep):
        """Keeps the first moment, on the device or not."""
        self._moment = TimeStep(*map(np.asarray, moment))
        self._coming: TimeStep | None = None
        self._untouched = True

    @abc.abstractmethod
    def _start_step(self, actions: Int32[np.ndarray, " env"]) -> TimeStep:
        """Hands a step to the device and returns its outcome, not yet computed."""

    def step(self, actions: npt.ArrayLike) -> TimeStep:
        """Takes one action in every game; `send` followed by `recv`."""
        self.send(actions)
        return self.recv()

    def send(self, actions: npt.ArrayLike) -> None:
        """Starts a step and returns while the device takes it.

        Args:
          actions: integers of shape (env,), 0 to `num_actions` - 1; of "coinrun" also
            `FORCE_RESET`.

        Raises:
          ValueError: if the shape, the type or the range of the actions is wrong.
          RuntimeError: if a step is under way.
        """
        self._check_idle()
        checked = check_actions(
            actions, self.num_envs, self.num_actions, lowest=self._lowest_action
        )
        self._untouched = False
        self._coming = self._start_step(checked.astype(np.int32))

    def recv(self) -> TimeStep:
        """Waits for the step that `send` started.

        Raises:
          RuntimeError: if no step is under way.
        """
        if self._coming is None:
            raise RuntimeError("recv() without a step under way; call send(actions) first")
        self._moment = TimeStep(*map(np.asarray, self._coming))
        self._coming = None
        return self._moment

    def observe(self) -> TimeStep:
        """The present moment again, without a step; the new picture after `set_state`.

        Raises:
          RuntimeError: if a step is under way.
        """
        self._check_idle()
        return self._moment

    def close(self) -> None:  # noqa: B027 (a batch has nothing to free unless it says so)
        """Nothing to free; part of the contract."""

    def _check_idle(self) -> None:
        if self._coming is not None:
            raise RuntimeError("a step is under way; call recv() first")

    def _check_states(self, states: Sequence[bytes]) -> None:
        if len(states) != self.num_envs:
            raise ValueError(
                f"set_state takes one state for each environment, {self.num_envs} in all; got "
                f"{len(states)}. Pass the others' own states from get_state() back"
            )
