#include "machine.h"

#include "base/packet.h"

#include "measure.h"

#define PACKETS_A_STEP 64 /* as the network process does */

static void need(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "%s failed\n", what);
		exit(1);
	}
}

struct reeve_time machine_clock(void)
{
	return (struct reeve_time){ (int64_t)measure_now_ns() };
}

static struct reeve_address address_of(uint8_t number)
{
	return reeve_address_from_ipv4(0xc6120000u + number);
}

void machine_init(struct machine *m, struct link *link, struct reeve_pool *pool, uint8_t number)
{
	const struct reeve_host_config config = { .pool = pool,
						  .seed = { number },
						  .max_sockets = 100 };
	const struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, number },
		.mtu = link->mtu,
		.offloads = link->offloads,
		.queue_packets = MACHINE_QUEUE,
	};
	const struct reeve_prefix address = { address_of(number), 16 };

	*m = (struct machine){ .link = link, .host = reeve_host_new(&config, machine_clock()) };
	need(m->host, "reeve_host_new");
	need(reeve_host_add_iface(m->host, &iface, &m->iface) == 0, "reeve_host_add_iface");
	need(reeve_host_add_address(m->host, m->iface, &address) == 0, "reeve_host_add_address");
}

void machine_deinit(struct machine *m)
{
	m->host = reeve_host_free(m->host);
}

void machine_listen(struct machine *m)
{
	const struct reeve_sockaddr any = { .address = reeve_any_ipv4, .port = MACHINE_PORT };

	m->listener = reeve_tcp_new(m->host, REEVE_IPV4, NULL);
	need(m->listener, "reeve_tcp_new");
	need(reeve_tcp_bind(m->listener, &any) == 0, "reeve_tcp_bind");
	need(reeve_tcp_listen(m->listener, 1) == 0, "reeve_tcp_listen");
}

void machine_connect(struct machine *m, uint8_t number)
{
	const struct reeve_sockaddr to = { .address = address_of(number), .port = MACHINE_PORT };

	m->connection = reeve_tcp_new(m->host, REEVE_IPV4, NULL);
	need(m->connection, "reeve_tcp_new");
	need(reeve_tcp_set(m->connection, REEVE_TCP_CONGESTION_CONTROL, REEVE_CUBIC) == 0,
	     "choosing CUBIC");
	need(reeve_tcp_connect(m->connection, &to, machine_clock()) == 0, "reeve_tcp_connect");
}

bool machine_turn(struct machine *m, struct reeve_time now,
		  void (*handle)(struct machine *m, const struct reeve_event *event))
{
	struct reeve_event event;
	struct reeve_packet *in[PACKETS_A_STEP], *p;
	unsigned iface, n = 0;
	bool any = false;

	if (!reeve_time_before(now, reeve_host_deadline(m->host)))
		reeve_host_tick(m->host, now);
	for (; n < PACKETS_A_STEP && (in[n] = link_receive(m->link, now)); n++) {
		/* Its sender cannot vouch for what a wire has carried. */
		if (!(m->link->offloads & REEVE_OFFLOAD_CHECKSUM))
			in[n]->offload.checksum = REEVE_CHECKSUM_UNKNOWN;
	}
	reeve_host_input_many(m->host, m->iface, in, n, now);
	any |= n > 0;
	for (; reeve_host_next_event(m->host, &event); any = true) {
		need(!(event.what & (REEVE_FAILED | REEVE_CLOSED)), "the connection");
		if (event.what & REEVE_ACCEPTABLE)
			m->connection = reeve_tcp_accept(m->listener, NULL);
		else
			handle(m, &event);
	}
	for (n = 0; n < PACKETS_A_STEP && (p = reeve_host_output(m->host, now, &iface)); n++)
		link_send(m->link, p, now);
	return any || n > 0;
}
