/*
 * The round-trip time and the retransmission timeout that follows from it (RFC 6298), with Linux's
 * bounds: never less than 200 ms beyond the smoothed time, at most 120 s.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RTO_INITIAL_MS   1000 /* RFC 6298, 2.1 */
#define RTO_MIN_MS       200
#define RTO_MAX_MS       INT64_C(120000)
#define RTO_AFTER_SYN_MS 3000 /* RFC 6298, 5.7 */

struct tcp_rtt {
	uint32_t smoothed_us, variance_us; /* 0 and 0: no sample yet */
	uint32_t min_us;
	uint32_t rto_ms; /* without backoff */
	uint8_t backoff; /* doublings */
};

void rtt_init(struct tcp_rtt *r);
void rtt_sample(struct tcp_rtt *r, int64_t ns);

/* The timeout with its backoff. */
uint32_t rtt_timeout_ms(const struct tcp_rtt *r);

bool rtt_is_known(const struct tcp_rtt *r);
