"""dig: the network's own name server.

Run: dig for the host itself by name and by address, through the resolver that /etc/resolv.conf
names and by TCP; a name that does not exist; getent, by glibc's resolver.
Must come out: the host's address and its name; NXDOMAIN.
Limits: names of the outside are refused: nothing leads there.
"""

PACKAGES = ["bind9-dnsutils"]
VERSION = ["dig", "-v"]
HOSTS = 2


def test_names(site, need):
    need("dig")
    site.serve("other", "sleep", "600")
    site.client("asker", "sh", "-c", "until getent hosts other; do :; done")
    # Where no resolver is configured dig says first that there is none at ::1.
    own, address, tcp, name, other, status = site.client("asker", "sh", "-c", """
        ask() { dig +short +time=5 "$@" | grep -v '^;;'; }
        getent ahostsv4 asker | head -1
        ask asker
        ask +tcp asker
        ask -x "$(ask asker)"
        ask other
        dig +time=5 none.example | grep -o 'status: [A-Z]*'
        """).splitlines()
    assert address.startswith("198.18.") and address == tcp == own.split()[0]
    assert name == "asker." and other.startswith("198.18.") and other != address
    assert status in ("status: NXDOMAIN", "status: REFUSED")
