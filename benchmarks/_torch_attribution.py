"""The attribution benchmark's peers: the clear network in PyTorch, by hand and by Captum."""

# Neither is installed for the checks, and their stubs lack what is used here.
# pyright: reportMissingImports=false, reportCallIssue=false, reportAttributeAccessIssue=false

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import LayerIntegratedGradients
from torch import nn

from rlvision_jax._types import Params


class ClearValue(nn.Module):
    """The value function of the clear network; `prefix` ends behind layer 2b."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        weights = {name: module for name, module in params["params"].items() if name != "heads"}
        weights["value"] = params["params"]["heads"]["value"]
        self.layers = nn.ModuleDict()
        for name, module in weights.items():
            kernel, bias = np.array(module["kernel"]), np.array(module["bias"])
            if kernel.ndim == 4:
                layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0], padding="same")
                kernel = kernel.transpose(3, 2, 0, 1)
            else:
                layer = nn.Linear(*kernel.shape)
                kernel = kernel.T
            layer.weight = nn.Parameter(torch.from_numpy(kernel.copy()), requires_grad=False)
            layer.bias = nn.Parameter(torch.from_numpy(bias), requires_grad=False)
            self.layers[name] = layer
        # What Captum hooks: the output of layer 2b behind its ReLU.
        self.layer_2b = nn.Identity()

    def prefix(self, pixels: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.layers["1a"](pixels))
        x = F.relu(self.layers["2a"](_l2_pool(x)))
        return F.relu(self.layers["2b"](x))

    def head(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.layers["3a"](_l2_pool(x)))
        x = F.relu(self.layers["4a"](_l2_pool(x)))
        x = _l2_pool(x).permute(0, 2, 3, 1).flatten(1)
        x = F.relu(self.layers["dense2"](F.relu(self.layers["dense1"](x))))
        return self.layers["value"](x)[:, 0]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer_2b(self.prefix(pixels)))


def _l2_pool(x: torch.Tensor) -> torch.Tensor:
    return torch.sqrt(F.avg_pool2d(x * x, 2) + 1e-8)


def make_model(params: Params, num_threads: int) -> ClearValue:
    """The model in channels_last, which oneDNN's convolutions prefer."""
    torch.set_num_threads(num_threads)
    return ClearValue(params).eval().to(memory_format=torch.channels_last)


def by_hand(
    model: ClearValue, observations: np.ndarray, num_steps: int, batch_size: int, from_black=False
) -> np.ndarray:
    """Integrated gradients, right rule: the prefix runs once per frame.

    From zeros or, as Captum can only do, from the layer's activation on a black frame.
    """
    black = torch.zeros((1, 3, 64, 64)).to(memory_format=torch.channels_last)
    results = []
    for start in range(0, len(observations), batch_size):
        pixels = _pixels(observations[start : start + batch_size])
        with torch.no_grad():
            activation = model.prefix(pixels)
            baseline = model.prefix(black) if from_black else torch.zeros(())
            difference = activation - baseline
            total = torch.zeros_like(activation)
        for step in range(1, num_steps + 1):
            point = (baseline + difference * (step / num_steps)).requires_grad_()
            (gradient,) = torch.autograd.grad(model.head(point).sum(), point)
            total += gradient
        results.append((difference * total / num_steps).permute(0, 2, 3, 1).numpy())
    return np.concatenate(results)


def by_captum(
    model: ClearValue, observations: np.ndarray, num_steps: int, batch_size: int
) -> np.ndarray:
    """Captum's LayerIntegratedGradients; `batch_size` is its internal batch size."""
    method = LayerIntegratedGradients(model, model.layer_2b)
    # More frames per call than fit its internal batch would only add up in memory.
    chunk = max(batch_size, 16)
    results = [
        method.attribute(
            _pixels(observations[start : start + chunk]),
            n_steps=num_steps,
            method="riemann_right",
            internal_batch_size=batch_size,
        )
        for start in range(0, len(observations), chunk)
    ]
    return np.concatenate([result.detach().permute(0, 2, 3, 1).numpy() for result in results])


def _pixels(observations: np.ndarray) -> torch.Tensor:
    pixels = torch.from_numpy(observations).permute(0, 3, 1, 2).to(torch.float32) / 255
    return pixels.contiguous(memory_format=torch.channels_last)
