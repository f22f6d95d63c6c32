"""dig: the network's own name server.

Run: dig for the host itself by name and by address, through the resolver that /etc/resolv.conf
names and by TCP; a name that does not exist; getent, by glibc's resolver.
Must come out: the host's address and its name; NXDOMAIN.
Limits: names of the outside are refused: nothing leads there.
"""

import pytest

PACKAGES = ["bind9-dnsutils"]
VERSION = ["dig", "-v"]
HOSTS = 2


def test_names(site, need):
    need("dig")
    with open("/etc/resolv.conf", encoding="utf-8") as f:
        if "nameserver" not in f.read():
            pytest.skip("no name server is configured")
    site.serve("other", "sleep", "600")
    site.client("asker", "sh", "-c", "until getent hosts other; do :; done")
    own, address, tcp, name, other, status = site.client("asker", "sh", "-c", """
        getent ahostsv4 asker | head -1
        dig +short +time=5 asker
        dig +short +time=5 +tcp asker
        dig +short +time=5 -x "$(dig +short asker)"
        dig +short +time=5 other
        dig +time=5 none.example | grep -o 'status: [A-Z]*'
        """).splitlines()
    assert address.startswith("198.18.") and address == tcp == own.split()[0]
    assert name == "asker." and other.startswith("198.18.") and other != address
    assert status in ("status: NXDOMAIN", "status: REFUSED")
