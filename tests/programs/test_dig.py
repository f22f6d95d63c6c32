"""dig asks the network's name server, which /etc/resolv.conf is taken for."""


def test_dig(reeve, need):
    need("dig")
    with open("/etc/resolv.conf") as f:
        if "nameserver" not in f.read():
            import pytest
            pytest.skip("no name server is configured")
    r = reeve.run("--host", "asker", "dig", "+short", "+time=5", "asker")
    assert r.stdout.startswith("198.18."), r.stdout + r.stderr
