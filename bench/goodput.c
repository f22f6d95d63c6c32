/*
 * One stream through an impaired path of 50 Mbit/s, in real time: how much the receiver's program
 * gets. Each end is the kernel's TCP behind a TAP device (which needs root) or a host of libreeve
 * behind a pipe; the path is the same for both, and so is the seed of what it loses.
 *
 *	goodput SENDER RECEIVER LOSS REORDER RTT_MS SEED SECONDS LOSSES
 *
 * SENDER and RECEIVER are "kernel" or "reeve", LOSS and REORDER shares of 100,000 packets. The run
 * lasts SECONDS at least, and until so many of the sender's packets are lost by chance. Losses and
 * reordering begin when the connection is accepted; rate and delay are there from the start. Prints
 * one JSON object.
 */
#include "goodput.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "link/impair.h"
#include "link/pipe.h"
#include "link/tap.h"

#include "machine.h"
#include "measure.h"

#define RATE_BITS   UINT64_C(50000000)
#define FRAME_BITS  (UINT64_C(8) * (GOODPUT_MTU + 14))
#define SHARES      100000.0
#define VECTORS     64
#define PIECE       65536
#define SAMPLES_MAX 4000 /* one a second: no run is longer */
#define CONNECT_S   20

enum { SENDER, RECEIVER };

struct end {
	bool is_kernel;
	struct kernel_end kernel;
	struct machine machine;
	struct link *inner; /* the machine's side of its pipe */
	struct link *link;  /* what the path takes this end's frames from */
};

struct path {
	struct end ends[2];
	struct link *impair; /* round the receiver's link */
	struct progress *progress;
	struct impair_settings settings;
	struct reeve_time from, until; /* `until` is when it may end at the earliest */
	uint64_t losses_wanted;
	uint64_t frames, losses; /* the sender's, since losses began */
	bool begun;
	uint32_t samples;
	uint64_t sample[SAMPLES_MAX]; /* bytes received by the end of each second */
};

static struct path path;

static void need(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "goodput: %s failed\n", what);
		exit(1);
	}
}

static void write_some(struct machine *m)
{
	static const uint8_t piece[PIECE];

	while (reeve_tcp_write(m->connection, piece, PIECE) == PIECE)
		;
}

static void read_some(struct machine *m)
{
	struct iovec iov[VECTORS];
	size_t count;

	while ((count = reeve_tcp_peek(m->connection, iov, VECTORS)) > 0) {
		size_t bytes = 0;

		for (size_t i = 0; i < count; i++)
			bytes += iov[i].iov_len;
		reeve_tcp_consume(m->connection, bytes);
		path.progress->received += bytes;
	}
}

static void handle(struct machine *m, const struct reeve_event *event)
{
	if (event->what & REEVE_READABLE)
		read_some(m);
	if (event->what & (REEVE_CONNECTED | REEVE_WRITABLE) && !m->listener)
		write_some(m);
}

static bool is_kernel(const char *name)
{
	need(strcmp(name, "kernel") == 0 || strcmp(name, "reeve") == 0, "choosing an end");
	return strcmp(name, "kernel") == 0;
}

static void open_end(struct end *e, struct reeve_pool *pool, bool sends)
{
	const struct pipe_config config = { .mtu = GOODPUT_MTU, .queue_packets = MACHINE_QUEUE };
	const uint8_t number = sends ? 1 : 2;

	if (e->is_kernel) {
		kernel_end_start(&e->kernel, number, sends, path.progress);
		const struct tap_config tap = { .fd = e->kernel.tap, .mtu = GOODPUT_MTU };

		e->link = tap_new(&tap, pool);
		need(e->link, "tap_new");
		return;
	}
	need(pipe_new(&config, &e->inner, &e->link) == 0, "pipe_new");
	machine_init(&e->machine, e->inner, pool, number);
	if (!sends)
		machine_listen(&e->machine);
}

static void close_end(struct end *e)
{
	if (e->is_kernel) {
		kernel_end_stop(&e->kernel);
		return;
	}
	machine_deinit(&e->machine);
	link_free(e->inner);
}

static bool is_accepted(void)
{
	return path.progress->accepted || path.ends[RECEIVER].machine.connection;
}

/* The connection is there: from the next packet on some are lost. */
static void begin(struct reeve_time now)
{
	path.begun = true;
	path.samples = 0;
	path.frames = 0;
	path.losses = 0;
	path.from = now;
	path.until = reeve_time_add(now, path.until.ns);
	impair_set(path.impair, &path.settings, now);
}

/* Frames from end to end. True when there was any. */
static bool carry(struct reeve_time now)
{
	struct reeve_packet *p;
	bool any = false;

	for (; (p = link_receive(path.ends[SENDER].link, now)); any = true) {
		struct impair_stats before, after;

		impair_stats(path.impair, &before);
		link_send(path.impair, p, now);
		impair_stats(path.impair, &after);
		path.frames++;
		path.losses += after.lost - before.lost;
	}
	for (; (p = link_receive(path.impair, now)); any = true)
		link_send(path.ends[SENDER].link, p, now);
	return any;
}

static void turn(struct reeve_time now)
{
	bool any = true;

	while (any) {
		any = carry(now);
		for (int i = 0; i < 2; i++) {
			if (!path.ends[i].is_kernel)
				any |= machine_turn(&path.ends[i].machine, now, handle);
		}
		if (!path.begun && is_accepted())
			begin(now);
	}
}

static struct reeve_time next_sample(void)
{
	return reeve_time_add(path.from, (path.samples + INT64_C(1)) * REEVE_NS_PER_S);
}

static void wait_for_something(void)
{
	struct pollfd fds[4];
	struct reeve_time next = reeve_time_min(link_deadline(path.impair), next_sample());
	nfds_t count = 0;

	for (int i = 0; i < 2; i++) {
		const struct end *const e = &path.ends[i];

		if (!e->is_kernel) {
			next = reeve_time_min(next, reeve_host_deadline(e->machine.host));
			continue;
		}
		fds[count++] = (struct pollfd){ .fd = e->kernel.tap, .events = POLLIN };
		fds[count++] = (struct pollfd){ .fd = e->kernel.socket };
	}
	const int64_t left = reeve_time_since(next, machine_clock());
	const struct timespec patience = {
		.tv_sec = left > 0 ? left / REEVE_NS_PER_S : 0,
		.tv_nsec = left > 0 ? left % REEVE_NS_PER_S : 0,
	};

	need(ppoll(fds, count, &patience, NULL) >= 0 || errno == EINTR, "ppoll");
	for (nfds_t i = 1; i < count; i += 2)
		need(!(fds[i].revents & POLLHUP), "the kernel's end");
}

static bool is_done(struct reeve_time now)
{
	return path.samples == SAMPLES_MAX || (path.begun && !reeve_time_before(now, path.until) &&
					       path.losses >= path.losses_wanted);
}

static void run(void)
{
	struct reeve_time now = machine_clock();

	path.from = now;
	while (!is_done(now)) {
		wait_for_something();
		now = machine_clock();
		turn(now);
		if (reeve_time_before(now, next_sample()))
			continue;
		need(path.begun || path.samples < CONNECT_S, "connecting");
		path.sample[path.samples++] = path.progress->received;
	}
}

static void report(char **argv)
{
	struct impair_stats stats;

	impair_stats(path.impair, &stats);
	printf("{\"sender\": \"%s\", \"receiver\": \"%s\", \"seconds\": %u, \"bytes\": %llu, "
	       "\"frames\": %llu, \"losses\": %llu, \"overflows\": %llu, \"reordered\": %llu, "
	       "\"samples\": [",
	       argv[1], argv[2], path.samples, (unsigned long long)path.sample[path.samples - 1],
	       (unsigned long long)path.frames, (unsigned long long)path.losses,
	       (unsigned long long)stats.overflowed, (unsigned long long)stats.reordered);
	for (uint32_t i = 0; i < path.samples; i++)
		printf("%s%llu", i ? ", " : "", (unsigned long long)path.sample[i]);
	printf("]}\n");
}

static void prepare(char **argv)
{
	const uint32_t rtt_ms = measure_number(argv[5]);
	const uint64_t product = RATE_BITS / 1000 * rtt_ms / FRAME_BITS;

	path.progress = mmap(NULL, sizeof(*path.progress), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(path.progress != MAP_FAILED, "mmap");
	/* What is under way counts for the queue, and the delay has half a product under way. */
	path.settings = (struct impair_settings){
		.loss = measure_number(argv[3]) / SHARES,
		.reorder = measure_number(argv[4]) / SHARES,
		.delay_ns = rtt_ms * REEVE_NS_PER_MS / 2,
		.rate_bits = RATE_BITS,
		.queue_packets = (uint32_t)(product + product / 2),
		.seed = measure_number(argv[6]),
	};
	path.until.ns = measure_number(argv[7]) * REEVE_NS_PER_S;
	path.losses_wanted = path.settings.loss > 0 ? measure_number(argv[8]) : 0;
}

static void open_path(struct reeve_pool *pool)
{
	struct impair_settings settings = path.settings;
	struct end *const ends = path.ends;

	open_end(&ends[RECEIVER], pool, false);
	path.impair = impair_new(ends[RECEIVER].link);
	need(path.impair, "impair_new");
	settings.loss = settings.reorder = 0;
	impair_set(path.impair, &settings, machine_clock());
	open_end(&ends[SENDER], pool, true);
	if (ends[SENDER].is_kernel)
		kernel_end_connect(&ends[SENDER].kernel, 2);
	else
		machine_connect(&ends[SENDER].machine, 2);
}

int main(int argc, char **argv)
{
	const struct reeve_pool_config limits = { .max_packets = 100000,
						  .max_buffer_bytes = UINT64_C(256) << 20 };

	if (argc != 9) {
		fprintf(stderr, "usage: goodput SENDER RECEIVER LOSS REORDER RTT_MS SEED SECONDS "
				"LOSSES\n");
		return 64;
	}
	struct reeve_pool *const pool = reeve_pool_new(&limits);

	need(pool, "reeve_pool_new");
	path.ends[SENDER].is_kernel = is_kernel(argv[1]);
	path.ends[RECEIVER].is_kernel = is_kernel(argv[2]);
	if ((path.ends[SENDER].is_kernel || path.ends[RECEIVER].is_kernel) && geteuid() != 0) {
		fprintf(stderr, "goodput: the kernel's end needs root: it makes a network "
				"namespace and a TAP device\n");
		return 77;
	}
	prepare(argv);
	open_path(pool);
	run();
	report(argv);
	close_end(&path.ends[SENDER]);
	close_end(&path.ends[RECEIVER]);
	link_free(path.impair);
	link_free(path.ends[SENDER].link);
	reeve_pool_free(pool);
	return 0;
}
