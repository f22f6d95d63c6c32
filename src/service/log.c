#include "service/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES 65536

void service_log_init(struct service_log *l)
{
	*l = (struct service_log){ .fd = -1, .in = -1, .out = -1 };
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What a pipe holds; more is written by one that goes on writing. */
static void drain(struct service_log *l)
{
	for (int i = 0; i < 4 && service_log_take(l); i++)
		;
}

void service_log_deinit(struct service_log *l)
{
	/* What programs wrote last is still in the pipe. */
	drain(l);
	close_one(&l->fd);
	close_one(&l->in);
	close_one(&l->out);
	free(l->path);
	l->path = NULL;
}

int service_log_open_pipe(struct service_log *l)
{
	int ends[2];

	if (l->in >= 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* Our end alone: programs expect a pipe that waits. */
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	l->in = ends[0];
	l->out = ends[1];
	return 0;
}

/* What is no file, a FIFO or a device, must not keep the manager waiting. */
static bool open_file(struct service_log *l)
{
	struct stat st;

	if (l->fd >= 0)
		return true;
	if (!l->path)
		return false;
	l->fd = open(l->path,
		     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
		     0600);
	l->error = l->fd < 0 ? errno : l->error;
	l->is_file = l->fd >= 0 && fstat(l->fd, &st) == 0 && S_ISREG(st.st_mode);
	l->bytes = l->is_file ? st.st_size : 0;
	return l->fd >= 0;
}

static void turn_over(struct service_log *l)
{
	char *old = NULL;

	close_one(&l->fd);
	if (asprintf(&old, "%s.1", l->path) >= 0) {
		/* A file that cannot be moved away is begun anew all the same. */
		if (rename(l->path, old) < 0)
			(void)!truncate(l->path, 0);
		free(old);
	}
	l->bytes = 0;
}

/* What a line of the manager's own begins with. Its length. */
static size_t format_head(char *line, size_t size)
{
	const time_t now = time(NULL);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return (size_t)snprintf(line, size, "%s reeve: ", when);
}

/* How much was not written. */
static size_t put_once(struct service_log *l, const char *text, size_t length)
{
	if (!open_file(l))
		return length;
	/* Of a file alone: who names /dev/null does not want it moved away. */
	if (l->is_file && l->bytes > 0 && l->bytes + (int64_t)length > l->most) {
		turn_over(l);
		if (!open_file(l))
			return length;
	}
	/* A single piece may be larger than the whole file may be: its end is what matters. */
	if ((int64_t)length > l->most) {
		text += length - (size_t)l->most;
		length = (size_t)l->most;
	}
	const ssize_t n = write(l->fd, text, length);
	const size_t written = n > 0 ? (size_t)n : 0;

	/* A disk that takes a part of it has no room for the rest, a FIFO nobody who reads. */
	if (written < length)
		l->error = n < 0 ? errno : l->is_file ? ENOSPC : EAGAIN;
	l->bytes += (int64_t)written;
	return length - written;
}

const char *service_log_fault(const struct service_log *l)
{
	switch (l->error) {
	case 0:
		return NULL;
	case ELOOP:
		return "it is a symbolic link";
	case ENXIO:
	case EPIPE:
		return "nobody reads it";
	case EAGAIN:
		return "it is not read fast enough";
	default:
		return strerror(l->error);
	}
}

/* Where something is missing, that is said in its place. False: it cannot be yet. */
static bool say_lost(struct service_log *l)
{
	char line[160];
	const size_t length = format_head(line, sizeof(line));

	(void)snprintf(line + length, sizeof(line) - length,
		       "%" PRId64 " bytes are lost here: %s\n", l->lost, service_log_fault(l));
	if (put_once(l, line, strlen(line)) > 0)
		return false;
	l->error = 0;
	l->lost = 0;
	return true;
}

void service_log_place(struct service_log *l, const char *path, int64_t most)
{
	l->most = most;
	if (!l->path || strcmp(l->path, path) != 0) {
		free(l->path);
		l->path = strdup(path);
		close_one(&l->fd);
		l->error = 0;
		l->lost = 0;
	}
	if (open_file(l) && (l->lost == 0 || say_lost(l)))
		l->error = 0;
}

static void put(struct service_log *l, const char *text, size_t length)
{
	size_t missing = length;

	if (l->lost == 0 || say_lost(l))
		missing = put_once(l, text, length);
	if (missing == 0)
		l->error = 0;
	l->lost += (int64_t)missing;
}

bool service_log_take(struct service_log *l)
{
	static char piece[PIECE_BYTES];
	const ssize_t n = l->in >= 0 ? read(l->in, piece, sizeof(piece)) : 0;

	if (n <= 0)
		return false;
	put(l, piece, (size_t)n);
	return true;
}

void service_log_say(struct service_log *l, const char *format, ...)
{
	char line[512];
	va_list arguments;

	/* In the order in which it happened. */
	drain(l);
	size_t length = format_head(line, sizeof(line));

	va_start(arguments, format);
	(void)vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
	va_end(arguments);
	length = strlen(line);
	line[length++] = '\n';
	put(l, line, length);
}
