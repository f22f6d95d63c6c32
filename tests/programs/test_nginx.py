"""nginx: workers, sendfile, SO_REUSEPORT, a proxy; with curl.

Run: two servers on port 80 of two hosts, one of them with a listener for each worker; a page of
5 MB from both; a proxy in front of another; TCP passed on and a configuration loaded anew.
Must come out: each host's own page, the same bytes, 10 answers over one connection, status 7 where
nobody listens.
Limits: none known.
"""

import pytest
from conftest import IS_ROOT

PACKAGES = ["curl", "nginx-light"]
VERSION = ["nginx", "-v"]
HOSTS = 3

CONFIGURATION = """
worker_processes 2;
daemon off;
{user}
pid {directory}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 80{options};
        root {directory}/www;
        {more}
    }}
}}
"""
FETCH = ["curl", "-sS", "--max-time", "60"]


def start(site, host, options="", more="", ports=(80,)):
    """Starts one; returns the directory of its pages."""
    directory = site.scratch / host
    pages = directory / "www"
    pages.mkdir(parents=True, exist_ok=True)
    (pages / "name").write_text(f"this is {host}\n")
    (directory / "conf").write_text(CONFIGURATION.format(
        directory=directory, options=options, more=more, user="user root;" if IS_ROOT else ""))
    site.process = site.serve(host, "nginx", "-e", "stderr", "-c", directory / "conf", ports=ports)
    return pages


@pytest.fixture(autouse=True)
def installed(need):
    need("nginx", "curl")


def test_two_servers_on_one_port(site, data, same):
    out, big = site.scratch / "out", data(5_000_000)
    for name in "web", "web2":
        pages = start(site, name, " reuseport" if name == "web2" else "")
        (pages / "big").write_bytes(big)
    for name in "web", "web2":
        assert site.client("c", *FETCH, f"http://{name}/name") == f"this is {name}\n"
        site.client("c", *FETCH, "-o", out, f"http://{name}/big")
        same(pages / "big", out)


def test_proxy_and_keepalive(site):
    start(site, "back")
    start(site, "front", more="location / { proxy_pass http://back/; }")
    assert site.client("c", *FETCH, *["http://front/name"] * 10) == "this is back\n" * 10


def test_reload(site):
    """New workers on the same listeners, and old ones that end; no request is refused."""
    start(site, "s")
    pid = int((site.scratch / "s" / "pid").read_text())
    pages = [f"http://s/name?{i}" for i in range(300)]
    curl = site.reeve.start("--host", "c", "--", *FETCH, "-H", "Connection: close", *pages)
    for _ in range(3):
        site.client("s", "kill", "-HUP", pid)
    assert curl.communicate(timeout=60)[0] == "this is s\n" * 300 and curl.returncode == 0


def test_refused(site):
    site.client("c", *FETCH, "http://127.0.0.1:81/", status=7)
