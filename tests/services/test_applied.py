"""ApplyServices: files that are taken over, and refused, by whoever speaks to the network process; several
at once."""

import json
import os
import signal
import socket
import subprocess

from conftest import PATIENCE
from live import wait_until


def test_grant_of_a_refused_file(network):
    """A file twice at once, of which one is refused: the other's ports are granted, and no others."""
    network.write("""
import socket
s = socket.socket()
try:
    s.bind(("", int(input())))
    print("bound")
except PermissionError:
    print("refused")
""", "try.py")
    text = """
hosts:
  server: {well-known: granted}
services:
  try: {host: server, start: nowait, ports: finger, run: python3 try.py}
"""
    network.up(text)
    assert network.ask(79, "80\n") == "refused\n"
    manager = network.manager()
    clients = []
    os.kill(manager, signal.SIGSTOP)
    for content, grant in (text, "79,80"), ("a: b", "79,81"):
        s = socket.socket(socket.AF_UNIX)
        clients.append(s)
        s.connect(str(network.directory / "r/reeve/default/control"))
        s.sendall(json.dumps({"method": "io.reeve.Network.ApplyServices", "parameters": {
            "host": "server", "path": f"{network.directory}/reeve.yaml",
            "directory": str(network.directory), "name": "p", "text": content, "grant": grant}}).encode() + b"\0")
        # Another's call that is answered shows that this one has been heard.
        assert any(p["pid"] == manager for p in network.programs())
    os.kill(manager, signal.SIGCONT)
    answers = [s.recv(65536) for s in clients]
    for s in clients:
        s.close()
    assert [b"ServicesRefused" in a for a in answers] == [False, True], answers
    assert network.ask(79, "80\n") == "bound\n"
    assert network.ask(79, "81\n") == "refused\n"


def test_a_long_path(network):
    """A file is known by the whole of its path: the same one again is no other file."""
    directory = network.directory
    while len(str(directory)) < 1200:
        directory /= "d" * 200
    directory.mkdir(parents=True)
    file = directory / "reeve.yaml"
    file.write_text("services: {a: {run: sleep 1000}}\n")
    network.good("up", file)
    network.good("up", file)


SERVICES = 320


def test_much_to_tell(network):
    """Over a MiB of services far down in the tree, and all at once who asks for them: the manager tells
    one after the other, and each whole."""
    directory = network.directory
    while len(str(directory)) < 3600:
        directory /= "d" * 200
    directory.mkdir(parents=True)
    (directory / "reeve.yaml").write_text("services:\n" + "".join(
        f"  s{i}: {{host: server, run: cat, start: nowait, ports: {1024 + i}}}\n" for i in range(SERVICES)))
    network.good("up", directory / "reeve.yaml")
    manager = network.manager()
    os.kill(manager, signal.SIGSTOP)
    clients = []
    for _ in range(30):
        s = socket.socket(socket.AF_UNIX)
        clients.append(s)
        s.connect(str(network.directory / "r/reeve/default/control"))
        s.sendall(b'{"method": "io.reeve.Network.ListServices"}\0')
    assert network.manager() == manager  # asked behind all of them
    os.kill(manager, signal.SIGCONT)
    for s in clients:
        answer = b""
        while not answer.endswith(b"\0"):
            answer += s.recv(1 << 20)
        s.close()
        assert len(json.loads(answer[:-1])["parameters"]["services"]) == SERVICES
    assert network.manager() == manager


def up_at_once(network, *files):
    """A `reeve up` of each, all at the same time; what became of them."""
    ups = [network.start("up", "--wait", f"{PATIENCE - 10}s", "--json", name, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE) for name in files]
    said = [up.communicate(timeout=PATIENCE) for up in ups]
    return [(up.returncode, *texts) for up, texts in zip(ups, said)]


def test_many_at_once(network):
    """One starts the services; the others find them there, as later ones do."""
    network.write("""
hosts:
  a: {ip: 198.18.0.7}
  b: {well-known: granted}
services:
  web: {host: b, run: python3 -u -m http.server 80, ports: http}
  finger: {host: a, run: cat, start: nowait, ports: finger}
""")
    for _ in range(3):
        for status, out, err in up_at_once(network, *["reeve.yaml"] * 8):
            assert status == 0, err
            services = {s["name"]: s for s in json.loads(out)}
            assert (services["web"]["state"], services["web"]["starts"]) == ("running", 1)
            assert services["finger"]["state"] == "listening"
        assert [m["command"] for m in network.programs()].count("services of a") == 1
        assert network.run("down").returncode == 0


def test_two_files_at_once(network):
    """A network has the services of one file; which of them comes first is nobody's to say."""
    for name in "ab":
        network.write(f"services: {{{name}: {{host: {name}, run: cat, start: nowait, ports: 7}}}}",
                      f"{name}.yaml")
    for _ in range(3):
        results = up_at_once(network, *["a.yaml", "b.yaml"] * 3)
        names = [s["name"] for s in network.json("status")]
        assert len(names) == 1
        for (status, _, err), name in zip(results, "ab" * 3):
            assert status == (0 if [name] == names else 69), (names, err)
            assert status == 0 or (f"runs the services of {network.directory}/{names[0]}.yaml; 'reeve "
                                   "down' first, or choose another --network\n") in err
        wait_until(lambda: len(network.programs()) == 1, "the end of managers without a file")
        assert network.run("down").returncode == 0
