"""OpenSSH: sshd, ssh, scp, sftp.

Run: sshd with a key of its own, asked for it by eight at once; as root, with its separation of
privileges and its seccomp sandbox: ssh with a command, a terminal and 20 MB through it, sftp and
scp both ways, forwarded ports to either side (-L, -R, -D), eight sessions over one connection.
Must come out: status and output of the command, the same files, pages fetched through the
forwarded ports, the client's address in SSH_CONNECTION.
Limits: none known; as a service's user sshd runs, but by its own rules lets nobody in.
"""

import getpass
import hashlib
import pathlib
import subprocess

import pytest
from conftest import IS_ROOT

PACKAGES = ["openssh-client", "openssh-server"]
VERSION = ["ssh", "-V"]
HOSTS = 3

# What the service's unit would make; sshd has the name compiled in.
SEPARATION = pathlib.Path("/run/sshd")

# Another user's account may be locked for sshd, and its shell be nologin.
needs_login = pytest.mark.skipif(not IS_ROOT, reason="sshd lets no service's user log in")


@pytest.fixture
def ssh(site, need):
    need("sshd", "ssh", "scp", "sftp")
    made = IS_ROOT and not SEPARATION.exists()
    if made:
        SEPARATION.mkdir(mode=0o755)
    site.keys = site.scratch / "keys"
    site.keys.mkdir(mode=0o700)
    for name in "host", "user":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", site.keys / name],
                       check=True)
    (site.scratch / "sshd_config").write_text(f"""\
        HostKey {site.keys}/host
        AuthorizedKeysFile {site.keys}/user.pub
        PidFile none
        StrictModes no
        PermitRootLogin yes
        UsePAM no
        Subsystem sftp internal-sftp
        GatewayPorts yes
        """)
    site.serve("s", "/usr/sbin/sshd", "-D", "-e", "-f", site.scratch / "sshd_config", ports=[22])
    site.options = ["-F", "none", "-i", str(site.keys / "user"), "-o", "StrictHostKeyChecking=no",
                    "-o", f"UserKnownHostsFile={site.keys}/known", "-o", "LogLevel=ERROR",
                    "-o", "BatchMode=yes", "-o", f"User={getpass.getuser()}"]
    yield site
    if made:
        SEPARATION.rmdir()


def page(site, host, port=80):
    where = site.scratch / host
    where.mkdir()
    (where / "page").write_text(f"page of {host}\n")
    site.serve(host, "/usr/bin/python3", "-m", "http.server", port, cwd=where, ports=[port])


def test_keys(ssh):
    """What both sides of each of many connections agree on, before anyone has a name."""
    own = (ssh.keys / "host.pub").read_text().split()[:2]
    got = ssh.together(*(("c", "ssh-keyscan", "-T", "60", "-t", "ed25519", "s") for _ in range(8)))
    assert [line.split()[1:] for line in got] == [own] * 8


@needs_login
def test_command(ssh):
    got = ssh.client("c", "ssh", *ssh.options, "s", "echo $SSH_CONNECTION; cat; exit 7", status=7,
                     input="through\n")
    words = got.split()
    assert words[2:] == [ssh.address("s"), "22", "through"] and words[0].startswith("198.18.")
    assert ssh.client("c", "ssh", "-tt", *ssh.options, "s", "tty; stty size").startswith("/dev/pts/")


@needs_login
def test_bulk_and_sessions(ssh, data, tmp_path):
    sent = tmp_path / "sent"
    sent.write_bytes(data(20_000_000))
    expected = hashlib.sha256(sent.read_bytes()).hexdigest()
    script = f"ssh {' '.join(ssh.options)} s 'tee /dev/stderr | sha256sum >&2' <{sent} 2>&1 >/dev/null"
    got = ssh.client("c", "sh", "-c", f"{script} | tail -c 68", errors="replace")
    assert got.split()[0] == expected
    path = ssh.keys / "control"
    many = " & ".join(f"ssh -S {path} {' '.join(ssh.options)} s echo session {i}" for i in range(8))
    got = ssh.client("c", "sh", "-c",
                     f"ssh -MNf -S {path} {' '.join(ssh.options)} s && {{ {many} & wait; }};"
                     f" ssh -S {path} -O exit s 2>&1")
    assert sorted(got.splitlines()) == ["Exit request sent.", *(f"session {i}" for i in range(8))]


@needs_login
def test_files(ssh, data, same):
    sent, there, back = (ssh.scratch / name for name in ("sent", "there", "back"))
    sent.write_bytes(data(5_000_000))
    ssh.client("c", "scp", "-q", *ssh.options, sent, f"s:{there}")
    ssh.client("c", "sftp", "-q", *ssh.options, "-b", "-", "s", input=f"get {there} {back}\n")
    same(sent, there, back)


@needs_login
def test_forwarded_ports(ssh):
    page(ssh, "s2")
    page(ssh, "c", 8080)
    ssh.serve("c", "ssh", *ssh.options, "-N", "-L", "81:s2:80", "-R", "82:127.0.0.1:8080", "-D",
              "1080", "s", ports=[])
    ssh.until_open("s", 82)
    for url, host in ("http://127.0.0.1:81/page", "s2"), ("http://s:82/page", "c"):
        assert ssh.client("c", "curl", "-sS", "--max-time", "20", url) == f"page of {host}\n"
    got = ssh.client("c", "curl", "-sS", "--max-time", "20", "--socks5-hostname", "127.0.0.1:1080",
                     "http://s2/page")
    assert got == "page of s2\n"
    assert ssh.client("c", "curl", "-sS", "--max-time", "20", "http://127.0.0.1:81/page",
                      *["http://127.0.0.1:81/page"] * 9) == "page of s2\n" * 10
