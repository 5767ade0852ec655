import os
import signal

import pytest

from omnibench.interrupts import Interrupted, finishing, interruptible


def test_a_signal_interrupts_the_block() -> None:
    with pytest.raises(Interrupted) as caught, interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM


def test_a_signal_waits_for_the_write_in_hand() -> None:
    written = []
    with pytest.raises(Interrupted), interruptible():
        with finishing():
            os.kill(os.getpid(), signal.SIGINT)
            written.append("whole")
        written.append("never reached")
    assert written == ["whole"]


def test_a_signal_takes_effect_also_where_the_write_in_hand_fails() -> None:
    with pytest.raises(Interrupted) as caught, interruptible(), finishing():
        os.kill(os.getpid(), signal.SIGTERM)
        raise OSError("the disk is full")
    assert isinstance(caught.value.__context__, OSError)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interruptible():
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_closed_terminal_interrupts_and_under_nohup_it_does_not() -> None:
    with pytest.raises(Interrupted) as caught, interruptible():
        os.kill(os.getpid(), signal.SIGHUP)
    assert caught.value.number == signal.SIGHUP
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
