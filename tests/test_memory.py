"""Compiled calls on CPU take the same memory again and again."""

import platform
import subprocess
import sys

import pytest

_FAULTS_OF_CALLS = """
import resource, sys
import numpy as np
from rlvision_jax._memory import let_freed_memory_stay

def call():  # what a compiled call does: some megabytes, written to, given back
    for _ in range(20):
        blocks = [np.ones(2**20), np.ones(2**19)]

if sys.argv[1] == "stay":
    let_freed_memory_stay()
call()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
call()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own heuristic")
def test_freed_memory_is_taken_again():
    def faults(mode):
        run = [sys.executable, "-c", _FAULTS_OF_CALLS, mode]
        return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)

    # 20 times 12 MiB are 61,440 pages of 4 KiB.
    assert faults("stay") < 2_000 < faults("leave")
