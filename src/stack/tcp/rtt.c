#include "stack/tcp/rtt.h"

#include "reeve/time.h"

#define SAMPLE_MAX_US UINT32_C(120000000)

void rtt_init(struct tcp_rtt *r)
{
	*r = (struct tcp_rtt){ .rto_ms = RTO_INITIAL_MS };
}

bool rtt_is_known(const struct tcp_rtt *r)
{
	return r->smoothed_us > 0;
}

/* RFC 6298, 2.2 and 2.3, in microseconds. */
void rtt_sample(struct tcp_rtt *r, int64_t ns)
{
	const int64_t us = ns / REEVE_NS_PER_US;
	const uint32_t sample = us < 1 ? 1 : us > SAMPLE_MAX_US ? SAMPLE_MAX_US : (uint32_t)us;

	if (!rtt_is_known(r)) {
		r->smoothed_us = sample;
		r->variance_us = sample / 2;
		r->min_us = sample;
	} else {
		const uint32_t off =
			sample > r->smoothed_us ? sample - r->smoothed_us : r->smoothed_us - sample;

		r->variance_us = (uint32_t)((3 * (uint64_t)r->variance_us + off) / 4);
		r->smoothed_us = (uint32_t)((7 * (uint64_t)r->smoothed_us + sample) / 8);
		if (r->smoothed_us == 0)
			r->smoothed_us = 1;
		if (sample < r->min_us)
			r->min_us = sample;
	}

	const uint64_t spread_us = 4 * (uint64_t)r->variance_us;
	const uint64_t least_us = RTO_MIN_MS * UINT64_C(1000);
	const uint64_t rto_us = r->smoothed_us + (spread_us > least_us ? spread_us : least_us);
	const uint64_t rto_ms = (rto_us + 999) / 1000;

	r->rto_ms = rto_ms < (uint64_t)RTO_MAX_MS ? (uint32_t)rto_ms : (uint32_t)RTO_MAX_MS;
}

uint32_t rtt_timeout_ms(const struct tcp_rtt *r)
{
	const unsigned shift = r->backoff < 16 ? r->backoff : 16;
	const uint64_t ms = (uint64_t)r->rto_ms << shift;

	return ms < (uint64_t)RTO_MAX_MS ? (uint32_t)ms : (uint32_t)RTO_MAX_MS;
}
