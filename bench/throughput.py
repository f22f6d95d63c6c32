"""iperf3, one stream: on one host, and between two."""

import json

import places

NAME = "throughput"
SUMMARY = "iperf3, one stream: on one host, and between two"
RATIOS = places.RATIOS

SECONDS = 2


def measure(results, run):
    results.note(places.congestion_control())

    def iperf(case, *flags):
        def action(place):
            port = places.free_port()
            with place.serving(["iperf3", "-s", "-p", port], port):
                report = json.loads(place.run(["iperf3", "-c", place.address, "-p", port, "-J",
                                               "-t", SECONDS, *flags]))
            results.add(case, place.subject, "received",
                        report["end"]["sum_received"]["bits_per_second"], "bit/s")
        return action

    places.each(results, places.ONE_HOST, iperf("one host"))
    places.each(results, places.TWO_HOSTS, iperf("two hosts"))
    places.each(results, places.TWO_HOSTS, iperf("two hosts, reverse", "-R"))
