"""openssl: s_server and s_client.

Run: s_server with a certificate of its own; s_client by TLS 1.2 and 1.3 with 5 MB through it, a
session resumed, a page of -WWW, and eight clients one after another.
Must come out: the same bytes, a verified certificate, "Reused", the page.
Limits: none known.
"""

import subprocess

PACKAGES = ["openssl"]
VERSION = ["openssl", "version"]
HOSTS = 2


def certificate(site):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=s", "-addext",
                    "subjectAltName=DNS:s", "-keyout", site.scratch / "key", "-out",
                    site.scratch / "certificate"], check=True, capture_output=True)
    return ["-cert", site.scratch / "certificate", "-key", site.scratch / "key"]


def client(site, *options, **settings):
    return site.client("c", "openssl", "s_client", "-connect", "s:443", "-servername", "s",
                       "-CAfile", site.scratch / "certificate", "-verify_return_error",
                       "-verify_hostname", "s", *options, **settings)


def test_bytes(site, need, data):
    need("openssl")
    # Its input must not end: the connection would end with it. The third is until_open's.
    server = site.reeve.start("--host", "s", "--", "openssl", "s_server", "-accept", "443", "-quiet",
                              "-naccept", "3", *map(str, certificate(site)), stdin=subprocess.PIPE,
                              stdout=(site.scratch / "received").open("wb"))
    site.until_open("s", 443)
    sent = b""
    for version in "-tls1_2", "-tls1_3":
        # Text: a K at the beginning of what is read would be a command.
        (site.scratch / "sent").write_text(data(2_500_000).hex())
        sent += (site.scratch / "sent").read_bytes()
        site.client("c", "sh", "-c", f"openssl s_client -connect s:443 {version} -quiet -no_ign_eof"
                    f" -CAfile {site.scratch}/certificate -verify_return_error"
                    f" <{site.scratch}/sent 2>&1")
    assert server.wait(60) == 0
    assert (site.scratch / "received").read_bytes() == sent


def test_pages_and_sessions(site, need):
    need("openssl")
    (site.scratch / "page").write_text("by TLS\n")
    site.serve("s", "openssl", "s_server", "-accept", "443", "-WWW", *certificate(site),
               cwd=site.scratch, ports=[443])
    request = "GET /page HTTP/1.0\r\n\r\n"
    for _ in range(8):
        assert client(site, "-quiet", input=request).endswith("by TLS\n")
    session = site.scratch / "session"
    client(site, "-tls1_2", "-sess_out", session, input=request)
    got = client(site, "-tls1_2", "-sess_in", session, input=request)
    assert "Reused, TLSv1.2" in got and "Verify return code: 0 (ok)" in got
