"""Servers and their own benchmarks: redis, and nginx with wrk."""

import pathlib
import re
import tempfile

import places

NAME = "guest"
SUMMARY = "redis-benchmark, and wrk against nginx, on one host and between two"

REDIS_PORT = 6379
WEB_PORT = 8080
SECONDS = 2

NGINX = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 100000000;
    server {{ listen {port}; root {directory}; }}
}}
"""


def redis(results, case, place):
    server = place.start(["redis-server", "--port", REDIS_PORT, "--bind", "0.0.0.0", "--save", "",
                          "--appendonly", "no", "--protected-mode", "no"])
    try:
        place.wait_for(REDIS_PORT, server)
        for name, flags in (("SET", ["-t", "set", "-n", 50000]),
                            ("GET, 16 at once", ["-t", "get", "-n", 300000, "-P", 16])):
            text = place.run(["redis-benchmark", "-h", place.address, "-p", REDIS_PORT, "--csv",
                              *flags])
            rate = float(text.strip().splitlines()[-1].split(",")[1].strip('"'))
            results.add(f"redis {name}, {case}", place.subject, "requests", rate, "1/s")
    finally:
        place.stop(server)


def web(results, case, place):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        (directory / "page").write_bytes(b"r" * 1000)
        (directory / "nginx.conf").write_text(NGINX.format(directory=directory, port=WEB_PORT))
        server = place.start(["/usr/sbin/nginx", "-e", "stderr", "-p", directory, "-c",
                              directory / "nginx.conf"])
        try:
            place.wait_for(WEB_PORT, server)
            for label, flags in (("keepalive", []),
                                 ("connection: close", ["-H", "Connection: close"])):
                text = place.run(["wrk", "-t1", "-c20", f"-d{SECONDS}s", *flags,
                                  f"http://{place.address}:{WEB_PORT}/page"])
                rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
                results.add(f"wrk {label}, {case}", place.subject, "requests", rate, "1/s")
                if re.search(r"Socket errors|Non-2xx", text):
                    results.note(f"wrk {label}, {case}, {place.subject}: "
                                 + re.search(r"(Socket errors|Non-2xx).*", text)[0])
        finally:
            place.stop(server)


def measure(results, run):
    results.note(places.congestion_control())
    for case, where in (("one host", places.ONE_HOST), ("two hosts", places.TWO_HOSTS)):
        places.each(results, where, lambda place, case=case: redis(results, case, place))
        places.each(results, where, lambda place, case=case: web(results, case, place))
