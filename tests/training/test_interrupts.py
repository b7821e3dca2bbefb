import os
import signal
import threading

import pytest

from rlvision_jax.training.interrupts import Interrupts

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_raises_keyboard_interrupt_once(number):
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            send(number)
        assert interrupts.requested
        send(number)  # nothing happens


@pytest.mark.parametrize("number", SIGNALS)
def test_held_block_runs_to_its_end(number):
    finished = False
    with Interrupts() as interrupts:
        with interrupts.held():
            send(number)
            finished = True
        assert interrupts.requested
    assert finished


def test_signal_after_a_held_block_raises():
    with Interrupts() as interrupts:
        with interrupts.held():
            pass
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_outside_the_main_thread_nothing_is_installed():
    handlers = []

    def work():
        with Interrupts():
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]
