"""wget: a whole site, and a page continued.

Run: a tree of 60 pages that point to each other, mirrored; a file of 5 MB continued from its
middle; a port that is closed.
Must come out: the same tree, the same file, status 4.
Limits: none known.
"""

PACKAGES = ["wget", "lighttpd"]
VERSION = ["wget", "--version"]
HOSTS = 2


def test_mirror(site, need, data, same):
    need("wget", "lighttpd")
    www = site.scratch / "www"
    for i in range(60):
        path = www / f"d{i % 6}" / f"{i}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'<a href="/d{(i + 1) % 60 % 6}/{(i + 1) % 60}.html">{i}</a>\n')
    (www / "index.html").write_text('<a href="/d0/0.html">first</a>\n')
    (www / "big").write_bytes(data(5_000_000))
    (site.scratch / "conf").write_text(
        f'server.document-root = "{www}"\nserver.port = 80\nserver.bind = "0.0.0.0"\n'
        'index-file.names = ( "index.html" )\nmimetype.assign = ( ".html" => "text/html" )\n')
    site.serve("s", "lighttpd", "-D", "-f", site.scratch / "conf", ports=[80])

    wget = ["env", f"HOME={site.scratch}", "wget", "-nv", "--no-config", "-T", "30", "-t", "1"]
    site.client("c", *wget, "-m", "-l", "inf", "-P", site.scratch / "copy", "http://s/")
    pages = sorted(p.relative_to(www) for p in www.rglob("*.html"))
    copy = site.scratch / "copy" / "s"
    assert sorted(p.relative_to(copy) for p in copy.rglob("*.html")) == pages and len(pages) == 61
    for page in pages:
        same(www / page, copy / page)
    out = site.scratch / "out"
    out.write_bytes((www / "big").read_bytes()[:2_500_000])
    site.client("c", *wget, "-c", "-O", out, "http://s/big")
    same(www / "big", out)
    site.client("c", *wget, "http://s:81/", status=4)
