/*
 * Two hosts of libreeve, joined by a pipe in one thread: how much one core moves from one to the
 * other, the work of both together.
 *
 *	stack_reeve segments|offload|packets MEGABYTES
 *
 * segments: the pipe takes up to 64 KiB and no checksums, as between hosts of one network. offload:
 * packets of 1,500 bytes without checksums. packets: of 1,500 bytes with checksums, made and
 * verified.
 */
#include "stack.h"

#include "link/pipe.h"
#include "reeve/reeve.h"

#define QUEUE_PACKETS 1000
#define VECTORS       64

static const struct kind {
	const char *name;
	uint32_t offloads;
} kinds[] = {
	{ "segments", REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_TCP6 },
	{ "offload", REEVE_OFFLOAD_CHECKSUM },
	{ "packets", 0 },
};

struct machine {
	struct reeve_host *host;
	unsigned iface;
	struct link *link;
	struct reeve_tcp *listener, *connection;
};

static struct stream stream;

static struct reeve_time now(void)
{
	return (struct reeve_time){ (int64_t)measure_now_ns() };
}

static void need(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "stack_reeve: %s failed\n", what);
		exit(1);
	}
}

static void start(struct machine *m, struct reeve_pool *pool, uint8_t number)
{
	const struct reeve_host_config config = { .pool = pool,
						  .seed = { number },
						  .max_sockets = 100 };
	const struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, number },
		.mtu = 1500,
		.offloads = m->link->offloads,
		.queue_packets = QUEUE_PACKETS,
	};
	const struct reeve_prefix address = { reeve_address_from_ipv4(0xc6120000u + number), 16 };

	m->host = reeve_host_new(&config, now());
	need(m->host, "reeve_host_new");
	need(reeve_host_add_iface(m->host, &iface, &m->iface) == 0, "reeve_host_add_iface");
	need(reeve_host_add_address(m->host, m->iface, &address) == 0, "reeve_host_add_address");
}

static void write_some(struct machine *m)
{
	for (;;) {
		size_t length;
		const uint8_t *const piece = stream_piece(&stream, &length);
		const int64_t written = reeve_tcp_write(m->connection, piece, length);

		need(written >= 0, "reeve_tcp_write");
		stream.written += (uint64_t)written;
		if ((size_t)written < length)
			return;
	}
}

static void read_some(struct machine *m)
{
	struct iovec iov[VECTORS];
	size_t count;

	while ((count = reeve_tcp_peek(m->connection, iov, VECTORS)) > 0) {
		size_t bytes = 0;

		for (size_t i = 0; i < count; i++) {
			stream_take(&stream, iov[i].iov_base, iov[i].iov_len);
			bytes += iov[i].iov_len;
		}
		reeve_tcp_consume(m->connection, bytes);
	}
}

static void handle(struct machine *m, const struct reeve_event *event)
{
	need(!(event->what & (REEVE_FAILED | REEVE_CLOSED)), "the connection");
	if (event->what & REEVE_ACCEPTABLE)
		m->connection = reeve_tcp_accept(m->listener, NULL);
	if (event->what & REEVE_READABLE)
		read_some(m);
	if (event->what & (REEVE_CONNECTED | REEVE_WRITABLE) && !m->listener)
		write_some(m);
}

/* All that a host has to say and to hear at this time. */
static void turn(struct machine *m)
{
	const struct reeve_time at = now();
	struct reeve_event event;
	struct reeve_packet *p;
	unsigned iface;

	if (!reeve_time_before(at, reeve_host_deadline(m->host)))
		reeve_host_tick(m->host, at);
	while ((p = link_receive(m->link, at)))
		reeve_host_input(m->host, m->iface, p, at);
	while (reeve_host_next_event(m->host, &event))
		handle(m, &event);
	while ((p = reeve_host_output(m->host, at, &iface)))
		link_send(m->link, p, at);
}

static const struct kind *kind_named(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct kind *const kind = argc == 3 ? kind_named(argv[1]) : NULL;

	if (!kind) {
		fprintf(stderr, "usage: stack_reeve segments|offload|packets MEGABYTES\n");
		return 64;
	}
	const struct pipe_config config = { .mtu = 1500,
					    .offloads = kind->offloads,
					    .queue_packets = QUEUE_PACKETS };
	const struct reeve_pool_config limits = { .max_packets = 10000,
						  .max_buffer_bytes = UINT64_C(256) << 20 };
	const struct reeve_sockaddr any = { .address = reeve_any_ipv4, .port = 80 };
	const struct reeve_sockaddr web = { .address = reeve_address_from_ipv4(0xc6120001u),
					    .port = 80 };
	struct reeve_pool *const pool = reeve_pool_new(&limits);
	struct machine server = { 0 }, client = { 0 };

	stream_init(&stream, measure_number(argv[2]));
	need(pool && pipe_new(&config, &server.link, &client.link) == 0, "the pipe");
	start(&server, pool, 1);
	start(&client, pool, 2);
	server.listener = reeve_tcp_new(server.host, REEVE_IPV4, NULL);
	need(reeve_tcp_bind(server.listener, &any) == 0, "reeve_tcp_bind");
	need(reeve_tcp_listen(server.listener, 1) == 0, "reeve_tcp_listen");
	client.connection = reeve_tcp_new(client.host, REEVE_IPV4, NULL);
	need(reeve_tcp_connect(client.connection, &web, now()) == 0, "reeve_tcp_connect");
	while (stream_goes_on(&stream)) {
		turn(&client);
		turn(&server);
	}
	stream_report(&stream);
	reeve_host_free(client.host);
	reeve_host_free(server.host);
	link_free(client.link);
	link_free(server.link);
	reeve_pool_free(pool);
	return 0;
}
