"""iperf3, one stream: on one host, and between two."""

import json

import places

NAME = "throughput"
SUMMARY = "iperf3, one stream: on one host, and between two"

PORT = 5201
SECONDS = 2


def measure(results, run):
    results.note(places.congestion_control())

    def iperf(case, *flags):
        def action(place):
            server = place.start(["iperf3", "-s", "-p", PORT])
            try:
                place.wait_for(PORT, server)
                report = json.loads(place.run(["iperf3", "-c", place.address, "-p", PORT, "-J",
                                               "-t", SECONDS, *flags]))
            finally:
                place.stop(server)
            results.add(case, place.subject, "received",
                        report["end"]["sum_received"]["bits_per_second"], "bit/s")
        return action

    places.each(results, places.ONE_HOST, iperf("one host"))
    places.each(results, places.TWO_HOSTS, iperf("two hosts"))
    places.each(results, places.TWO_HOSTS, iperf("two hosts, reverse", "-R"))
