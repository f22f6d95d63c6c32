/*
 * What it costs Reeve to choose a port and to find a flow.
 *
 *	ports_reeve choose FIRST LAST SAMPLES		by how many ports are taken
 *	ports_reeve demux SAMPLES			by how many flows there are
 *
 * connect: port_space_connect(), that is the choice, the reservation and the flow's entry in the
 * demux, with all taken ports connected to the same destination. bind: port_space_bind() to port 0
 * and the choice that getsockname() asks for, with all taken ports bound.
 */
#include <string.h>

#include "base/random.h"
#include "port/demux.h"
#include "port/space.h"

#include "measure.h"

static const uint8_t seed[32] = "a seed for measuring only";
static const struct reeve_time now = { REEVE_NS_PER_S };

struct socket {
	struct port_reservation reservation;
	struct port_flow flow;
};

struct ports {
	struct port_space *space;
	struct port_demux *demux;
	struct reeve_address local, remote;
};

static void *need(void *pointer)
{
	if (!pointer) {
		fprintf(stderr, "ports_reeve: out of memory\n");
		exit(1);
	}
	return pointer;
}

static void need_done(int result)
{
	if (result) {
		fprintf(stderr, "ports_reeve: %s\n", strerror(-result));
		exit(1);
	}
}

static struct port_demux *new_demux(uint32_t flows)
{
	const struct port_demux_config config = { .key = { 1, 2 },
						  .max_flows = flows,
						  .max_listeners = 1 };

	return need(port_demux_new(&config));
}

static void ports_init(struct ports *p, uint16_t first, uint16_t last)
{
	struct port_space_config config = { .protocol = PORT_TCP,
					    .ephemeral_first = first,
					    .ephemeral_last = last };

	memcpy(config.seed, seed, sizeof(seed));
	p->space = need(port_space_new(&config));
	p->demux = new_demux(1u << 17);
	p->local = reeve_address_from_ipv4(0xc6120002);
	p->remote = reeve_address_from_ipv4(0xc6120003);
}

static void ports_deinit(struct ports *p)
{
	port_space_free(p->space);
	port_demux_free(p->demux);
}

static void open_connected(struct ports *p, struct socket *s)
{
	struct port_wait *replaced;

	port_reservation_init(&s->reservation, false);
	s->flow = (struct port_flow){ .local_address = p->local,
				      .remote_address = p->remote,
				      .remote_port = 80 };
	need_done(
		port_space_connect(p->space, &s->reservation, p->demux, &s->flow, now, &replaced));
}

static void open_bound(struct ports *p, struct socket *s)
{
	port_reservation_init(&s->reservation, false);
	need_done(port_space_bind(p->space, &s->reservation, &p->local, 0));
	need_done(port_space_settle(p->space, &s->reservation));
}

static void close_socket(struct ports *p, struct socket *s)
{
	if (s->reservation.state == PORT_CONNECTED)
		port_demux_remove_flow(p->demux, &s->flow);
	port_space_release(p->space, &s->reservation);
}

static void measure_choices(const char *name, uint16_t first, uint16_t last, size_t samples,
			    void (*open)(struct ports *p, struct socket *s))
{
	const uint32_t range = (uint32_t)(last - first) + 1;
	struct socket *const taken = need(calloc(range, sizeof(*taken)));
	uint64_t *const ns = need(calloc(samples, sizeof(*ns)));
	struct ports p;
	uint32_t count = 0;

	ports_init(&p, first, last);
	for (size_t l = 0; l < sizeof(measure_levels) / sizeof(measure_levels[0]); l++) {
		while (count < measure_taken(&measure_levels[l], range))
			open(&p, &taken[count++]);
		for (size_t i = 0; i < samples; i++) {
			struct socket s;
			const uint64_t from = measure_now_ns();

			open(&p, &s);
			ns[i] = measure_now_ns() - from;
			close_socket(&p, &s);
		}
		measure_report(name, measure_levels[l].name, ns, samples);
	}
	while (count > 0)
		close_socket(&p, &taken[--count]);
	ports_deinit(&p);
	free(taken);
	free(ns);
}

static struct reeve_sockaddr nth_remote(uint32_t n)
{
	return (struct reeve_sockaddr){ .address = reeve_address_from_ipv4(0xc6120000 + n / 50000),
					.port = (uint16_t)(1024 + n % 50000) };
}

static void measure_demux(const char *name, uint32_t flows, size_t samples)
{
	struct port_flow *const flow = need(calloc(flows, sizeof(*flow)));
	struct port_demux *const demux = new_demux(flows);
	struct random random;
	struct reeve_sockaddr local = { .address = reeve_address_from_ipv4(0xc6330001),
					.port = 80 };
	uint64_t found = 0;

	for (uint32_t i = 0; i < flows; i++) {
		const struct reeve_sockaddr remote = nth_remote(i);

		flow[i] = (struct port_flow){ .local_address = local.address,
					      .local_port = local.port,
					      .remote_address = remote.address,
					      .remote_port = remote.port };
		need_done(port_demux_add_flow(demux, &flow[i]));
	}
	random_init(&random, seed);
	const uint64_t from = measure_now_ns();

	for (size_t i = 0; i < samples; i++) {
		const struct reeve_sockaddr remote = nth_remote(random_below(&random, flows));

		found += port_demux_find_flow(demux, &local, &remote) != NULL;
	}
	const double mean = (double)(measure_now_ns() - from) / (double)samples;

	if (found != samples)
		fprintf(stderr, "ports_reeve: a flow was not found\n");
	printf("demux\t%s\tmean\t%.1f\n", name, mean);
	for (uint32_t i = 0; i < flows; i++)
		port_demux_remove_flow(demux, &flow[i]);
	port_demux_free(demux);
	free(flow);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "choose") == 0) {
		const uint16_t first = (uint16_t)measure_number(argv[2]),
			       last = (uint16_t)measure_number(argv[3]);
		const size_t samples = measure_number(argv[4]);

		measure_choices("connect", first, last, samples, open_connected);
		measure_choices("bind(0)", first, last, samples, open_bound);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "demux") == 0) {
		const size_t samples = measure_number(argv[2]);

		measure_demux("1", 1, samples);
		measure_demux("1,000", 1000, samples);
		measure_demux("100,000", 100000, samples);
		measure_demux("1,000,000", 1000000, samples);
		return 0;
	}
	fprintf(stderr, "usage: ports_reeve choose FIRST LAST SAMPLES | demux SAMPLES\n");
	return 64;
}
