/* Draws everything that will happen from the seed. */
#include <string.h>

#include "base/bytes.h"
#include "sim.h"

#define MS REEVE_NS_PER_MS
#define S  REEVE_NS_PER_S

#define ALL_OFFLOADS (REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_TCP6)

static double fraction(struct random *r, double most)
{
	return most * random_u32(r) / 4294967296.0;
}

static void draw_weather(struct random *r, struct impair_settings *s)
{
	static const double losses[] = { 0, 0, 0, 0.01, 0.05, 0.2 };
	static const int64_t delays[] = { 0, MS, 20 * MS, 250 * MS };
	static const uint64_t rates[] = { 0, 0, 1000000000, 100000000, 10000000, 1000000, 128000 };

	*s = (struct impair_settings){
		.loss = fraction(r, losses[random_below(r, 6)]),
		.reorder = sim_chance(r, 0.3) ? fraction(r, 0.2) : 0,
		.duplicate = sim_chance(r, 0.3) ? fraction(r, 0.1) : 0,
		.corrupt = sim_chance(r, 0.3) ? fraction(r, 0.05) : 0,
		.delay_ns = sim_time(r, delays[random_below(r, 4)]),
		.rate_bits = rates[random_below(r, 7)],
		.queue_packets = sim_between(r, 10, sim_chance(r, 0.3) ? 20 : 1000),
		.seed = random_u64(r),
	};
	if (sim_chance(r, 0.4))
		s->jitter_ns = sim_time(r, s->delay_ns / 2);
}

/* Fair or foul from the start, now and then a change, and the link goes down and comes back. */
static void draw_weathers(struct random *r, struct scenario *s)
{
	int64_t at = 0;

	s->weather_count = 1;
	draw_weather(r, &s->weather[0].settings);
	if (sim_chance(r, 0.1))
		s->weather[0].settings = (struct impair_settings){ .queue_packets = 1000 };
	while (s->weather_count + 2 <= SIM_WEATHER && sim_chance(r, 0.25)) {
		struct weather *w = &s->weather[s->weather_count++];

		at += sim_time(r, (int64_t)sim_size(r, 20 * S));
		*w = (struct weather){ .from_ns = at, .settings = s->weather[0].settings };
		w->settings.seed = random_u64(r);
		if (sim_chance(r, 0.4)) {
			draw_weather(r, &w->settings);
			continue;
		}
		w->settings.down = true;
		at += sim_time(r, sim_chance(r, 0.2) ? 400 * S : 4 * S);
		w = &s->weather[s->weather_count++];
		*w = (struct weather){ .from_ns = at, .settings = s->weather[0].settings };
		w->settings.seed = random_u64(r);
	}
}

static void judge_weather(struct scenario *s)
{
	s->clear = true;
	s->gentle = true;
	for (unsigned i = 0; i < s->weather_count; i++) {
		const struct weather *w = &s->weather[i];
		const double bad = w->settings.loss + w->settings.corrupt;

		if (bad > 0 || w->settings.down)
			s->clear = false;
		if (bad > 0.05)
			s->gentle = false;
		if (w->settings.down && w[1].from_ns - w->from_ns > 4 * S)
			s->gentle = false;
	}
}

/* As much as the worst weather carries in a reasonable time. */
static uint64_t most_bytes(const struct scenario *s)
{
	uint64_t most = 2000000;

	for (unsigned i = 0; i < s->weather_count; i++) {
		const struct impair_settings *w = &s->weather[i].settings;

		if (w->loss + w->corrupt > 0.08 && most > 20000)
			most = 20000;
		if (w->loss + w->corrupt > 0.02 && most > 200000)
			most = 200000;
		if (w->rate_bits && w->rate_bits < 2000000 && most > 60000)
			most = 60000;
	}
	return most;
}

static uint64_t draw_bytes(struct random *r, uint64_t most)
{
	if (sim_chance(r, 0.15))
		return 0;
	return sim_chance(r, 0.6) ? sim_size(r, most) : random_u64(r) % most;
}

static void draw_side(struct random *r, struct side_plan *p, uint64_t most)
{
	*p = (struct side_plan){
		.bytes = draw_bytes(r, most),
		.write_size = 1 + (uint32_t)sim_size(r, 70000),
		.read_size = 1 + (uint32_t)sim_size(r, 70000),
		.without_copy = sim_chance(r, 0.5),
		.no_delay = sim_chance(r, 0.5),
		.quick_ack = sim_chance(r, 0.2),
		.keepalive = sim_chance(r, 0.3),
		.congestion = sim_chance(r, 0.5) ? REEVE_CUBIC : REEVE_RENO,
	};
	/* Byte by byte, but not for ever. */
	if (p->bytes / p->write_size > 3000)
		p->write_size = (uint32_t)(p->bytes / 3000);
	if (sim_chance(r, 0.2) && p->bytes / p->write_size < 100)
		p->write_gap_ns = sim_time(r, 300 * MS);
	p->cork = sim_chance(r, 0.1);
	p->urgent = sim_chance(r, 0.1);
	if (sim_chance(r, 0.1))
		p->max_segment = sim_between(r, 88, 1500);
	if (sim_chance(r, 0.15)) {
		p->rebuffer_at = random_u64(r) % (p->bytes + 1);
		p->rebuffer_to = 2048 + (uint32_t)sim_size(r, 1000000);
	}
	if (sim_chance(r, 0.5))
		p->send_buffer = 2048 + (uint32_t)sim_size(r, 1000000);
	if (sim_chance(r, 0.5))
		p->receive_buffer = 2048 + (uint32_t)sim_size(r, 1000000);
}

static void draw_reading(struct random *r, struct side_plan *p, uint64_t peer_bytes)
{
	if (peer_bytes / p->read_size > 3000)
		p->read_size = (uint32_t)(peer_bytes / 3000);
	if (sim_chance(r, 0.2) && peer_bytes / p->read_size < 100)
		p->read_gap_ns = sim_time(r, 300 * MS);
	if (peer_bytes && sim_chance(r, 0.25)) {
		p->stall_at = random_u64(r) % peer_bytes;
		p->stall_ns = sim_time(r, sim_chance(r, 0.2) ? 200 * S : 3 * S);
	}
}

static void draw_ending(struct random *r, struct connection_plan *c)
{
	const unsigned second = random_below(r, 2);

	if (sim_chance(r, 0.5))
		c->sides[second].ending = END_SECOND;
	for (unsigned i = 0; i < 2; i++) {
		struct side_plan *p = &c->sides[i];

		if (c->sides[!i].bytes == 0 && sim_chance(r, 0.5))
			p->ending = END_AT_ONCE;
		if (sim_chance(r, 0.04)) {
			p->rude = sim_chance(r, 0.5) ? RUDE_ABORT : RUDE_CLOSE;
			p->rude_at = random_u64(r) % (c->sides[0].bytes + c->sides[1].bytes + 1);
		}
	}
}

static void draw_connection(struct random *r, struct connection_plan *c, uint64_t most)
{
	*c = (struct connection_plan){
		.client = random_below(r, SIM_HOSTS),
		.loopback = sim_chance(r, 0.15),
		.listener = random_below(r, SIM_LISTENERS),
		.bind_first = sim_chance(r, 0.2),
		.start_ns = sim_chance(r, 0.5) ? 0 : sim_time(r, 10 * S),
	};
	c->server = c->loopback ? c->client : !c->client;
	if (c->loopback && c->listener == 1)
		c->ipv6 = sim_chance(r, 0.7);
	if (sim_chance(r, 0.05)) {
		c->simultaneous = true;
		c->ipv6 = false;
		c->other_start_ns = c->start_ns + sim_time(r, 50 * MS);
	}
	draw_side(r, &c->sides[0], most);
	draw_side(r, &c->sides[1], most);
	draw_reading(r, &c->sides[0], c->sides[1].bytes);
	draw_reading(r, &c->sides[1], c->sides[0].bytes);
	draw_ending(r, c);
	/* Who has closed does not wait for ever for a reader that sleeps. */
	if (c->sides[0].stall_ns > 10 * S || c->sides[1].stall_ns > 10 * S) {
		c->sides[0].linger_s = 1000;
		c->sides[1].linger_s = 1000;
	}
}

static void draw_datagrams(struct random *r, struct datagram_plan *d)
{
	*d = (struct datagram_plan){
		.from = random_below(r, SIM_HOSTS),
		.to = random_below(r, SIM_HOSTS),
		.count = 1 + random_below(r, 30),
		.most_bytes = 16 + (uint32_t)sim_size(r, 9000),
		.start_ns = sim_time(r, 5 * S),
		.gap_ns = sim_time(r, 500 * MS),
	};
}

void scenario_draw(struct scenario *s, uint64_t seed)
{
	static const uint32_t mtus[] = { 1500, 1500, 1500, 576, 1280, 9000, 65535 };
	uint8_t bytes[32] = { 's', 'i', 'm' };
	struct random r;

	store_be32(bytes + 8, (uint32_t)(seed >> 32));
	store_be32(bytes + 12, (uint32_t)seed);
	random_init(&r, bytes);
	memset(s, 0, sizeof(*s));
	s->seed = seed;
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		s->mtu[i] = i == 0 || sim_chance(&r, 0.15) ? mtus[random_below(&r, 7)] : s->mtu[0];
		s->offloads[i] = sim_chance(&r, 0.5) ? ALL_OFFLOADS : 0;
	}
	s->trust = sim_chance(&r, 0.2);
	s->lateness_ns = sim_chance(&r, 0.3) ? sim_time(&r, 10 * MS) : 0;
	s->backlog = sim_chance(&r, 0.3) ? sim_between(&r, 1, 4) : 128;
	s->max_sockets = 1000;
	s->pool_packets = 200000;
	s->pool_bytes = UINT64_C(256) << 20;
	if (sim_chance(&r, 0.06)) {
		s->scarce = true;
		s->max_sockets = sim_between(&r, 8, 30);
		s->pool_packets = sim_between(&r, 200, 5000);
		s->pool_bytes = sim_between(&r, 200000, 4000000);
	}
	if (sim_chance(&r, 0.05))
		s->listener_closes_ns = 1 + sim_time(&r, 10 * S);
	draw_weathers(&r, s);
	judge_weather(s);
	s->connection_count = sim_between(&r, 1, sim_chance(&r, 0.1) ? SIM_CONNECTIONS : 6);
	for (unsigned i = 0; i < s->connection_count; i++)
		draw_connection(&r, &s->connections[i],
				most_bytes(s) / (1 + s->connection_count / 8));
	if (sim_chance(&r, 0.3))
		s->datagram_count = sim_between(&r, 1, SIM_DATAGRAMS);
	for (unsigned i = 0; i < s->datagram_count; i++)
		draw_datagrams(&r, &s->datagrams[i]);
}

static void print_side(const struct side_plan *p, const char *name, FILE *out)
{
	fprintf(out,
		"#     %s: %llu bytes, write %u every %lld us, read %u every %lld us, stall at "
		"%llu "
		"for %lld ms, rude %d at %llu, ending %d, buffers %u %u%s%s%s%s%s\n",
		name, (unsigned long long)p->bytes, p->write_size,
		(long long)p->write_gap_ns / 1000, p->read_size, (long long)p->read_gap_ns / 1000,
		(unsigned long long)p->stall_at, (long long)(p->stall_ns / MS), p->rude,
		(unsigned long long)p->rude_at, p->ending, p->send_buffer, p->receive_buffer,
		p->without_copy ? ", without copy" : "", p->no_delay ? ", no delay" : "",
		p->quick_ack ? ", quick ack" : "", p->keepalive ? ", keepalive" : "",
		p->congestion == REEVE_RENO ? ", reno" : "");
	if (p->cork || p->urgent || p->max_segment || p->rebuffer_to)
		fprintf(out, "#       segments %u, at %llu buffers %u%s%s\n", p->max_segment,
			(unsigned long long)p->rebuffer_at, p->rebuffer_to, p->cork ? ", cork" : "",
			p->urgent ? ", urgent" : "");
}

void scenario_plain(struct scenario *s, uint32_t backlog)
{
	memset(s, 0, sizeof(*s));
	s->seed = 1;
	s->backlog = backlog;
	s->max_sockets = 100;
	s->pool_packets = 100000;
	s->pool_bytes = UINT64_C(512) << 20;
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		s->mtu[i] = 1500;
		s->offloads[i] = REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4;
	}
	s->weather_count = 1;
}

void scenario_print(const struct scenario *s, FILE *out)
{
	fprintf(out, "# seed %llu: mtu %u %u, offloads %u %u, late %lld us, backlog %u%s%s%s\n",
		(unsigned long long)s->seed, s->mtu[0], s->mtu[1], s->offloads[0], s->offloads[1],
		(long long)s->lateness_ns / 1000, s->backlog, s->trust ? ", trust" : "",
		s->clear ? ", clear" : "", s->gentle ? ", gentle" : "");
	if (s->scarce)
		fprintf(out, "#   %u sockets, %u packets, %llu bytes of buffers\n", s->max_sockets,
			s->pool_packets, (unsigned long long)s->pool_bytes);
	if (s->listener_closes_ns)
		fprintf(out, "#   listener 0 of host 0 closes at %.3f s\n",
			(double)s->listener_closes_ns / 1e9);
	for (unsigned i = 0; i < s->weather_count; i++) {
		const struct weather *w = &s->weather[i];

		fprintf(out,
			"#   weather from %.3f s: loss %.3f reorder %.3f duplicate %.3f corrupt "
			"%.3f, delay %lld us jitter %lld us, %llu bit/s, queue %u%s\n",
			(double)w->from_ns / 1e9, w->settings.loss, w->settings.reorder,
			w->settings.duplicate, w->settings.corrupt,
			(long long)w->settings.delay_ns / 1000,
			(long long)w->settings.jitter_ns / 1000,
			(unsigned long long)w->settings.rate_bits, w->settings.queue_packets,
			w->settings.down ? ", down" : "");
	}
	for (unsigned i = 0; i < s->connection_count; i++) {
		const struct connection_plan *c = &s->connections[i];

		fprintf(out, "#   connection %u: host %u to %u at %.3f s, listener %u%s%s%s%s\n", i,
			c->client, c->server, (double)c->start_ns / 1e9, c->listener,
			c->loopback ? ", loopback" : "", c->ipv6 ? ", ipv6" : "",
			c->bind_first ? ", bound" : "", c->simultaneous ? ", simultaneous" : "");
		print_side(&c->sides[0], "client", out);
		print_side(&c->sides[1], "server", out);
	}
	for (unsigned i = 0; i < s->datagram_count; i++) {
		const struct datagram_plan *d = &s->datagrams[i];

		fprintf(out, "#   datagrams %u: host %u to %u, %u up to %u bytes, every %lld ms\n",
			i, d->from, d->to, d->count, d->most_bytes, (long long)d->gap_ns / MS);
	}
}
