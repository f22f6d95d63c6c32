"""A program on a terminal, talked to as a person would: wait for a text, type an answer."""

import os
import pty
import select
import subprocess
import time

LIMIT = 30  # seconds for a text to come


class Terminal:
    def __init__(self, command, **settings):
        self.master, slave = pty.openpty()
        # setsid gives the terminal to the program, so that typing ^C is a signal.
        self.process = subprocess.Popen(["setsid", "--ctty", "--wait", *command], stdin=slave,
                                        stdout=slave, stderr=slave, **settings)
        os.close(slave)
        self.unread = b""

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text):
        """What is shown up to the text, which is taken as read."""
        wanted = text.encode()
        end = time.monotonic() + LIMIT
        while wanted not in self.unread:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            piece = b""
            if ready:
                try:
                    piece = os.read(self.master, 65536)
                except OSError:  # EIO: the last program has closed the terminal
                    pass
            if not piece:
                raise RuntimeError(f"no {text!r} after {self.unread[-500:].decode()!r}")
            self.unread += piece
        before, _, self.unread = self.unread.partition(wanted)
        return before.decode()

    def end(self):
        """The exit status, once all output is read."""
        while True:
            try:
                if not os.read(self.master, 65536):
                    break
            except OSError:
                break
        os.close(self.master)
        return self.process.wait(LIMIT)
