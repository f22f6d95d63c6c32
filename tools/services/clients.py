"""The clients: one function a service, run on a second host. Each does what a person would, checks
what came, says it in a few words, and raises RuntimeError when it is not what it must be."""

import os
import re
import subprocess

import servers
from terminal import Terminal

LIMIT = 40  # seconds, for one client


class Clients:
    """`site` is what the servers serve, `directory` where the clients work."""

    def __init__(self, site, directory, environment):
        self.site = site
        self.directory = directory
        self.settings = {"cwd": directory, "env": environment}
        self.stopping = False
        self.terminals = []

    def run(self, *command, **settings):
        done = subprocess.run(self.on_host(command), check=False, timeout=LIMIT,
                              stdin=None if "input" in settings else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
                              **self.settings, **settings)
        if done.returncode:
            raise RuntimeError(f"{command[0]} ended with {done.returncode}: "
                               f"{(done.stderr or done.stdout).decode(errors='replace').strip()}")
        return done.stdout

    def terminal(self, *command):
        terminal = Terminal(self.on_host(command), **self.settings)
        self.terminals.append(terminal)
        return terminal

    def on_host(self, command):
        if self.stopping:
            raise RuntimeError("stopped")
        return ["reeve", "run", "--host", "client", *map(str, command)]

    def served(self, name):
        return (self.site.directory / name).read_bytes()

    def file(self, name, content=None):
        path = self.directory / name
        if content is not None:
            path.write_bytes(content)
        return path

    def ftp(self):
        """curl down and up, active and passive; and on a terminal, a transfer that is aborted."""
        for way, options in ("passive", []), ("active", ["--ftp-port", "-"]):
            got = self.file(f"got-{way}")
            self.run("curl", "-sS", *options, f"ftp://{self.site.host}/pub/text", "-o", f"{got}-text",
                     f"ftp://{self.site.host}/pub/binary", "-o", got)
            same(f"what came down, {way}", got.read_bytes(), self.served("ftp/pub/binary"))
            same(f"text, {way}", self.file(f"got-{way}-text").read_bytes(),
                 self.served("ftp/pub/text"))
            sent = self.file(f"sent-{way}", self.site.random.randbytes(300_000))
            self.run("curl", "-sS", *options, "-T", sent,
                     f"ftp://{self.site.host}/pub/incoming/{way}")
            same(f"what went up, {way}", self.served(f"ftp/pub/incoming/{way}"), sent.read_bytes())
        self.ftp_abort()
        return "4 down, 2 up, active and passive; list, abort"

    def ftp_abort(self):
        """^C sends ABOR with Telnet's interrupt and synch before it, which are urgent data."""
        ftp = self.terminal("tnftp", "-a", self.site.host)
        ftp.until("ftp> ")
        ftp.type("dir pub\n")
        listing = ftp.until("226 ")
        for name in "text", "binary", "huge", "incoming":
            if name not in listing:
                raise RuntimeError(f"{name} is not in the listing: {listing!r}")
        ftp.until("ftp> ")
        ftp.type("get pub/huge /dev/null\n")
        ftp.until("150 ")
        ftp.type("\x03")
        if "ABOR successful" not in ftp.until("ftp> "):
            raise RuntimeError("the transfer is not aborted")
        ftp.type("pwd\n")
        ftp.until("Remote directory: ")
        ftp.until("ftp> ")
        ftp.type("quit\n")
        ftp.until("221 ")
        ftp.end()

    def telnet(self):
        """A shell, and an interrupt: `send ip` and the synch that follows it are urgent data."""
        telnet = self.terminal("telnet", self.site.host)
        telnet.until("ready> ")
        telnet.type("echo $((6 * 7)) is the answer\n")
        telnet.until("42 is the answer")
        telnet.until("ready> ")
        telnet.type("seq -f 'number %.0f.' 5000; echo e''nd of it\n")
        numbers = telnet.until("end of it").count("number ")
        if numbers != 5001:  # and the echo of the command
            raise RuntimeError(f"{numbers - 1} lines of 5000")
        telnet.until("ready> ")
        telnet.type("trap 'echo inter''rupted' INT\n")
        telnet.until("ready> ")
        telnet.type("sh -c 'echo be''gun; exec sleep 60'\n")
        telnet.until("begun")
        telnet.type("\x1d")
        telnet.until("telnet> ")
        telnet.type("send ip synch\n")
        telnet.until("interrupted")
        telnet.type("exit\n")
        telnet.until("closed by foreign host")
        telnet.end()
        return "a shell's answer, 5000 lines, an interrupt"

    def mail(self):
        """What SMTP takes, POP3 gives: three mails, one of them large."""
        self.file("msmtprc", f"account default\nhost {self.site.host}\nport 25\n"
                             "from writer@reeve.example\n".encode()).chmod(0o600)
        bodies = [f"mail {n}\n".encode() * (10 ** n) for n in (1, 2, 4)]
        for n, body in enumerate(bodies):
            self.run("msmtp", "-C", self.file("msmtprc"), "reader@reeve.example",
                     input=b"Subject: %d\n\n" % n + body)
        self.mails = bodies
        return "3 mails sent"

    def pop3(self):
        inbox = self.file("inbox")
        inbox.mkdir()
        for name in "cur", "new", "tmp":
            (inbox / name).mkdir()
        self.file("mpoprc", f"account default\nhost {self.site.host}\nport 110\nuser reader\n"
                            f"password secret\nauth user\ntls off\ndelivery maildir {inbox}\n"
                            "uidls_file uidls\nkeep off\n".encode()).chmod(0o600)
        self.run("mpop", "-q", "-C", self.file("mpoprc"))
        got = sorted((p.read_bytes().partition(b"\n\n")[2] for p in (inbox / "new").iterdir()),
                     key=len)
        if got != self.mails:
            raise RuntimeError(f"{len(got)} mails came of {len(self.mails)}, or others")
        return "the 3 mails read"

    def domain_udp(self):
        answer = self.dig("+short", "www", "A")
        if answer != "192.0.2.80\n":
            raise RuntimeError(f"the wrong address: {answer!r}")
        if "flags: qr aa tc" not in self.dig("+ignore", "+notcp", "+bufsize=1232", "long", "TXT"):
            raise RuntimeError("the long answer is not truncated")
        return "an address; a truncated answer"

    def domain_tcp(self):
        long = self.dig("+short", "long", "TXT")
        if long.count("\n") != 20:
            raise RuntimeError(f"{long.count(chr(10))} lines of 20, after truncation")
        zone = self.dig("+onesoa", "", "AXFR")
        if len(re.findall(r"\sIN\s+A\s", zone)) != 202:
            raise RuntimeError(f"not all of the zone: {zone[-500:]!r}")
        return "retried after truncation; the zone transferred"

    def dig(self, *query):
        *options, name, kind = query
        return self.run("dig", "+time=10", "+tries=2", f"@{self.site.host}", *options,
                        f"{name}.{servers.ZONE}".lstrip("."), kind).decode()

    def whois(self, port=43):
        wanted = "".join(f"reeve.example: line {i}\n" for i in range(1, servers.WHOIS_LINES + 1))
        got = self.run("whois", "-h", self.site.host, "-p", port, "reeve.example").decode()
        same("the answer", got.replace("\r", ""), wanted)
        return f"{servers.WHOIS_LINES} lines"

    def whoispp(self):
        return self.whois(63)

    def gopher(self):
        menu = self.run("curl", "-sS", f"gopher://{self.site.host}/").decode()
        for line in "Welcome", "0A text\t/text.txt", "9Bytes\t/bytes.bin":
            if line not in menu:
                raise RuntimeError(f"{line!r} is not in the menu: {menu!r}")
        text = self.run("curl", "-sS", f"gopher://{self.site.host}/0/text.txt").decode()
        same("the text", text.replace("\r\n", "\n").removesuffix(".\n"),
             self.served("gopher/text.txt").decode())
        same("the bytes", self.run("curl", "-sS", f"gopher://{self.site.host}/9/bytes.bin"),
             self.served("gopher/bytes.bin"))
        return "menu, text, 200 kB"

    def finger(self):
        # Of a user who does not log in: finger fails on one whose terminal has just gone.
        got = self.run("finger", f"nobody@{self.site.host}").decode()
        if "Login: nobody" not in got or "Directory: " not in got:
            raise RuntimeError(f"no record: {got!r}")
        return "the record of nobody"

    def http(self):
        page = self.run("curl", "-sS", "-w", "%{http_code}", f"http://{self.site.host}/").decode()
        same("the page", page, self.served("pages/index.html").decode() + "200")
        self.run("curl", "-sS", "-o", "page", f"http://{self.site.host}/file")
        same("the large page", self.file("page").read_bytes(), self.served("pages/file"))
        return f"a page, and one of {servers.PAGE_BYTES // 1_000_000} MB"

    def nntp(self):
        body = "".join(f"line {i} of the article\n" for i in range(300))
        article = ("From: writer@reeve.example\nNewsgroups: local.test\nSubject: a port\n"
                   "Message-ID: <port.119@reeve.example>\n\n")
        self.run("sinntp", "push", "-S", f"{self.site.host}:119", "local.test",
                 input=(article + body).encode())
        groups = self.run("sinntp", "list", "-S", f"{self.site.host}:119").decode()
        if "local.test" not in groups:
            raise RuntimeError(f"no group: {groups!r}")
        got = self.run("sinntp", "get", "-S", f"{self.site.host}:119",
                       "<port.119@reeve.example>").decode()
        same("the article", got.partition("\n\n")[2].rstrip("\n"), body.rstrip("\n"))
        return "an article posted, listed, read"


def same(what, got, wanted):
    if got != wanted:
        raise RuntimeError(f"{what} is not what it must be: {len(got)} bytes, not {len(wanted)}"
                           if len(got) != len(wanted) else f"{what} has other bytes")
