/*
 * Reno's congestion avoidance (RFC 5681, 3.1): a segment more each window acknowledged, half the
 * flight at a loss.
 */
#include "stack/tcp/congestion.h"

static void reno_init(struct tcp_congestion *c)
{
	c->reno_acked = 0;
}

static void reno_avoid(struct tcp_congestion *c, uint32_t bytes, struct reeve_time now,
		       uint32_t rtt_us)
{
	(void)now;
	(void)rtt_us;
	c->reno_acked += bytes;
	if (c->reno_acked >= c->window) {
		c->reno_acked -= c->window;
		if (c->reno_acked > c->window)
			c->reno_acked = c->window;
		c->window += c->mss;
	}
}

static uint32_t reno_reduce(struct tcp_congestion *c, uint32_t in_flight)
{
	c->reno_acked = 0;
	return in_flight / 2;
}

static void reno_remember(const struct tcp_congestion *c, uint32_t ret_own[2])
{
	ret_own[0] = c->reno_acked;
}

static void reno_recall(struct tcp_congestion *c, const uint32_t own[2])
{
	c->reno_acked = own[0];
}

const struct congestion_ops congestion_reno = {
	.name = "reno",
	.init = reno_init,
	.avoid = reno_avoid,
	.reduce = reno_reduce,
	.remember = reno_remember,
	.recall = reno_recall,
};
