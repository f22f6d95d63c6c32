#include "network/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "link/capture.h"
#include "network/host.h"
#include "network/log.h"

#define BUFFER_BYTES   (32u << 20)
#define MAX_RECORDINGS 64

struct recording {
	struct network *network;
	struct network_host *host; /* NULL: all */
	struct capture *capture;
	int fd;
	bool is_file; /* epoll does not take it, and it never makes anyone wait */
	bool blocked; /* until the source says that there is room */
	struct loop_source source;
	struct list node;
	recording_ended_function *ended;
	void *user;
};

static struct recording *recording_at(struct list *node)
{
	return list_entry(node, struct recording, node);
}

/* False when nobody reads any more. */
static bool write_out(struct recording *r)
{
	const void *bytes;
	size_t length;

	while (!r->blocked && (length = capture_peek(r->capture, &bytes)) > 0) {
		const ssize_t n = write(r->fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			r->blocked = true;
			loop_change(r->network->loop, &r->source, EPOLLOUT);
			break;
		}
		if (n < 0)
			return false;
		capture_consume(r->capture, (size_t)n);
	}
	return true;
}

static void end(struct recording *r)
{
	recording_ended_function *ended = r->ended;
	void *user = r->user;

	recording_free(r);
	if (ended)
		ended(user);
}

static void recording_ready(struct loop_source *source, uint32_t events)
{
	struct recording *r = container_of(source, struct recording, source);

	r->blocked = false;
	loop_change(r->network->loop, source, 0);
	if ((events & (EPOLLERR | EPOLLHUP)) || !write_out(r))
		end(r);
}

/* What a capture may be written to: a pipe, a socket, a file that is open for writing. */
static int prepare_fd(int fd, bool *ret_is_file)
{
	const int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((flags & O_ACCMODE) == O_RDONLY || S_ISDIR(st.st_mode))
		return -EINVAL;
	*ret_is_file = S_ISREG(st.st_mode);
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static unsigned count(const struct network *n)
{
	unsigned recordings = 0;

	list_for_each(node, &n->recordings)
		recordings++;
	return recordings;
}

/* All or nothing: a host without room for one more capture refuses the whole. */
static bool attach_all(struct recording *r)
{
	struct network_host *host = r->host ? r->host : host_first(r->network);

	for (; host; host = r->host ? NULL : host_next(host)) {
		if (!capture_attach(host->capture, r->capture))
			return false;
	}
	return true;
}

static void detach_all(struct recording *r)
{
	struct network_host *host = r->host ? r->host : host_first(r->network);

	for (; host; host = r->host ? NULL : host_next(host))
		capture_detach(host->capture, r->capture, network_now(r->network));
}

int recording_new(struct network *n, struct network_host *host, int fd_take, struct recording **ret)
{
	const struct capture_config config = { .buffer_bytes = BUFFER_BYTES };
	struct recording *r = calloc(1, sizeof(*r));
	struct timespec wall;
	int error;

	if (!r) {
		close(fd_take);
		return -ENOMEM;
	}
	r->network = n;
	r->host = host;
	r->fd = fd_take;
	list_init(&r->node);
	loop_source_init(&r->source, recording_ready);
	error = count(n) < MAX_RECORDINGS ? prepare_fd(r->fd, &r->is_file) : -ENOSPC;
	if (error < 0)
		goto failed;
	clock_gettime(CLOCK_REALTIME, &wall);
	r->capture =
		capture_new(&config, network_now(n), wall.tv_sec * REEVE_NS_PER_S + wall.tv_nsec);
	error = !r->capture ? -ENOMEM : attach_all(r) ? 0 : -ENOSPC;
	if (error == 0 && !r->is_file)
		error = loop_add(n->loop, &r->source, r->fd, 0);
	if (error < 0)
		goto failed;
	list_append(&n->recordings, &r->node);
	*ret = r;
	return 0;
failed:
	recording_free(r);
	return error;
}

void recording_on_end(struct recording *r, recording_ended_function *ended, void *user)
{
	r->ended = ended;
	r->user = user;
}

struct recording *recording_free(struct recording *r)
{
	if (!r)
		return NULL;
	if (r->capture) {
		detach_all(r);
		r->blocked = r->source.fd < 0 && !r->is_file;
		write_out(r);
		capture_free(r->capture);
	}
	loop_remove(r->network->loop, &r->source);
	list_remove(&r->node);
	close(r->fd);
	free(r);
	return NULL;
}

const char *recording_interface(const struct recording *r, unsigned index)
{
	const struct network_host *host = r->host ? r->host : host_first(r->network);

	while (host && index--)
		host = r->host ? NULL : host_next(host);
	return host ? host->name : NULL;
}

void recording_host_added(struct network_host *host)
{
	list_for_each(node, &host->station.network->recordings) {
		struct recording *r = recording_at(node);

		if (!r->host && !capture_attach(host->capture, r->capture))
			log_line("host '%s' has no room for another capture", host->name);
	}
}

void recording_host_removed(struct network_host *host)
{
	struct network *n = host->station.network;

	list_for_each_safe(node, &n->recordings) {
		struct recording *r = recording_at(node);

		if (r->host && r->host != host)
			continue;
		if (r->host)
			end(r);
		else
			capture_detach(host->capture, r->capture, network_now(n));
	}
}

void recording_flush(struct network *n)
{
	list_for_each_safe(node, &n->recordings) {
		struct recording *r = recording_at(node);

		if (!write_out(r))
			end(r);
	}
}
