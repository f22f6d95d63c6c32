"""nc: a conversation, a scan of ports, files.

Run: nc -l -k; -z for an open and a closed port; bash's own /dev/tcp; 3 MB with -N to
and from a server; a datagram with -u.
Must come out: what was said, statuses 0 and 1, the same files.
Limits: none known; a listening nc ends with what it reads, its own file sent or not.
"""

import subprocess

PACKAGES = ["netcat-openbsd"]
VERSION = ["dpkg-query", "-W", "-f", "${Version}", "netcat-openbsd"]
HOSTS = 2


def test_conversation_and_scan(site, need):
    need("nc")
    server = site.reeve.start("--host", "s", "--", "nc", "-l", "-k", "-p", "4000")
    site.until_open("s", 4000)
    site.client("c", "nc", "-z", "-w", "5", "s", "4000")
    site.client("c", "nc", "-z", "-w", "5", "s", "4001", status=1)
    site.client("c", "bash", "-c", "exec 3<>/dev/tcp/s/4000; echo from bash >&3")
    assert "from bash" in site.reeve.wait_for_text(server, "from bash\n")


def test_files(site, need, data, same):
    need("nc")
    sent, got = site.scratch / "sent", site.scratch / "got"
    sent.write_bytes(data(3_000_000))
    for server, client in (f"nc -N -l -p 4000 <{sent}", f"nc -d s 4000 >{got}"), \
            (f"nc -d -l -p 4000 >{got}", f"nc -N s 4000 <{sent}"):
        process = site.serve("s", "sh", "-c", f"exec {server}")
        site.client("c", "sh", "-c", f"until {client} 2>/dev/null; do :; done")
        assert process.wait(30) == 0
        same(sent, got)


def test_datagram(site, need):
    need("nc")
    server = site.reeve.start("--host", "s", "--", "nc", "-v", "-u", "-l", "-p", "4000",
                              stderr=subprocess.STDOUT)
    site.reeve.wait_for_text(server, "Bound on")
    client = site.reeve.start("--host", "c", "--", "nc", "-u", "s", "4000", stdin=subprocess.PIPE)
    client.stdin.write("datagram\n")
    client.stdin.flush()
    site.reeve.wait_for_text(server, "datagram\n")
    client.stdin.close()
