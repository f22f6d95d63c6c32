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

void congestion_acked(struct tcp_congestion *c, uint32_t bytes, struct reeve_time now,
		      uint32_t rtt_us)
{
	if (congestion_in_slow_start(c)) {
		const uint32_t room = c->threshold - c->window;
		const uint32_t used = bytes < room ? bytes : room;

		c->window += used;
		bytes -= used;
	}
	if (bytes > 0)
		c->ops->avoid(c, bytes, now, rtt_us);
	if (c->window > CONGESTION_WINDOW_MAX)
		c->window = CONGESTION_WINDOW_MAX;
}

static void reduce(struct tcp_congestion *c, uint32_t in_flight)
{
	const uint32_t least = 2 * c->mss;
	const uint32_t threshold = c->ops->reduce(c, in_flight);

	c->threshold = threshold > least ? threshold : least;
}

void congestion_lost(struct tcp_congestion *c, uint32_t in_flight)
{
	reduce(c, in_flight);
	c->window = c->threshold;
}

void congestion_timeout(struct tcp_congestion *c, uint32_t in_flight, bool again)
{
	if (!again)
		reduce(c, in_flight);
	c->window = c->mss;
}

void congestion_idle(struct tcp_congestion *c)
{
	const uint32_t restart = congestion_initial_window(c->mss);

	if (c->window > restart)
		c->window = restart;
}
