"""mosquitto: MQTT.

Run: a broker, 30 subscribers of two hosts, a publisher on a third with qualities of service 0, 1
and 2, a retained message, a last will of a client that is killed.
Must come out: every message at every subscriber, in its order; the retained one to who comes later;
the will.
Limits: none known.
"""

import os
import re
import signal

PACKAGES = ["mosquitto", "mosquitto-clients"]
VERSION = ["mosquitto", "-h"]
HOSTS = 4

MESSAGES = 200
SUBSCRIBERS = 30

# The broker tells each second how many clients there are; one is the question's own.
UNTIL_SUBSCRIBED = f"""
    until [ "$(mosquitto_sub -h s -t '$SYS/broker/clients/connected' -C 1)" -gt {SUBSCRIBERS} ]
    do :; done"""


def start(site):
    (site.scratch / "conf").write_text(
        "listener 1883 0.0.0.0\nallow_anonymous true\nmax_queued_messages 0\nsys_interval 1\nuser root\n")
    site.serve("s", "mosquitto", "-c", site.scratch / "conf", ports=[1883])


def test_everyone_gets_everything(site, need):
    need("mosquitto", "mosquitto_sub")
    start(site)
    subscribers = [site.reeve.start("--host", f"c{i % 2}", "--", "mosquitto_sub", "-h", "s", "-t",
                                    "t/#", "-q", "2", "-C", str(3 * MESSAGES))
                   for i in range(SUBSCRIBERS)]
    site.client("p", "bash", "-c", UNTIL_SUBSCRIBED, timeout=60)
    lines = ["".join(f"{quality} {i}\n" for i in range(MESSAGES)) for quality in range(3)]
    for quality, text in enumerate(lines):
        site.client("p", "mosquitto_pub", "-h", "s", "-t", "t/x", "-q", quality, "-l", input=text)
    for p in subscribers:
        got = p.communicate(timeout=60)[0].splitlines(keepends=True)
        # Each publisher's are in order; one may overtake the last of another.
        assert ["".join(x for x in got if x[0] == str(q)) for q in range(3)] == lines


def test_retained_and_will(site, need):
    need("mosquitto", "mosquitto_sub")
    start(site)
    site.client("p", "mosquitto_pub", "-h", "s", "-t", "kept", "-r", "-m", "still here")
    assert site.client("c", "mosquitto_sub", "-h", "s", "-t", "kept", "-C", "1") == "still here\n"
    follow = ["stdbuf", "-oL", "mosquitto_sub", "-d", "-h", "s"]
    watcher = site.reeve.start("--host", "c", "--", *follow, "-t", "will", "-C", "1")
    site.reeve.wait_for_text(watcher, "Subscribed")
    dying = site.reeve.start("--host", "d", "--", "sh", "-c", 'echo "pid $$"; exec "$@"', "sh",
                             *follow, "-t", "x", "--will-topic", "will", "--will-payload", "gone")
    text = site.reeve.wait_for_text(dying, "Subscribed")
    os.kill(int(re.search(r"pid (\d+)", text)[1]), signal.SIGKILL)
    assert "gone" in watcher.communicate(timeout=30)[0]
