"""h2load: HTTP/2 by TLS and HTTP/1.1.

Run: h2load with 20 clients of 10 streams each against nginx by TLS, and by HTTP/1.1.
Must come out: all 1,000 requests succeeded, with all their bytes.
Limits: none known.
"""

import re

from test_nginx import start
from test_openssl import certificate

PACKAGES = ["nghttp2-client", "nginx-light", "openssl"]
VERSION = ["h2load", "--version"]
HOSTS = 2


def test_streams(site, need):
    need("h2load", "nginx", "openssl")
    certificate(site)
    pages = start(site, "s", ports=[80, 443], more=f"""
        listen 443 ssl http2;
        ssl_certificate {site.scratch}/certificate;
        ssl_certificate_key {site.scratch}/key;""")
    (pages / "page").write_bytes(b"x" * 20_000)
    for options, url in (["-m", "10"], "https://s/page"), (["--h1"], "http://s/page"):
        got = site.client("c", "h2load", "-n", "1000", "-c", "20", *options, url)
        assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in got, got
        assert int(re.search(r"\((\d+)\) data", got)[1]) == 20_000_000, got
