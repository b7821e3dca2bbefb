"""The two linear heads: policy logits and value."""

from flax import linen as nn
from jaxtyping import Array, Float


class PolicyValueHeads(nn.Module):
    """Linear policy logits and value on the same features.

    The policy starts near uniform (orthogonal, gain 0.01), as OpenAI Baselines' PPO.

    Attributes:
      num_actions: number of policy logits.
    """

    num_actions: int

    @nn.compact
    def __call__(
        self, features: Float[Array, "batch unit"]
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Features -> policy logits and value."""
        policy_init = nn.initializers.orthogonal(0.01)
        logits = nn.Dense(self.num_actions, kernel_init=policy_init, name="policy")(features)
        value_init = nn.initializers.orthogonal(1.0)
        value = nn.Dense(1, kernel_init=value_init, name="value")(features)
        return logits, value[:, 0]
