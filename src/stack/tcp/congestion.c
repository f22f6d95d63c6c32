#include "stack/tcp/congestion.h"

const struct congestion_ops *congestion_ops_of(enum reeve_congestion which)
{
	return which == REEVE_RENO ? &congestion_reno : &congestion_cubic;
}

void congestion_init(struct tcp_congestion *c, enum reeve_congestion which, uint32_t mss)
{
	*c = (struct tcp_congestion){
		.ops = congestion_ops_of(which),
		.mss = mss,
		.window = congestion_initial_window(mss),
		.threshold = CONGESTION_WINDOW_MAX,
	};
	c->ops->init(c);
}

void congestion_remember(const struct tcp_congestion *c, struct congestion_memory *ret)
{
	*ret = (struct congestion_memory){ .window = c->window, .threshold = c->threshold };
	c->ops->remember(c, ret->own);
}

void congestion_recall(struct tcp_congestion *c, enum reeve_congestion which, uint32_t mss,
		       const struct congestion_memory *memory)
{
	congestion_init(c, which, mss);
	c->window = memory->window;
	c->threshold = memory->threshold;
	c->ops->recall(c, memory->own);
}

uint32_t congestion_initial_window(uint32_t mss)
{
	const uint32_t least = 2 * mss > 14600 ? 2 * mss : 14600;

	return 10 * mss < least ? 10 * mss : least;
}

void congestion_set_mss(struct tcp_congestion *c, uint32_t mss)
{
	const bool fresh = c->window == congestion_initial_window(c->mss) &&
			   c->threshold == CONGESTION_WINDOW_MAX;

	c->mss = mss;
	if (fresh)
		c->window = congestion_initial_window(mss);
	if (c->window < mss)
		c->window = mss;
}

bool congestion_in_slow_start(const struct tcp_congestion *c)
{
	return c->window < c->threshold;
}

static uint32_t ms_of(struct reeve_time t)
{
	return (uint32_t)((uint64_t)t.ns / (uint64_t)REEVE_NS_PER_MS);
}

/* Only before the first loss is it unknown how much the path takes (RFC 9406, 4.2). */
static bool searches(const struct tcp_congestion *c)
{
	return c->ops->has_hystart && c->threshold == CONGESTION_WINDOW_MAX;
}

/* RFC 5681, 3.1; by all that was acknowledged (RFC 3465 with no limit, and RFC 9406, 4.2 with an L
 * of infinity, as Linux): acknowledgments of many segments come from receivers that take them in
 * batches, as ours does, and would make the window of such a path grow many times slower. */
static uint32_t slow_start(struct tcp_congestion *c, uint32_t bytes)
{
	const uint32_t room = c->threshold - c->window;
	const uint32_t used = bytes < room ? bytes : room;

	if (searches(c) && c->hystart.is_slow)
		c->window += used / HYSTART_DIVISOR;
	else
		c->window += used;
	return bytes - used;
}

void congestion_acked(struct tcp_congestion *c, const struct congestion_news *news)
{
	const uint32_t now_ms = ms_of(news->now);
	uint32_t left = news->bytes;

	if (searches(c) && hystart_acked(&c->hystart, news->una, news->nxt, news->sample_us))
		c->threshold = c->window;
	/* Nothing in flight: until there is, nothing can make it grow. */
	if (!news->is_full || seq_equal(news->una, news->nxt))
		c->ops->pause(c, now_ms);
	if (!news->is_full)
		return;
	if (congestion_in_slow_start(c))
		left = slow_start(c, left);
	if (left > 0)
		c->ops->avoid(c, left, now_ms, news->rtt_us);
	if (c->window > CONGESTION_WINDOW_MAX)
		c->window = CONGESTION_WINDOW_MAX;
}

/* What was known of the path is not forgotten with the window that is: slow start leads back there
 * (RFC 2861, 3.1, and Linux). */
static void keep_threshold(struct tcp_congestion *c)
{
	const uint32_t kept = c->window - c->window / 4;

	if (c->threshold < kept)
		c->threshold = kept;
}

/* A window that has not been in use for a timeout says nothing of the path any more: half of what was
 * not used is given up (RFC 2861, 3.2). RFC 7661 would keep it for five minutes; Linux doesn't. */
static void validate(struct tcp_congestion *c)
{
	const uint32_t initial = congestion_initial_window(c->mss);
	const uint32_t used = c->used > initial ? c->used : initial;

	if (used >= c->window)
		return;
	keep_threshold(c);
	c->window -= (c->window - used) / 2;
}

void congestion_sent(struct tcp_congestion *c, uint32_t in_flight, bool is_full,
		     struct reeve_time now, uint32_t rto_ms)
{
	const uint32_t now_ms = ms_of(now);

	if (is_full) {
		c->ops->resume(c, now_ms);
		c->used = 0;
		c->used_ms = now_ms;
		return;
	}
	if (in_flight > c->used)
		c->used = in_flight;
	if (now_ms - c->used_ms < rto_ms)
		return;
	validate(c);
	c->used = in_flight;
	c->used_ms = now_ms;
}

static void reduce(struct tcp_congestion *c, uint32_t in_flight, uint8_t percent)
{
	const uint32_t least = 2 * c->mss;
	const uint32_t threshold = (uint32_t)((uint64_t)in_flight * percent / 100);

	c->ops->reduce(c);
	c->threshold = threshold > least ? threshold : least;
}

void congestion_lost(struct tcp_congestion *c, uint32_t in_flight)
{
	reduce(c, in_flight, c->ops->after_loss);
	c->window = c->threshold;
}

/* RFC 8511, 3: who marks has a short queue, which is soon empty when all senders back off as far as for
 * an overflow. Slow start may have gone twice too far: there it is as a loss. */
void congestion_marked(struct tcp_congestion *c, uint32_t in_flight)
{
	reduce(c, in_flight, congestion_in_slow_start(c) ? c->ops->after_loss : c->ops->after_mark);
	c->window = c->threshold;
}

void congestion_timeout(struct tcp_congestion *c, uint32_t in_flight, bool again)
{
	if (!again)
		reduce(c, in_flight, c->ops->after_loss);
	c->ops->forget(c);
	c->window = c->mss;
}

void congestion_save(struct tcp_congestion *c)
{
	c->saved = (struct congestion_saved){ c->window, c->threshold, c->own };
}

void congestion_restore(struct tcp_congestion *c)
{
	if (c->window < c->saved.window)
		c->window = c->saved.window;
	if (c->threshold < c->saved.threshold)
		c->threshold = c->saved.threshold;
	c->own = c->saved.own;
}

/* RFC 5681, 4.1 wants no more than the initial window after a timeout without sending; RFC 7661 would
 * keep the whole. Half of it for each timeout is what RFC 2861, 3.1 and Linux have. */
void congestion_idle(struct tcp_congestion *c, int64_t idle_ms, uint32_t rto_ms,
		     struct reeve_time now)
{
	const uint32_t initial = congestion_initial_window(c->mss);

	if (idle_ms <= rto_ms || rto_ms == 0)
		return;
	keep_threshold(c);
	for (; idle_ms > rto_ms && c->window > initial; idle_ms -= rto_ms)
		c->window = c->window / 2 > initial ? c->window / 2 : initial;
	c->used = 0;
	c->used_ms = ms_of(now);
}
