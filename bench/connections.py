"""Connections one after another: connect, a byte each way, close."""

import functools

import places
import workloads

NAME = "connections"
SUMMARY = "connections one after another: connect, a byte each way, close"
RATIOS = places.RATIOS


def measure(results, run):
    for case, where in (("one host", places.ONE_HOST), ("two hosts", places.TWO_HOSTS)):
        places.each(results, where, functools.partial(
            workloads.measure, results, case, workload=workloads.Pair()))
