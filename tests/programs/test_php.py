"""php: its own web server, and its streams.

Run: php -S with four workers; 12 requests at once; a script that asks another host by
stream_socket_client and by UDP.
Must come out: every answer, the client's address, 2 MB posted and counted.
Limits: none known.
"""

import hashlib

PACKAGES = ["curl", "php-cli"]
VERSION = ["php", "--version"]
HOSTS = 3

PAGE = """<?php
if ($_SERVER['REQUEST_METHOD'] == 'POST') {
    echo hash('sha256', file_get_contents('php://input'));
} else {
    $s = stream_socket_client('udp://names:7000');
    fwrite($s, $_SERVER['QUERY_STRING']);
    echo fread($s, 1500), ' ', $_SERVER['REMOTE_ADDR'], "\\n";
}
"""
UPPER = """if True:
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 7000))
    print("bound", flush=True)
    while True:
        data, peer = s.recvfrom(1500)
        s.sendto(data.upper(), peer)
"""


def test_php(site, need, data):
    need("php", "curl")
    (site.scratch / "index.php").write_text(PAGE)
    upper = site.reeve.start("--host", "names", "--", "/usr/bin/python3", "-c", UPPER)
    site.reeve.wait_for_text(upper, "bound")
    site.serve("s", "env", "PHP_CLI_SERVER_WORKERS=4", "php", "-n", "-S", "0.0.0.0:80", "-t",
               site.scratch, ports=[80])
    got = site.client("c", "curl", "-sS", "--max-time", "30", "-Z",
                      *[f"http://s/?word{i}" for i in range(12)]).split()
    assert sorted(got[0::2]) == sorted(f"WORD{i}" for i in range(12))
    assert all(address.startswith("198.18.") for address in got[1::2])
    sent = site.scratch / "sent"
    sent.write_bytes(data(2_000_000))
    got = site.client("c", "curl", "-sS", "--max-time", "30", "-H",
                      "Content-Type: application/octet-stream", "--data-binary", f"@{sent}", "http://s/")
    assert got == hashlib.sha256(sent.read_bytes()).hexdigest()
