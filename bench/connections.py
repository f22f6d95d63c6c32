"""Connections one after another: connect, a byte each way, close."""

import places
from harness import BUILD

NAME = "connections"
SUMMARY = "connections one after another: connect, a byte each way, close"

PORT = 7000
COUNT = 5000


def measure(results, run):
    def pair(case):
        def action(place):
            server = place.start([BUILD / "bench/pair", "server", PORT])
            try:
                place.wait_for(PORT, server)
                rate = place.run([BUILD / "bench/pair", "client", place.address, PORT, COUNT])
            finally:
                place.stop(server)
            results.add(case, place.subject, "rate", float(rate), "1/s")
        return action

    places.each(results, places.ONE_HOST, pair("one host"))
    places.each(results, places.TWO_HOSTS, pair("two hosts"))
