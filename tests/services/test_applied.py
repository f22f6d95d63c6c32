"""ApplyServices: files that are taken over, and refused, by whoever speaks to the network process."""

import json
import os
import signal
import socket


def test_grant_of_a_refused_file(network):
    """Two files at once, of which one is refused: the other's ports are granted, and no others."""
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
            "host": "server", "path": "/p", "directory": str(network.directory), "name": "p",
            "text": content, "grant": grant}}).encode() + b"\0")
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
