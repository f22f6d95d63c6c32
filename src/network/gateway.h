/*
 * The gateway: the host that every other host's default route leads to. Behind it is the network's
 * own name server and nothing else: connections and echo requests to the outside are refused, at once
 * and with the reason that Linux gives where there is no route; datagrams with "port unreachable",
 * as a program hears of no other answer.
 */
#pragma once

struct network_host;

/* 0 or a negative errno. What is opened goes with the host. */
int gateway_open(struct network_host *gateway);
