import os
import socket
import subprocess
import sys

import pytest
import runner

from rlvision_jax._extras import MissingExtraError
from rlvision_jax.sweeps import run_on_ray


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    return runner.run(tmp_path_factory.mktemp("here") / "sweep.zarr")


def _start(*arguments):
    return subprocess.Popen(
        [sys.executable, runner.__file__, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def _finish(*processes):
    outputs = [process.communicate(timeout=240)[0].decode() for process in processes]
    assert all(process.returncode == 0 for process in processes), "\n".join(outputs)


def test_two_processes_of_jax_distributed_compute_one_sweep(swept, tmp_path):
    out = tmp_path / "two.zarr"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    _finish(*[_start(str(out), "process", number, port) for number in ("0", "1")])
    assert runner.contents(out) == runner.contents(swept.path)


@pytest.mark.slow
def test_a_two_node_ray_cluster_computes_one_sweep_though_a_node_dies(swept, tmp_path):
    out = tmp_path / "ray.zarr"
    _finish(_start(str(out), "ray"))
    assert runner.contents(out) == runner.contents(swept.path)


def test_ray_is_an_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rlvision_jax\[ray\]'"):
        runner.run(tmp_path / "ray.zarr", executor=run_on_ray)
