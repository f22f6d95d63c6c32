/* `reeve ping`: ICMP echo from one host of a network to another. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/session.h"

#define EXIT_NO_REPLY 1 /* as ping(8) has it */

struct ping_options {
	const char *from;
	int64_t count, size;
	double interval_ms, timeout_ms;
};

struct tally {
	long long sent, answered;
	double least_ms, most_ms, sum_ms;
};

static void count_reply(struct tally *t, const json_t *reply)
{
	const double ms = (double)field_integer(reply, "rtt_us") / 1000;

	t->sent++;
	if (json_is_string(json_object_get(reply, "error")))
		return;
	t->least_ms = t->answered == 0 || ms < t->least_ms ? ms : t->least_ms;
	t->most_ms = ms > t->most_ms ? ms : t->most_ms;
	t->sum_ms += ms;
	t->answered++;
}

static const char *error_words(const char *error)
{
	return strcmp(error, "ETIMEDOUT") == 0      ? "no answer"
	       : strcmp(error, "EHOSTUNREACH") == 0 ? "host unreachable"
	       : strcmp(error, "ENETUNREACH") == 0  ? "network unreachable"
						    : error;
}

static void print_reply(const json_t *reply)
{
	const char *error = field_text(reply, "error");
	const char *from = field_text(reply, "from");

	if (error)
		printf("sequence %lld: %s\n", field_integer(reply, "sequence"), error_words(error));
	else
		printf("from %s: sequence %lld, ttl %lld, %.3f ms\n", from ? from : "?",
		       field_integer(reply, "sequence"), field_integer(reply, "ttl"),
		       (double)field_integer(reply, "rtt_us") / 1000);
}

static void print_tally(const struct tally *t)
{
	const double lost = t->sent ? 100.0 * (double)(t->sent - t->answered) / (double)t->sent : 0;

	printf("%lld sent, %lld answered, %.0f%% lost", t->sent, t->answered, lost);
	if (t->answered)
		printf("; %.3f/%.3f/%.3f ms least/mean/most", t->least_ms,
		       t->sum_ms / (double)t->answered, t->most_ms);
	putchar('\n');
}

static int receive_all(const struct invocation *invocation, const struct ping_options *o,
		       struct session *s, struct tally *t)
{
	const int patience = (int)(o->interval_ms + o->timeout_ms) + 5000;

	while (!interrupt_came()) {
		json_t *reply = NULL;
		int status = session_next(s, patience, &reply);

		if (status)
			return status;
		if (!reply)
			break;
		count_reply(t, reply);
		if (invocation->json)
			json_print_line(reply);
		else
			print_reply(reply);
		json_decref(reply);
		status = output_flush();
		if (status)
			return status;
	}
	return EX_OK;
}

static bool is_called(const json_t *host, const char *name)
{
	const char *own = field_text(host, "name");
	const char *address =
		json_string_value(json_array_get(json_object_get(host, "addresses"), 0));

	return (own && strcmp(own, name) == 0) || (address && strcmp(address, name) == 0);
}

/* The host that asks when none was named: 'local', else the first that is not asked itself, else
 * the gateway, which every network has. *ret is a new reference to its name. */
static int choose_asker(struct session *s, const char *to, json_t **ret)
{
	json_t *reply = NULL, *host, *chosen = NULL;
	const int status = session_call(s, "ListHosts", json_object(), &reply);
	size_t i;

	if (status)
		return status;
	json_array_foreach(json_object_get(reply, "hosts"), i, host)
	{
		if (is_called(host, "local") || (!chosen && !is_called(host, to)))
			chosen = json_object_get(host, "name");
	}
	*ret = chosen ? json_incref(chosen) : json_string("gateway");
	json_decref(reply);
	return EX_OK;
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct ping_options *o = values;
	struct tally t = { 0 };
	struct session *s;
	json_t *from = o->from ? json_string(o->from) : NULL;
	int status = session_open(invocation->network, SESSION_NEED, &s);

	if (status == EX_OK && !from)
		status = choose_asker(s, invocation->operands[0], &from);
	if (status)
		return status;
	interrupt_catch(); /* the summary is printed, as people expect of ping */
	status = session_begin(s, "Ping",
			       json_pack("{s:o, s:s, s:I, s:I, s:I, s:I}", "host", from, "to",
					 invocation->operands[0], "count", (json_int_t)o->count,
					 "interval_ms", (json_int_t)(o->interval_ms + 0.5),
					 "timeout_ms", (json_int_t)(o->timeout_ms + 0.5), "size",
					 (json_int_t)o->size),
			       -1);
	if (status == EX_OK)
		status = receive_all(invocation, o, s, &t);
	session_free(s);
	if (status)
		return status;
	if (!invocation->json)
		print_tally(&t);
	return t.answered ? EX_OK : EXIT_NO_REPLY;
}

static const struct option_spec options[] = {
	{ .name = "from",
	  .kind = OPTION_TEXT,
	  .argument = "HOST",
	  .help = "the host that asks (else 'local', or the first other)",
	  .offset = offsetof(struct ping_options, from) },
	{ .name = "count",
	  .letter = 'c',
	  .kind = OPTION_COUNT,
	  .argument = "N",
	  .help = "so many requests (else 4)",
	  .offset = offsetof(struct ping_options, count),
	  .least = 1,
	  .most = 1000000 },
	{ .name = "interval",
	  .letter = 'i',
	  .kind = OPTION_TIME,
	  .argument = "TIME",
	  .help = "between two requests (else 1s)",
	  .offset = offsetof(struct ping_options, interval_ms),
	  .least = 1,
	  .most = 3600000 },
	{ .name = "timeout",
	  .letter = 'W',
	  .kind = OPTION_TIME,
	  .argument = "TIME",
	  .help = "for an answer (else 1s)",
	  .offset = offsetof(struct ping_options, timeout_ms),
	  .least = 1,
	  .most = 3600000 },
	{ .name = "size",
	  .letter = 's',
	  .kind = OPTION_COUNT,
	  .argument = "BYTES",
	  .help = "of data in each request (else 56)",
	  .offset = offsetof(struct ping_options, size),
	  .least = 0,
	  .most = 65507 },
	{ 0 },
};

static const struct ping_options defaults = {
	.count = 4, .size = 56, .interval_ms = 1000, .timeout_ms = 1000
};

const struct command command_ping = {
	.name = "ping",
	.summary = "Ask a host whether it is there (ICMP echo)",
	.operands = "[--from HOST] [-c N] TO",
	.text = "TO is a host's name or an address. The exit status is 1 when no answer came.",
	.examples = "  reeve ping web                     is it there?\n"
		    "  reeve ping --from web -c 1 web2\n"
		    "  reeve ping -c 100 -i 10ms web      a hundred in a second\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.least_operands = 1,
	.most_operands = 1,
	.values_size = sizeof(struct ping_options),
	.defaults = &defaults,
	.run = run,
};
