"""Two nginx on port 80 of two hosts, with workers, sendfile and SO_REUSEPORT; curl fetches."""

import hashlib
import random

CONFIGURATION = """
worker_processes 2;
daemon off;
pid {directory}/pid;
error_log {directory}/error.log;
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


def start(reeve, tmp_path, host, options="", more=""):
    directory = tmp_path / host
    (directory / "www").mkdir(parents=True)
    for path in [tmp_path, *tmp_path.parents[:2]]:
        path.chmod(0o755)  # root's workers run as another user
    (directory / "www" / "name").write_text(f"this is {host}\n")
    (directory / "conf").write_text(
        CONFIGURATION.format(directory=directory, options=options, more=more))
    reeve.start("--host", host, "nginx", "-e", f"{directory}/error.log", "-c", f"{directory}/conf")
    return directory


def test_two_servers_on_one_port(reeve, need, until_open, tmp_path):
    need("nginx", "curl")
    seed = random.randrange(1 << 32)
    print("seed", seed)
    data = random.Random(seed).randbytes(5_000_000)
    for name in "web", "web2":
        directory = start(reeve, tmp_path, name, " reuseport" if name == "web2" else "")
        (directory / "www" / "big").write_bytes(data)
    for name in "web", "web2":
        until_open(name, 80)
        got = reeve.run("--host", "c", "curl", "-sS", "--max-time", "20", f"http://{name}/name")
        assert got.stdout == f"this is {name}\n", got.stderr
        out = tmp_path / f"{name}.out"
        got = reeve.run("--host", "c", "curl", "-sS", "--max-time", "20", "-o", str(out), f"http://{name}/big")
        assert got.returncode == 0, got.stderr
        assert hashlib.sha256(out.read_bytes()).digest() == hashlib.sha256(data).digest()


def test_proxy_and_keepalive(reeve, need, until_open, tmp_path):
    need("nginx", "curl")
    start(reeve, tmp_path, "back")
    until_open("back", 80)
    start(reeve, tmp_path, "front", more="location / { proxy_pass http://back/; }")
    until_open("front", 80)
    got = reeve.run("--host", "c", "curl", "-sS", "--max-time", "20", *["http://front/name"] * 10)
    assert got.stdout == "this is back\n" * 10, got.stderr


def test_refused(reeve, need):
    need("curl")
    got = reeve.run("--host", "c", "curl", "-sS", "http://127.0.0.1:81/")
    assert got.returncode == 7, got.stderr
