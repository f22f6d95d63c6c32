"""Apache: the event MPM, with ab.

Run: two processes with threads, restarted gracefully while ab has 20 clients with and without
keep-alive; a page of 5 MB, and one that Apache itself gets from another host (mod_proxy).
Must come out: every request of ab answered, the same bytes, the address in the log.
Limits: none known.
"""

import re
import signal

PACKAGES = ["apache2-bin", "apache2-utils", "curl"]
VERSION = ["apache2", "-v"]
HOSTS = 3

CONFIGURATION = """
ServerRoot {directory}
ServerName s
DefaultRuntimeDir {directory}
PidFile {directory}/pid
Mutex file:{directory}
ErrorLog {directory}/errors
Listen 0.0.0.0:80
{user}
{modules}
DocumentRoot {directory}/www
LogFormat "%a %s %U" short
CustomLog {directory}/access short
StartServers 2
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
<Directory {directory}/www>
Require all granted
</Directory>
ProxyPass /there/ http://other/
"""
MODULES = ["mpm_event", "authz_core", "proxy", "proxy_http"]


def test_apache(site, need, data, same):
    need("apache2", "ab", "curl")
    www, there = site.scratch / "www", site.scratch / "there"
    for path in www, there:
        path.mkdir()
    (www / "page").write_text("page\n" * 100)
    (there / "big").write_bytes(data(5_000_000))
    site.serve("other", "/usr/bin/python3", "-m", "http.server", "80", cwd=there, ports=[80])
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                        for name in MODULES)
    (site.scratch / "conf").write_text(CONFIGURATION.format(
        directory=site.scratch, modules=modules, user="User nobody\nGroup nogroup"))
    site.serve("s", "apache2", "-D", "FOREGROUND", "-f", site.scratch / "conf", ports=[80])

    for options in ["-k"], []:
        got = site.client("c", "ab", "-q", "-n", "500", "-c", "20", *options, "http://s/page")
        assert re.search(r"Complete requests: +500\n", got) and re.search(
            r"Failed requests: +0\n", got) and "Non-2xx" not in got, got
    out = site.scratch / "out"
    site.client("c", "curl", "-sS", "--fail", "--max-time", "60", "-o", out, "http://s/there/big")
    same(there / "big", out)

    ab = site.reeve.start("--host", "c", "--", "ab", "-q", "-r", "-n", "1000", "-c", "10", "http://s/page")
    site.client("s", "sh", "-c", f"kill -{int(signal.SIGUSR1)} $(cat {site.scratch}/pid)")
    assert re.search(r"Complete requests: +1000\n", ab.communicate(timeout=60)[0])
    lines = (site.scratch / "access").read_text().splitlines()
    assert all(re.fullmatch(r"198\.18\.\d+\.\d+ 200 /\S+", line) for line in lines[:1000])
