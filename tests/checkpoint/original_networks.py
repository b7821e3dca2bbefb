"""The original code's networks in NumPy, from TensorFlow's variables by name.

As a program it checks the import on the original's own files, which are too large for git:
`python tests/checkpoint/original_networks.py FOLDER` (see tests/golden/README.md).
"""

import sys
from pathlib import Path

import numpy as np

NAMES = {"clear": "coinrun_tiny", "impala_baselines": "coinrun_impala", "nature": "coinrun_nature"}


def shapes(network, num_actions):
    """Shape of every variable, in the order of the file."""
    result = {}

    def add(name, kernel, leaves=("kernel", "bias"), bias=None):
        result[f"{name}/{leaves[0]}"] = kernel
        result[f"{name}/{leaves[1]}"] = bias or kernel[-1:]

    baselines = ("w", "b")
    if network == "clear":
        sizes = {"1a": (7, 3, 16), "2a": (5, 16, 32)}
        sizes |= dict.fromkeys(("2b", "3a", "4a"), (5, 32, 32))
        for name, (size, *channels) in sizes.items():
            add(f"pi/{name}/conv2d", (size, size, *channels))
        add("pi/dense", (512, 256))
        add("pi/dense_1", (256, 512))
    elif network == "impala_baselines":
        depths = (3, 16, 32, 32)
        channels = [
            (depths[index] if conv == 0 else depths[index + 1], depths[index + 1])
            for index in range(3)
            for conv in range(5)
        ]
        for index, pair in enumerate(channels):
            add(f"pi/layer_{index}", (3, 3, *pair))
        add("pi/layer_15", (2048, 256))
    else:
        sizes = {"c1": (8, 3, 32), "c2": (4, 32, 64), "c3": (3, 64, 64)}
        for name, (size, *channels) in sizes.items():
            add(f"pi/{name}", (size, size, *channels), baselines, (1, channels[1], 1, 1))
        add("pi/fc1", (1024, 512), baselines)
    units = result[next(reversed(result))][-1]
    add("pi", (units, num_actions), baselines)
    add("vf", (units, 1), baselines)
    return {f"ppo2_model/{name}:0": shape for name, shape in result.items()}


def drawn(network, num_actions=15):
    """Variables by name, drawn from a seed."""
    random = np.random.default_rng(0)
    variables = {}
    for name, shape in shapes(network, num_actions).items():
        is_bias = name.endswith(("bias:0", "/b:0"))
        deviation = 0.1 if is_bias else np.sqrt(2 / np.prod(shape[:-1]))
        variables[name] = (random.normal(size=shape) * deviation).astype(np.float32)
    return variables


def forward(variables, frames):
    """Policy logits and values of uint8 frames."""
    values = {
        name.removeprefix("ppo2_model/").removesuffix(":0"): v for name, v in variables.items()
    }
    x = frames.astype(np.float32) / np.float32(255)
    if "pi/1a/conv2d/kernel" in values:
        x = clear(values, x)
    elif "pi/layer_0/kernel" in values:
        x = impala(values, x)
    else:
        x = nature(values, x)
    return dense(values, "pi", x), dense(values, "vf", x)[:, 0]


def clear(values, x):
    for name, pooled in (("1a", True), ("2a", False), ("2b", True), ("3a", True), ("4a", True)):
        x = relu(convolution(values, f"pi/{name}/conv2d", x))
        if pooled:
            squares = windows(x**2, 2, 2, ((0, 0), (0, 0)))
            x = np.sqrt(squares.mean((-2, -1)) + np.float32(1e-8))
    x = relu(dense(values, "pi/dense", x.reshape(len(x), -1)))
    return relu(dense(values, "pi/dense_1", x))


def impala(values, x):
    names = (f"pi/layer_{index}" for index in range(16))
    for _ in range(3):
        x = convolution(values, next(names), x)
        x = windows(x, 3, 2, same_padding(x, 3, 2), -np.inf).max((-2, -1))
        for _ in range(2):
            y = convolution(values, next(names), relu(x))
            x = x + convolution(values, next(names), relu(y))
    return relu(dense(values, next(names), relu(x.reshape(len(x), -1))))


def nature(values, x):
    for name, stride in (("c1", 4), ("c2", 2), ("c3", 1)):
        x = relu(convolution(values, f"pi/{name}", x, stride, ((0, 0), (0, 0))))
    return relu(dense(values, "pi/fc1", x.reshape(len(x), -1)))


def relu(x):
    return np.maximum(x, 0)


def of(values, name, *leaves):
    return next(values[f"{name}/{leaf}"] for leaf in leaves if f"{name}/{leaf}" in values)


def dense(values, name, x):
    return x @ of(values, name, "kernel", "w") + of(values, name, "bias", "b")


def convolution(values, name, x, stride=1, padding=None):
    kernel, bias = of(values, name, "kernel", "w"), of(values, name, "bias", "b")
    size = len(kernel)
    patches = windows(x, size, stride, padding or same_padding(x, size, stride))
    return np.einsum("nhwcij,ijco->nhwo", patches, kernel, optimize=True) + bias.ravel()


def same_padding(x, size, stride):
    """TensorFlow's SAME: the smaller half before, the larger after."""
    totals = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[1:3]]
    return [(total // 2, total - total // 2) for total in totals]


def windows(x, size, stride, padding, fill=0.0):
    """[frame, height, width, channel] -> the same with the two axes of each window behind."""
    x = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=np.float32(fill))
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    return view[:, ::stride, ::stride]


def check(folder):
    """Prints how far the import and this module are from what the original code computed."""
    from rlvision_jax import checkpoint
    from rlvision_jax.checkpoint.jd_file import read_jd
    from rlvision_jax.checkpoint.jd_pickle import read_pickle

    frames = np.load(folder / "frames.npz")["frames"][:16]
    for name, file in NAMES.items():
        path = folder / f"{file}.jd"
        policy, params, config = checkpoint.load_jd(path)
        assert policy.name == name
        expected = np.load(folder / f"{file}_outputs.npz")
        variables = read_pickle(read_jd(path, 2**28)[1], str(path))["params"]
        for what, outputs in {
            "load_jd": policy.apply(params, frames),
            "NumPy": forward(variables, frames),
        }.items():
            logits = np.abs(outputs[0] - expected["logits"]).max()
            values = np.abs(outputs[1] - expected["values"]).max()
            print(f"{file} {what}: logits within {logits:.1e}, values within {values:.1e}")
        print(config.get("env"), config.get("env_options"))


if __name__ == "__main__":
    check(Path(sys.argv[1]))
