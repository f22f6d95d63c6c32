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
	c->own.cubic = (struct cubic){ .has_epoch = false };
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

/* RFC 9438, 4.2: K = cbrt((W_max - cwnd_epoch) / C), with C = 0.4 segments / s^3. A K beyond 1,677 s
 * would not fit; the curve is flat long before. */
static uint32_t to_plateau_ms(uint32_t gap, uint32_t mss)
{
	const uint64_t segments = (uint64_t)gap * 1024 / mss; /* in 1024ths */
	const uint64_t most = UINT64_MAX / UINT64_C(2500000000);

	return cube_root((segments < most ? segments : most) * UINT64_C(2500000000) / 1024);
}

/* Where congestion avoidance begins: after a reduction (RFC 9438, 4.2), after a timeout (4.8: W_max is
 * the window then, since nothing is remembered), or where the first slow start was left without a
 * loss (4.3: the window of that moment is cwnd_prior). */
static void start_epoch(struct tcp_congestion *c, uint32_t now_ms)
{
	struct cubic *const q = &c->own.cubic;

	q->has_epoch = true;
	q->is_paused = false;
	q->epoch_ms = now_ms;
	q->estimate = c->window;
	q->estimate_rest = q->window_rest = 0;
	q->origin = q->w_max > c->window ? q->w_max : c->window;
	q->k_ms = to_plateau_ms(q->origin - c->window, c->mss);
	if (q->prior == 0)
		q->prior = c->window;
}

/* RFC 9438, 4.2: W_cubic(t) = C * (t - K)^3 + W_max. */
static uint32_t curve(const struct tcp_congestion *c, uint32_t t_ms)
{
	const struct cubic *const q = &c->own.cubic;
	const bool before = t_ms < q->k_ms;
	const uint32_t off_ms = before ? q->k_ms - t_ms : t_ms - q->k_ms;
	const uint64_t d = off_ms < MAX_OFF_MS ? off_ms : MAX_OFF_MS;
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
	struct cubic *const q = &c->own.cubic;
	const uint64_t alpha = q->estimate < q->prior ? 9 : 17;
	const uint64_t whole = (uint64_t)c->window * 17;
	const uint64_t parts = (uint64_t)bytes * c->mss * alpha + q->estimate_rest;
	const uint64_t more = parts / whole;

	q->estimate_rest = parts % whole;
	q->estimate = more < CONGESTION_WINDOW_MAX - q->estimate ? q->estimate + (uint32_t)more
								 : CONGESTION_WINDOW_MAX;
}

/* RFC 9438, 4.4 and 4.5: by (target - cwnd) / cwnd for each that was acknowledged. */
static void grow_towards(struct tcp_congestion *c, uint32_t target, uint32_t bytes)
{
	struct cubic *const q = &c->own.cubic;
	const uint64_t parts = (uint64_t)(target - c->window) * bytes + q->window_rest;
	const uint64_t more = parts / c->window;

	q->window_rest = (uint32_t)(parts % c->window);
	c->window = more < target - c->window ? c->window + (uint32_t)more : target;
}

static void cubic_avoid(struct tcp_congestion *c, uint32_t bytes, uint32_t now_ms, uint32_t rtt_us)
{
	struct cubic *const q = &c->own.cubic;

	if (!q->has_epoch)
		start_epoch(c, now_ms);
	grow_estimate(c, bytes);

	const uint32_t t_ms = now_ms - q->epoch_ms;

	/* RFC 9438, 4.3: never slower than Reno. */
	if (curve(c, t_ms) < q->estimate) {
		if (q->estimate > c->window)
			c->window = q->estimate;
		return;
	}

	/* RFC 9438, 4.2: where the curve is a round trip from now, within [cwnd, 1.5 cwnd]. */
	const uint32_t most = c->window + c->window / 2;
	const uint32_t ahead = curve(c, t_ms + rtt_us / 1000);
	const uint32_t target = ahead < most ? ahead : most;

	if (target > c->window)
		grow_towards(c, target, bytes);
}

/* RFC 9438, 4.2 and 5.8: time during which the program did not use the window is none for the
 * curve. */
static void cubic_pause(struct tcp_congestion *c, uint32_t now_ms)
{
	struct cubic *const q = &c->own.cubic;

	if (!q->has_epoch || q->is_paused)
		return;
	q->is_paused = true;
	q->paused_ms = now_ms;
}

static void cubic_resume(struct tcp_congestion *c, uint32_t now_ms)
{
	struct cubic *const q = &c->own.cubic;

	if (!q->is_paused)
		return;
	q->is_paused = false;
	q->epoch_ms += now_ms - q->paused_ms;
}

/* RFC 9438, 4.7: a flow that did not get back to its last plateau leaves room
 * for new ones (fast convergence). */
static void cubic_reduce(struct tcp_congestion *c)
{
	struct cubic *const q = &c->own.cubic;

	q->prior = c->window;
	q->w_max = c->window < q->w_max ? (uint32_t)((uint64_t)c->window * 17 / 20) : c->window;
	q->has_epoch = q->is_paused = false;
}

/* The next epoch begins with what the last loss has taught; a rest ends this one. */
static void cubic_remember(const struct tcp_congestion *c, uint32_t ret_own[2])
{
	ret_own[0] = c->own.cubic.w_max;
	ret_own[1] = c->own.cubic.prior;
}

static void cubic_recall(struct tcp_congestion *c, const uint32_t own[2])
{
	c->own.cubic.w_max = own[0];
	c->own.cubic.prior = own[1];
}

/* RFC 9438, 4.8: the curve begins anew where slow start will end. */
static void cubic_forget(struct tcp_congestion *c)
{
	c->own.cubic.w_max = 0;
	c->own.cubic.has_epoch = c->own.cubic.is_paused = false;
}

const struct congestion_ops congestion_cubic = {
	.name = "cubic",
	.has_hystart = true,
	.after_loss = 70, /* RFC 9438, 4.6 */
	.after_mark = 85, /* RFC 8511, 3.2 */
	.init = cubic_init,
	.avoid = cubic_avoid,
	.pause = cubic_pause,
	.resume = cubic_resume,
	.reduce = cubic_reduce,
	.remember = cubic_remember,
	.recall = cubic_recall,
	.forget = cubic_forget,
};
