/*
 * Reno's congestion avoidance (RFC 5681, 3.1): a segment more each window acknowledged, half the
 * flight at a loss.
 */
#include "stack/tcp/congestion.h"

static void reno_init(struct tcp_congestion *c)
{
	c->own.reno_acked = 0;
}

static void reno_avoid(struct tcp_congestion *c, uint32_t bytes, uint32_t now_ms, uint32_t rtt_us)
{
	(void)now_ms;
	(void)rtt_us;
	c->own.reno_acked += bytes;
	if (c->own.reno_acked >= c->window) {
		c->own.reno_acked -= c->window;
		if (c->own.reno_acked > c->window)
			c->own.reno_acked = c->window;
		c->window += c->mss;
	}
}

/* What it counts is bytes, not time. */
static void reno_pause(struct tcp_congestion *c, uint32_t now_ms)
{
	(void)c;
	(void)now_ms;
}

static void reno_remember(const struct tcp_congestion *c, uint32_t ret_own[2])
{
	ret_own[0] = c->own.reno_acked;
}

static void reno_recall(struct tcp_congestion *c, const uint32_t own[2])
{
	c->own.reno_acked = own[0];
}

const struct congestion_ops congestion_reno = {
	.name = "reno",
	.after_loss = 50, /* RFC 5681, 3.1 */
	.after_mark = 80, /* RFC 8511, 3.2 */
	.init = reno_init,
	.avoid = reno_avoid,
	.pause = reno_pause,
	.resume = reno_pause,
	.reduce = reno_init,
	.remember = reno_remember,
	.recall = reno_recall,
	.forget = reno_init,
};
