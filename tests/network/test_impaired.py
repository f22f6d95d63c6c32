"""Downloads over a bad link: what is lost is sent again, what arrives is what was sent, and a link
that is down stops everything until it is up again."""

import hashlib
import os
import signal
import subprocess

from conftest import PATIENCE, read_some
from needs import need


def payload_of(capture, sent):
    """The bytes that the server sent, as tshark puts its stream together."""
    follow = subprocess.Popen(
        ["tshark", "-r", str(capture), "-o", "tcp.desegment_tcp_streams:FALSE", "-q", "-z",
         "follow,tcp,raw,0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    digest, length, head = hashlib.sha256(), 0, b""
    for line in follow.stdout:
        if not line.startswith(b"\t"):
            continue  # the client's bytes, and tshark's own words
        piece = bytes.fromhex(line.strip().decode())
        if b"\r\n\r\n" not in head:
            head += piece
            if b"\r\n\r\n" not in head:
                continue
            piece = head.split(b"\r\n\r\n", 1)[1]
        digest.update(piece)
        length += len(piece)
    assert follow.wait(PATIENCE) == 0
    assert length == sent
    return digest.hexdigest()


def test_lossy_download(network, big_file, tmp_path):
    need("tshark")
    path, expected = big_file
    capture = tmp_path / "client.pcapng"
    network.run("hosts", "add", "web")
    network.run("hosts", "add", "client")
    network.run("impair", "client", "--loss", "5%", "--seed", "5")
    network.serve_files("web", path.parent)
    recorder = network.start("capture", "client", "-w", str(capture), stderr=subprocess.PIPE)
    wait_for_capture(network, capture)
    download = network.start("run", "--host", "client", "curl", "-sf", "http://web/big",
                             stdout=subprocess.PIPE)
    digest = hashlib.sha256()
    while piece := read_some(download.stdout):
        digest.update(piece)
    assert download.wait(PATIENCE) == 0
    assert digest.hexdigest() == expected
    assert network.host("web")["retransmits"] > 100
    recorder.send_signal(signal.SIGINT)
    assert recorder.wait(PATIENCE) == 0
    assert payload_of(capture, os.path.getsize(path)) == expected


def wait_for_capture(network, capture):
    """The recording has begun when a packet made for it is in the file: a section header and an
    interface come before it."""
    while not capture.exists() or capture.stat().st_size < 200:
        network.run("ping", "--from", "client", "-c", "1", "web", check=False)


def test_link_down_and_up(network, big_file):
    path, expected = big_file
    network.run("hosts", "add", "web")
    network.run("hosts", "add", "client")
    network.serve_files("web", path.parent)
    download = network.start("run", "--host", "client", "curl", "-sf", "http://web/big",
                             stdout=subprocess.PIPE)
    digest, received = hashlib.sha256(), 0
    while received < 10_000_000:
        piece = read_some(download.stdout)
        assert piece
        digest.update(piece)
        received += len(piece)
    network.run("impair", "client", "--down")
    # What had arrived is read; then nothing comes any more.
    while (piece := read_some(download.stdout, patience=1)) is not None:
        assert piece, "the download ended while the link was down"
        digest.update(piece)
        received += len(piece)
    assert download.poll() is None and received < os.path.getsize(path)
    network.run("impair", "client", "--clear")
    while piece := read_some(download.stdout):
        digest.update(piece)
    assert download.wait(PATIENCE) == 0
    assert digest.hexdigest() == expected
