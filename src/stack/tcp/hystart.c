#include "stack/tcp/hystart.h"

/* RFC 9406, 4.3. */
#define THRESHOLD_MIN_US 4000
#define THRESHOLD_MAX_US 16000
#define RTT_DIVISOR      8
#define SAMPLES          8 /* N_RTT_SAMPLE */
#define SLOW_ROUNDS      5 /* CSS_ROUNDS */

static void begin_round(struct hystart *h, struct tcp_seq nxt)
{
	h->has_round = true;
	h->round_end = nxt;
	h->last_us = h->now_us;
	h->now_us = 0;
	h->samples = 0;
	if (h->is_slow)
		h->slow_rounds++;
}

/* How much longer than the last one's the round trips of a round may be. */
static uint32_t allowance_us(const struct hystart *h)
{
	const uint32_t part = h->last_us / RTT_DIVISOR;

	if (part < THRESHOLD_MIN_US)
		return THRESHOLD_MIN_US;
	return part < THRESHOLD_MAX_US ? part : THRESHOLD_MAX_US;
}

static void judge(struct hystart *h)
{
	if (h->is_slow && h->now_us < h->baseline_us) {
		h->is_slow = false;
	} else if (!h->is_slow && h->last_us > 0 && h->now_us >= h->last_us + allowance_us(h)) {
		h->is_slow = true;
		h->slow_rounds = 1;
		h->baseline_us = h->now_us;
	}
}

static void take_sample(struct hystart *h, uint32_t sample_us)
{
	if (h->now_us == 0 || sample_us < h->now_us)
		h->now_us = sample_us;
	if (h->samples < SAMPLES)
		h->samples++;
	if (h->samples == SAMPLES)
		judge(h);
}

bool hystart_acked(struct hystart *h, struct tcp_seq una, struct tcp_seq nxt, uint32_t sample_us)
{
	/* What ends a round was sent in it. */
	if (sample_us > 0)
		take_sample(h, sample_us);
	if (!h->has_round || !seq_before(una, h->round_end))
		begin_round(h, nxt);
	return h->is_slow && h->slow_rounds > SLOW_ROUNDS;
}
