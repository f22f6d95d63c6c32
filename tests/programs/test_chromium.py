"""Chromium: a page with its parts, without a window.

Run: chromium --headless, its sandbox off, which loads a page with a script, a style, 30 images and
fetch from nginx on another host, and from a second host by fetch with CORS; a WebSocket; a
screenshot; a page of a port that is closed.
Must come out: the document as the script has changed it, once all parts were there; an image file.
Limits: QUIC and mDNS are not tried; its own sandbox needs user namespaces.
"""

import pytest
from conftest import PATIENCE
from test_nginx import start

PACKAGES = ["chromium", "nginx-light"]
VERSION = ["chromium", "--version"]
HOSTS = 3

PAGE = """<!doctype html>
<title>page</title>
<link rel="stylesheet" href="/style.css">
<p id="p">not yet</p>
<img src="http://web2:8080/held">
<script src="/script.js"></script>
"""
SCRIPT = """
const image = i => new Promise((good, bad) => {
  const x = new Image();
  x.onload = () => good(x.width);
  x.onerror = bad;
  x.src = `/image.svg?${i}`;
});
const socket = () => new Promise((good, bad) => {
  const x = new WebSocket('ws://web2:8080/echo');
  x.onopen = () => x.send('hello');
  x.onmessage = m => good(m.data);
  x.onerror = () => bad('socket');
});
(async () => {
  const p = document.getElementById('p');
  try {
    const widths = await Promise.all([...Array(30).keys()].map(image));
    const near = await (await fetch('/name')).text();
    const far = await (await fetch('http://web2/name')).text();
    const refused = await fetch('http://web2:81/').then(() => 'no', () => 'refused');
    const style = getComputedStyle(p).color;
    p.textContent = [widths.length, widths[29], near, far, refused, style, await socket()].join('|');
  } catch (e) {
    p.textContent = `failed: ${e}`;
  }
  fetch('http://web2:8080/done', { mode: 'no-cors' });
})();
"""
# A WebSocket that says what it hears (RFC 6455, 1.3 and 5.2), and an image that is held until the
# script says that it is done: the page is loaded only then.
SOCKETS = """if True:
    import base64, hashlib, socketserver, threading
    done = threading.Event()
    ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"
    UPGRADE = (b"HTTP/1.1 101 x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
               b"Sec-WebSocket-Accept: %s\\r\\n\\r\\n")
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            path, headers = self.rfile.readline().split()[1:2], {}
            while line := self.rfile.readline().strip():
                name, _, value = line.partition(b": ")
                headers[name.lower()] = value
            if path == [b"/echo"]:
                return self.echo(headers[b"sec-websocket-key"])
            if path == [b"/done"]:
                done.set()
            done.wait(60)
            self.wfile.write(ANSWER)
        def echo(self, key):
            key = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            self.wfile.write(UPGRADE % base64.b64encode(key))
            length = self.rfile.read(2)[1] & 127
            mask, data = self.rfile.read(4), self.rfile.read(length)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
            self.wfile.write(bytes([0x81, len(data)]) + data)
            self.rfile.read(1)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    socketserver.ThreadingTCPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


@pytest.fixture
def chromium(site, need):
    need("chromium", "nginx")
    pages = start(site, "web", more="include /etc/nginx/mime.types;")
    (pages / "index.html").write_text(PAGE)
    (pages / "script.js").write_text(SCRIPT)
    (pages / "style.css").write_text("#p { color: rgb(1, 2, 3) }")
    (pages / "image.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="7"/>')
    start(site, "web2", more="add_header Access-Control-Allow-Origin *;")
    site.serve("web2", "/usr/bin/python3", "-c", SOCKETS, ports=[8080])

    def run(*arguments):
        return site.client(
            "c", "sh", "-c", 'exec "$@" 2>&1', "sh", "env", f"HOME={site.scratch}", "chromium", "--headless", "--no-sandbox",
            "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            f"--user-data-dir={site.scratch}/profile", *arguments, timeout=PATIENCE)
    return run


def test_page(chromium):
    got = chromium("--dump-dom", "http://web/index.html")
    assert '<p id="p">30|7|this is web\n|this is web2\n|refused|rgb(1, 2, 3)|hello</p>' in got, got


def test_screenshot_and_refusal(chromium, site):
    path = site.scratch / "picture.png"
    chromium(f"--screenshot={path}", "http://web/index.html")
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 1000
    assert "ERR_CONNECTION_REFUSED" in chromium("--dump-dom", "http://web:81/")
