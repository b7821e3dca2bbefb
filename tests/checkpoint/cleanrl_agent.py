"""CleanRL's Procgen agent: drawn parameters, and its outputs by torch.

As a program it writes tests/golden/cleanrl_outputs.npz; needs torch.
"""

from pathlib import Path

import numpy as np

NUM_ACTIONS = 15


def shapes(num_actions=NUM_ACTIONS):
    """Shape of every entry of the agent's state dict."""
    result, channels = {}, 3
    for index, depth in enumerate((16, 32, 32)):
        result[f"network.{index}.conv"] = (depth, channels, 3, 3)
        for block in (0, 1):
            for conv in (0, 1):
                result[f"network.{index}.res_block{block}.conv{conv}"] = (depth, depth, 3, 3)
        channels = depth
    result["network.5"] = (256, channels * 8 * 8)
    result["actor"], result["critic"] = (num_actions, 256), (1, 256)
    weights = {f"{name}.weight": shape for name, shape in result.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in result.items()}


def drawn_state_dict():
    """Drawn by name from one NumPy RandomState, so that only outputs need to be kept."""
    random = np.random.RandomState(7)
    state_dict = {}
    for name, shape in sorted(shapes().items()):
        deviation = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
        state_dict[name] = (random.randn(*shape) * deviation).astype(np.float32)
    return state_dict


def torch_outputs(state_dict, frames):
    """Policy logits and values of uint8 frames [batch, height, width, channel]."""
    import torch
    from torch.nn import functional

    state = {name: torch.as_tensor(value) for name, value in state_dict.items()}

    def conv(name, x):
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.conv2d(x, weight, bias, padding=1)

    def linear(name, x):
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    with torch.no_grad():
        x = torch.as_tensor(frames).permute(0, 3, 1, 2) / 255.0
        for index in range(3):
            x = conv(f"network.{index}.conv", x)
            x = functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)
            for block in (0, 1):
                name = f"network.{index}.res_block{block}"
                y = conv(f"{name}.conv0", functional.relu(x))
                x = x + conv(f"{name}.conv1", functional.relu(y))
        x = functional.relu(linear("network.5", functional.relu(x.flatten(1))))
        return linear("actor", x).numpy(), linear("critic", x)[:, 0].numpy()


if __name__ == "__main__":
    golden = Path(__file__).parents[1] / "golden"
    observations = np.load(golden / "frames.npz")["frames"][:16]
    logits, values = torch_outputs(drawn_state_dict(), observations)
    np.savez_compressed(golden / "cleanrl_outputs.npz", logits=logits, values=values)
