import dataclasses

from rlvision_jax.models import Policy


@dataclasses.dataclass(frozen=True)
class UncutPolicy(Policy):
    """Base of policies of which only `apply` is defined: every layer is the observation."""

    def activations(self, params, observations, layer):
        return observations

    def head(self, params, activation, layer):
        return self.apply(params, activation)
