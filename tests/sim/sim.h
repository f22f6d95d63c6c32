/*
 * A simulation in virtual time: two hosts, made of libreeve's public API alone, joined by a link
 * that does everything to frames that a link may do. All of it is drawn from one number, the seed,
 * and nothing else is asked, so that a seed that fails fails again.
 *
 * After each frame that comes in the invariants of its host hold (tests/model/invariants.h). What
 * must hold at the end of each:
 *	every stream has arrived whole and in order, or its reader was told of an error;
 *	no error where nothing happened that TCP can't mend;
 *	no datagram is altered;
 *	when all is closed and time has passed, nothing is left: no socket, port, flow, timer,
 *	packet or buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/random.h"
#include "link/impair.h"
#include "reeve/tcp.h"
#include "reeve/udp.h"

#define SIM_HOSTS       2
#define SIM_LISTENERS   2 /* a host: one for IPv4, one for both families */
#define SIM_CONNECTIONS 40
#define SIM_WEATHER     6
#define SIM_DATAGRAMS   4 /* sockets */

enum ending {
	END_FIRST,   /* FIN when all is written, close when all is read */
	END_SECOND,  /* close when all is written and read */
	END_AT_ONCE, /* close when all is written: the peer sends nothing */
};

enum rudeness {
	RUDE_NOT,
	RUDE_ABORT,
	RUDE_CLOSE,
};

/* What one side of a connection does. */
struct side_plan {
	uint64_t bytes; /* to be written */
	uint32_t write_size, read_size;
	int64_t write_gap_ns, read_gap_ns; /* after each */
	uint64_t stall_at;                 /* bytes read, then nothing for stall_ns */
	int64_t stall_ns;
	uint64_t rude_at; /* bytes written and read */
	enum rudeness rude;
	enum ending ending;
	bool without_copy; /* reserve and commit, peek and consume */
	bool no_delay, quick_ack, keepalive, cork, urgent;
	uint32_t max_segment; /* 0: the path's */
	uint64_t rebuffer_at; /* bytes read and written; then */
	uint32_t rebuffer_to; /* both buffers, bytes; 0: never */
	uint32_t linger_s;    /* FIN-WAIT-2 of a closed socket; 0: the default */
	enum reeve_congestion congestion;
	uint32_t send_buffer, receive_buffer; /* 0: the default */
};

struct connection_plan {
	unsigned client, server; /* hosts */
	unsigned listener;
	bool ipv6, loopback; /* to the loopback address: client and server are one */
	bool bind_first;
	bool simultaneous; /* both connect, from ports known to both */
	int64_t start_ns, other_start_ns;
	struct side_plan sides[2]; /* the client's, the server's */
};

struct weather {
	int64_t from_ns;
	struct impair_settings settings;
};

struct datagram_plan {
	unsigned from, to; /* hosts */
	uint32_t count, most_bytes;
	int64_t start_ns, gap_ns;
};

struct scenario {
	uint64_t seed;
	uint32_t mtu[SIM_HOSTS];
	uint32_t offloads[SIM_HOSTS];
	bool trust; /* of the link's word for checksums */
	int64_t lateness_ns;
	uint32_t backlog;
	uint32_t max_sockets;
	uint32_t pool_packets; /* of both hosts and the link */
	uint64_t pool_bytes;
	bool scarce;                /* so little of these that more may be refused */
	int64_t listener_closes_ns; /* of host 0's first; 0: at the end */
	unsigned weather_count, connection_count, datagram_count;
	struct weather weather[SIM_WEATHER];
	struct connection_plan connections[SIM_CONNECTIONS];
	struct datagram_plan datagrams[SIM_DATAGRAMS];
	bool clear;  /* nothing is lost anywhere */
	bool gentle; /* nothing that TCP can't mend */
};

void scenario_draw(struct scenario *s, uint64_t seed);
/* Memory and everything else in plenty; one weather and the connections are the caller's to set. */
void scenario_plain(struct scenario *s, uint32_t backlog);
void scenario_print(const struct scenario *s, FILE *out);

struct sim_options {
	bool verbose;
	FILE *pcapng;     /* NULL: none */
	int64_t until_ns; /* stops then, whatever is under way; 0: at the end */
};

struct sim_result {
	bool failed;
	char reason[256];
	uint64_t hash; /* of all frames and when they were sent */
	uint64_t frames, datagrams, bytes;
	double virtual_s, last_read_s;
	uint64_t retransmits, timeouts; /* of both hosts */
	uint64_t read[SIM_CONNECTIONS]; /* by the servers, when it stopped before the end */
};

void sim_run(const struct scenario *s, const struct sim_options *options, struct sim_result *ret);

/* One stream over links of many kinds, and whether it was fast enough (throughput.c). The status. */
int sim_throughput(void);

/* The golden table of goodput and fairness (goodput.c): printed, or compared with the kept one, of
 * which a difference says how `program` renews it. The status. */
int sim_goodput_print(void);
int sim_goodput_compare(const char *path, const char *program);

static inline bool sim_chance(struct random *r, double probability)
{
	return (double)random_u32(r) < probability * 4294967296.0;
}

static inline uint32_t sim_between(struct random *r, uint32_t least, uint32_t most)
{
	return least + random_below(r, most - least + 1);
}

static inline int64_t sim_time(struct random *r, int64_t most_ns)
{
	return (int64_t)(random_u64(r) % ((uint64_t)most_ns + 1));
}

/* Small ones as likely as large ones. */
static inline uint64_t sim_size(struct random *r, uint64_t most)
{
	const uint32_t bits = 64 - (uint32_t)__builtin_clzll(most | 1);
	const uint64_t size = random_u64(r) & ((UINT64_C(2) << random_below(r, bits)) - 1);

	return size < most ? size : most;
}
