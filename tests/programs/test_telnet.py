"""telnet: inetutils' server and client.

Run: telnetd behind tcpserver, a session with a terminal on either side, an interrupt in it (Telnet
sends it as urgent data), and telnet to a port that speaks no Telnet.
Must come out: what the shell says, the end of what was interrupted, a page.
Limits: none known.
"""

import os
import pty
import select
import time

PACKAGES = ["inetutils-telnet", "inetutils-telnetd", "ucspi-tcp"]
VERSION = ["inetutils-telnet", "--version"]
HOSTS = 2


class Terminal:
    def __init__(self, site, *command):
        self.fd, other = pty.openpty()
        self.process = site.reeve.start(*command, stdin=other, stdout=other, stderr=other,
                                        start_new_session=True)
        os.close(other)
        self.text = ""

    def wait(self, words):
        end = time.monotonic() + 60
        while words not in self.text:
            assert select.select([self.fd], [], [], end - time.monotonic())[0], self.text
            self.text += os.read(self.fd, 4096).decode()
        self.text = self.text.split(words, 1)[1]

    def say(self, text):
        os.write(self.fd, text.encode())


def test_session(site, need):
    need("inetutils-telnet", "telnetd", "tcpserver")
    shell = site.scratch / "shell"
    shell.write_text("#!/bin/sh\nENV= PS1='ready> ' exec /bin/sh -i\n")
    shell.chmod(0o755)
    site.serve("s", "tcpserver", "-RHl", "s", "0", "23", "telnetd", "-h", "-E", shell, ports=[23])
    t = Terminal(site, "--host", "c", "--", "inetutils-telnet", "s")
    t.wait("ready> ")
    t.say("echo a$((1 + 1))b; tty\r")
    t.wait("a2b")
    t.wait("/dev/pts/")
    t.wait("ready> ")
    t.say("cat; echo after\r")
    t.wait("echo after")
    t.say("echoed\r")
    t.wait("echoed\r\nechoed")
    t.say("\x1d")
    t.wait("telnet>")
    t.say("send ip\r")
    t.wait("ready> ")
    t.say("exit\r")
    t.wait("Connection closed by foreign host")
    assert t.process.wait(30) in (0, 1)
    os.close(t.fd)
