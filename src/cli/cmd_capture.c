/*
 * `reeve capture`: what passes a host's link, as lines or as a pcapng file. The network process
 * writes pcapng into a pipe of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/packet_line.h"
#include "cli/pcapng.h"
#include "cli/say.h"
#include "cli/session.h"

#define PIPE_BYTES (1 << 20)
#define FLUSH_MS   1000 /* for what is under way when the capture ends */
#define BEGIN_MS   20000
#define NS_PER_S   1000000000

struct capture_options {
	const char *file;
	int64_t count; /* 0: without end */
};

struct capture {
	struct session *session;
	int pipe;   /* to read from */
	int output; /* -1: lines */
	const char *file;
	struct pcapng *stream;
	int64_t wanted, packets;
	bool is_text_slow; /* nobody waits for lines in a file */
};

static int write_all(const struct capture *c, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		const ssize_t n = write(c->output, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return say_fail(EX_IOERR, "cannot write '%s': %s", c->file,
					strerror(errno));
		bytes += n;
		length -= (size_t)n;
	}
	return EX_OK;
}

static void print_packet(const struct pcapng_block *b)
{
	char line[PACKET_LINE], when[16];
	const time_t seconds = (time_t)(b->time_ns / NS_PER_S);
	struct tm tm = { 0 };

	localtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%H:%M:%S", &tm);
	printf("%s%s.%06lld%s %s  %s\n", style_on(STYLE_FAINT), when,
	       (long long)(b->time_ns % NS_PER_S / 1000), style_off(STYLE_FAINT), b->interface,
	       packet_line(b->frame, b->captured, b->original, line));
}

/* All blocks that are there whole. */
static int take_blocks(struct capture *c)
{
	struct pcapng_block block;
	int r, status = EX_OK;

	while ((r = pcapng_next(c->stream, &block)) == 1 && status == EX_OK) {
		if (block.is_packet && c->wanted && c->packets == c->wanted)
			return EX_OK;
		c->packets += block.is_packet;
		if (c->output >= 0)
			status = write_all(c, block.bytes, block.length);
		else if (block.is_packet)
			print_packet(&block);
	}
	if (r < 0)
		return say_fail(EX_PROTOCOL, "what the network process sends is no capture");
	return status ? status : output_flush();
}

/* Reads once. 1: goes on; 0: the stream has ended; or, negated, an exit status. */
static int take_bytes(struct capture *c)
{
	size_t size;
	uint8_t *room = pcapng_room(c->stream, &size);

	if (!room)
		return -say_fail(EX_OSERR, "out of memory");
	const ssize_t n = read(c->pipe, room, size);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 1
			       : -say_fail(EX_OSERR, "reading the capture: %s", strerror(errno));
	if (n == 0)
		return 0;
	pcapng_filled(c->stream, (size_t)n);
	const int status = take_blocks(c);

	return status ? -status : 1;
}

static bool has_enough(const struct capture *c)
{
	return interrupt_came() || (c->wanted && c->packets >= c->wanted);
}

static int follow(struct capture *c)
{
	while (!has_enough(c)) {
		const int r = interrupt_poll(c->pipe, POLLIN, -1) < 0 ? 1 : take_bytes(c);

		if (r <= 0)
			return -r;
	}
	if (c->wanted && c->packets >= c->wanted)
		return EX_OK;
	/* Interrupted: the end of the call ends the stream, behind what is under way. */
	c->session = session_free(c->session);
	while (interrupt_poll(c->pipe, POLLIN, FLUSH_MS) > 0) {
		const int r = take_bytes(c);

		if (r <= 0)
			return -r;
	}
	return EX_OK;
}

/* Calls Capture with one end of a pipe; the other is c->pipe. */
static int begin(const struct invocation *invocation, struct capture *c)
{
	const char *host = invocation->operands[0];
	json_t *reply = NULL;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return say_fail(EX_OSERR, "cannot make a pipe: %s", strerror(errno));
	c->pipe = ends[0];
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* as large as we may; else as it is */
	int status =
		session_begin(c->session, "Capture", json_pack("{s:s?}", "host", host), ends[1]);

	close(ends[1]);
	if (status == EX_OK)
		status = session_next(c->session, BEGIN_MS, &reply);
	json_decref(reply);
	return status;
}

static int open_output(const struct capture_options *o, struct capture *c)
{
	c->output = -1;
	c->file = o->file;
	if (!o->file)
		return EX_OK;
	if (strcmp(o->file, "-") == 0) {
		if (isatty(STDOUT_FILENO))
			return say_fail(EX_USAGE,
					"a capture is no text: send it to a file or pipe, "
					"or leave out -w for lines");
		c->output = STDOUT_FILENO;
		c->file = "standard output";
		return EX_OK;
	}
	c->output = open(o->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (c->output < 0)
		return say_fail(EX_CANTCREAT, "cannot write '%s': %s", o->file, strerror(errno));
	return EX_OK;
}

static void say_captured(const struct capture *c)
{
	say("%lld packet%s", (long long)c->packets, c->packets == 1 ? "" : "s");
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct capture_options *o = values;
	struct capture c = { .pipe = -1, .wanted = o->count };
	int status = session_open(invocation->network, SESSION_NEED, &c.session);

	if (status)
		return status;
	interrupt_catch();
	c.stream = pcapng_new();
	status = c.stream ? begin(invocation, &c) : say_fail(EX_OSERR, "out of memory");
	if (status == EX_OK)
		status = open_output(o, &c);
	if (status == EX_OK) {
		say("begun; Ctrl-C ends it"); /* what a script waits for, too */
		status = follow(&c);
		say_captured(&c);
	}
	session_free(c.session);
	pcapng_free(c.stream);
	if (c.pipe >= 0)
		close(c.pipe);
	if (c.output > STDOUT_FILENO && close(c.output) < 0 && status == EX_OK)
		status = say_fail(EX_IOERR, "cannot write '%s': %s", c.file, strerror(errno));
	return status;
}

static const struct option_spec options[] = {
	{ .name = "write",
	  .letter = 'w',
	  .kind = OPTION_TEXT,
	  .argument = "FILE",
	  .help = "write pcapng to this file (-: standard output)",
	  .offset = offsetof(struct capture_options, file) },
	{ .name = "count",
	  .letter = 'c',
	  .kind = OPTION_COUNT,
	  .argument = "N",
	  .help = "end after so many packets",
	  .offset = offsetof(struct capture_options, count),
	  .least = 1,
	  .most = INT64_C(1000000000000) },
	{ 0 },
};

const struct command command_capture = {
	.name = "capture",
	.summary = "Show or write the packets that pass a host's link",
	.operands = "[HOST] [-w FILE] [-c N]",
	.text = "Ends with Ctrl-C, or with the network. Without a HOST, all hosts: a packet "
		"between\n"
		"two of them is then seen twice.",
	.examples = "  reeve capture web                  a line a packet\n"
		    "  reeve capture web -w web.pcapng    for wireshark\n"
		    "  reeve capture -w - | tshark -r -\n",
	.options = options,
	.uses = USES_NETWORK,
	.most_operands = 1,
	.values_size = sizeof(struct capture_options),
	.run = run,
};
