"""The end by a signal, which is heard between two steps and never within one."""

import contextlib
import signal
import subprocess

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class Stopped(BaseException):
    """By a signal; its number is the argument."""


class _Heard:
    held = False
    number = None


def heed_signals():
    for number in SIGNALS:
        signal.signal(number, _stop)


def _stop(number, _frame):
    for s in SIGNALS:
        signal.signal(s, signal.SIG_IGN)
    if not _Heard.held:
        raise Stopped(number)
    _Heard.number = number


@contextlib.contextmanager
def step():
    """What begins in it is known to whoever has to end it, when a signal is heard. Of the main
    thread."""
    _Heard.held = True
    try:
        yield
    finally:
        _Heard.held = False
    if _Heard.number:
        raise Stopped(_Heard.number)


def run(command, **settings):
    """subprocess.run() with what the command says, as text; a command that a signal comes upon is
    killed."""
    with contextlib.ExitStack() as end:
        with step():
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, process_group=0, **settings)
            end.enter_context(process)
            end.callback(process.kill)  # which leaves alone what has ended
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)
