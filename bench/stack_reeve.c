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

#include "machine.h"

#define VECTORS 64

static const struct kind {
	const char *name;
	uint32_t offloads;
} kinds[] = {
	{ "segments", REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_TCP6 },
	{ "offload", REEVE_OFFLOAD_CHECKSUM },
	{ "packets", 0 },
};

static struct stream stream;

static void need(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "stack_reeve: %s failed\n", what);
		exit(1);
	}
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
	if (event->what & REEVE_READABLE)
		read_some(m);
	if (event->what & (REEVE_CONNECTED | REEVE_WRITABLE) && !m->listener)
		write_some(m);
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
					    .queue_packets = MACHINE_QUEUE };
	const struct reeve_pool_config limits = { .max_packets = 10000,
						  .max_buffer_bytes = UINT64_C(256) << 20 };
	struct reeve_pool *const pool = reeve_pool_new(&limits);
	struct machine server, client;
	struct link *a = NULL, *b = NULL;

	stream_init(&stream, measure_number(argv[2]));
	need(pool && pipe_new(&config, &a, &b) == 0, "the pipe");
	machine_init(&server, a, pool, 1);
	machine_init(&client, b, pool, 2);
	machine_listen(&server);
	machine_connect(&client, 1);
	while (stream_goes_on(&stream)) {
		machine_turn(&client, machine_clock(), handle);
		machine_turn(&server, machine_clock(), handle);
	}
	stream_report(&stream);
	machine_deinit(&client);
	machine_deinit(&server);
	link_free(a);
	link_free(b);
	reeve_pool_free(pool);
	return 0;
}
