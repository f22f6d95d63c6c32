/*
 * CUBIC (RFC 9438): after a loss the window comes back along a cubic curve whose plateau is the
 * window at that loss, by time and not by round trips; and never slower than Reno would.
 *
 * Windows are in bytes; the curve is reckoned in 1024ths of a segment and in milliseconds.
 */
#include "stack/tcp/congestion.h"

#define MAX_OFF_MS 100000 /* from the plateau; the curve is far beyond any window there */

static void cubic_init(struct tcp_congestion *c)
{
	c->cubic = (struct cubic){ .epoch = REEVE_NEVER };
}

/* The integer cube root, a bit at a time. */
static uint32_t cube_root(uint64_t n)
{
	uint64_t root = 0;

	for (int bit = 20; bit >= 0; bit--) {
		const uint64_t next = root | UINT64_C(1) << bit;

		if (next * next * next <= n)
			root = next;
	}
	return (uint32_t)root;
}

/* RFC 9438, 4.2: K = cbrt((W_max - cwnd_epoch) / C), with C = 0.4 segments / s^3. */
static void start_epoch(struct tcp_congestion *c, struct reeve_time now)
{
	struct cubic *const q = &c->cubic;

	q->epoch = now;
	q->estimate = c->window;
	if (c->window < q->w_max) {
		const uint64_t gap = (uint64_t)(q->w_max - c->window) * 1024 / c->mss;

		q->origin = q->w_max;
		q->k_ms = cube_root(gap * UINT64_C(2500000000) / 1024);
	} else {
		q->origin = c->window;
		q->k_ms = 0;
	}
}

/* RFC 9438, 4.2: W_cubic(t) = C * (t - K)^3 + W_max. */
static uint32_t curve(const struct tcp_congestion *c, int64_t t_ms)
{
	const struct cubic *const q = &c->cubic;
	const bool before = t_ms < q->k_ms;
	const int64_t off_ms = before ? q->k_ms - t_ms : t_ms - q->k_ms;
	const uint64_t d = off_ms < MAX_OFF_MS ? (uint64_t)off_ms : MAX_OFF_MS;
	const uint64_t segments = d * d * d * 1024 / UINT64_C(2500000000);
	const uint64_t bytes = segments * c->mss / 1024;

	if (before)
		return bytes < q->origin ? q->origin - (uint32_t)bytes : 0;
	return bytes < CONGESTION_WINDOW_MAX - q->origin ? q->origin + (uint32_t)bytes
							 : CONGESTION_WINDOW_MAX;
}

/* RFC 9438, 4.3: alpha = 3 (1 - 0.7) / (1 + 0.7) = 9/17 segments a window, and one segment once
 * the window of the last loss is reached. */
static void grow_estimate(struct tcp_congestion *c, uint32_t bytes)
{
	struct cubic *const q = &c->cubic;
	uint64_t more = (uint64_t)bytes * c->mss / c->window;

	if (q->estimate < q->prior)
		more = more * 9 / 17;
	q->estimate += (uint32_t)more;
	if (q->estimate > CONGESTION_WINDOW_MAX)
		q->estimate = CONGESTION_WINDOW_MAX;
}

static void cubic_avoid(struct tcp_congestion *c, uint32_t bytes, struct reeve_time now,
			uint32_t rtt_us)
{
	struct cubic *const q = &c->cubic;

	if (reeve_time_is_never(q->epoch))
		start_epoch(c, now);
	grow_estimate(c, bytes);

	const int64_t t_ms = reeve_time_since(now, q->epoch) / REEVE_NS_PER_MS;

	if (curve(c, t_ms) < q->estimate) {
		if (q->estimate > c->window)
			c->window = q->estimate;
		return;
	}

	const uint32_t most = c->window + c->window / 2;
	const uint32_t ahead = curve(c, t_ms + rtt_us / 1000);
	const uint32_t target = ahead < most ? ahead : most;

	if (target > c->window) {
		const uint64_t more = (uint64_t)(target - c->window) * bytes / c->window;

		c->window = more < target - c->window ? c->window + (uint32_t)more : target;
	}
}

/* RFC 9438, 4.6 and 4.7: beta is 0.7; a flow that did not get back to its last plateau leaves room
 * for new ones (fast convergence). */
static uint32_t cubic_reduce(struct tcp_congestion *c, uint32_t in_flight)
{
	struct cubic *const q = &c->cubic;

	q->prior = c->window;
	q->w_max = c->window < q->w_max ? (uint32_t)((uint64_t)c->window * 17 / 20) : c->window;
	q->epoch = REEVE_NEVER;
	return (uint32_t)((uint64_t)in_flight * 7 / 10);
}

/* The next epoch begins with what the last loss has taught; a rest ends this one. */
static void cubic_remember(const struct tcp_congestion *c, uint32_t ret_own[2])
{
	ret_own[0] = c->cubic.w_max;
	ret_own[1] = c->cubic.prior;
}

static void cubic_recall(struct tcp_congestion *c, const uint32_t own[2])
{
	c->cubic.w_max = own[0];
	c->cubic.prior = own[1];
}

const struct congestion_ops congestion_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.avoid = cubic_avoid,
	.reduce = cubic_reduce,
	.remember = cubic_remember,
	.recall = cubic_recall,
};
