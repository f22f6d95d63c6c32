"""A network of a test's own, driven by the command from outside."""

import json
import os
import select
import signal
import subprocess
import time

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
PATIENCE = 280  # seconds until what is waited for is taken to be lost; no test measures time


class Network:
    def __init__(self, command, runtime):
        self.command, self.runtime = command, runtime
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith(("REEVE_", "LISTEN_"))}
        self.environment.update(XDG_RUNTIME_DIR=str(runtime), LC_ALL="C.UTF-8", PATH=PATH)
        self.settings = {"env": self.environment, "stdin": subprocess.DEVNULL}
        self.running = []

    def start(self, *words, **settings):
        """A reeve command that goes on."""
        process = subprocess.Popen([self.command, *map(str, words)], **{**self.settings, **settings})
        self.running.append(process)
        return process

    def run(self, *words, check=True, **settings):
        """A reeve command that ends, and well unless check is False."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": PATIENCE}
        result = subprocess.run([self.command, *map(str, words)], check=False,
                                **{**self.settings, **pipes, **settings})
        assert not check or result.returncode == 0, (words, result)
        return result

    def json(self, *words):
        return json.loads(self.run(*words, "--json", check=True).stdout)

    def end(self, *words, by=signal.SIGTERM):
        """Of the network, and of all commands that still go on."""
        self.run("down", *words, check=False)
        for process in self.running:
            process.send_signal(by)
            process.wait(PATIENCE)
            for stream in process.stdin, process.stdout, process.stderr:
                if stream:
                    stream.close()


def wait_until(condition, what="it"):
    """What the condition gives when it holds."""
    end = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < end, f"{what} does not come"
        time.sleep(0.01)
    return result


def wait_for_end(pid):
    """True when the process, who need not be a child, has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], PATIENCE)[0])
    finally:
        os.close(fd)
