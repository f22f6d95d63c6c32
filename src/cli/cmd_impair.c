/* `reeve impair`: makes a host's link lose, delay and spoil packets. */
#include <stdio.h>
#include <sys/random.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/session.h"

/* What was not given is negative. */
struct impair_options {
	double loss, reorder, duplicate, corrupt, delay_ms, jitter_ms;
	int64_t rate, seed;
	bool down, up, clear;
};

/* What is set already, changed by what is given. */
static double merge_real(double given, const json_t *now, const char *key)
{
	return given >= 0 ? given : field_real(now, key);
}

static int64_t merge_integer(int64_t given, const json_t *now, const char *key)
{
	return given >= 0 ? given : (int64_t)json_integer_value(json_object_get(now, key));
}

static int64_t fresh_seed(void)
{
	uint32_t seed = 1;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 1;
	return seed;
}

static json_t *merge(const struct impair_options *o, const json_t *now)
{
	const bool has_now = json_is_object(now);
	const bool was_down = field_is_true(now, "down");
	const int64_t seed =
		o->seed >= 0 || has_now ? merge_integer(o->seed, now, "seed") : fresh_seed();

	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:b, s:I}", "loss",
			 merge_real(o->loss, now, "loss"), "reorder",
			 merge_real(o->reorder, now, "reorder"), "duplicate",
			 merge_real(o->duplicate, now, "duplicate"), "corrupt",
			 merge_real(o->corrupt, now, "corrupt"), "delay_ms",
			 merge_real(o->delay_ms, now, "delay_ms"), "jitter_ms",
			 merge_real(o->jitter_ms, now, "jitter_ms"), "rate",
			 (json_int_t)merge_integer(o->rate, now, "rate"), "down",
			 o->down || (was_down && !o->up), "seed", (json_int_t)seed);
}

static bool is_given(const struct impair_options *o)
{
	return o->loss >= 0 || o->reorder >= 0 || o->duplicate >= 0 || o->corrupt >= 0 ||
	       o->delay_ms >= 0 || o->jitter_ms >= 0 || o->rate >= 0 || o->seed >= 0 || o->down ||
	       o->up;
}

static void print_ratio(const json_t *impairment, const char *key)
{
	if (field_real(impairment, key) > 0)
		printf("  %-9s %g%%\n", key, 100 * field_real(impairment, key));
}

static void print_time(const json_t *impairment, const char *key, const char *label)
{
	if (field_real(impairment, key) > 0)
		printf("  %-9s %gms\n", label, field_real(impairment, key));
}

static void print_impairment(const char *host, const json_t *impairment)
{
	char text[16];

	if (!json_is_object(impairment)) {
		printf("host '%s' is not impaired\n", host);
		return;
	}
	printf("host '%s' is impaired, both ways:\n", host);
	if (field_is_true(impairment, "down"))
		printf("  %-9s nothing passes\n", "down");
	print_ratio(impairment, "loss");
	print_time(impairment, "delay_ms", "delay");
	print_time(impairment, "jitter_ms", "jitter");
	print_ratio(impairment, "reorder");
	print_ratio(impairment, "duplicate");
	print_ratio(impairment, "corrupt");
	const double rate = field_real(impairment, "rate");

	if (rate > 0)
		printf("  %-9s %sbit/s\n", "rate", output_scaled(rate, text));
	printf("  %-9s %lld\n", "seed", field_integer(impairment, "seed"));
}

/* The host's impairment as it is, a new reference. */
static int fetch(struct session *s, const char *host, json_t **ret)
{
	json_t *reply = NULL;
	const int status = session_call(s, "ListHosts", json_pack("{s:s}", "name", host), &reply);

	if (status)
		return status;
	const json_t *first = json_array_get(json_object_get(reply, "hosts"), 0);
	json_t *impairment = json_object_get(first, "impairment");

	*ret = impairment ? json_incref(impairment) : json_null();
	json_decref(reply);
	return EX_OK;
}

static int change(struct session *s, const char *host, const struct impair_options *o,
		  json_t **impairment)
{
	json_t *wanted = o->clear ? json_null() : merge(o, *impairment), *reply = NULL;
	const bool stayed = session_stays(s);
	const int status = session_call(
		s, "Impair", json_pack("{s:s, s:o}", "host", host, "impairment", wanted), &reply);

	if (status)
		return status;
	json_t *now = json_object_get(reply, "impairment");

	json_decref(*impairment);
	*impairment = now ? json_incref(now) : json_null();
	json_decref(reply);
	if (!stayed && session_stays(s))
		session_say_stays(s);
	return EX_OK;
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct impair_options *o = values;
	const char *host = invocation->operands[0];
	json_t *impairment = NULL;
	struct session *s;

	if (o->clear && is_given(o))
		return say_fail(EX_USAGE, "--clear goes with no other option");
	if (o->down && o->up)
		return say_fail(EX_USAGE, "--down and --up contradict each other; give one");
	int status = session_open(invocation->network, SESSION_NEED, &s);

	if (status)
		return status;
	status = fetch(s, host, &impairment);
	if (status == EX_OK && (o->clear || is_given(o)))
		status = change(s, host, o, &impairment);
	if (status == EX_OK && invocation->json)
		json_print(impairment);
	else if (status == EX_OK)
		print_impairment(host, impairment);
	json_decref(impairment);
	session_free(s);
	return status;
}

#define RATIO(option, field, text)                                                       \
	{                                                                                \
		.name = option, .kind = OPTION_RATIO, .argument = "SHARE", .help = text, \
		.offset = offsetof(struct impair_options, field),                        \
	}

static const struct option_spec options[] = {
	RATIO("loss", loss, "so many packets are lost, each way: 5%"),
	{ .name = "delay",
	  .kind = OPTION_TIME,
	  .argument = "TIME",
	  .help = "each way: 20ms",
	  .offset = offsetof(struct impair_options, delay_ms),
	  .most = 60000 },
	{ .name = "jitter",
	  .kind = OPTION_TIME,
	  .argument = "TIME",
	  .help = "the delay varies by up to this",
	  .offset = offsetof(struct impair_options, jitter_ms),
	  .most = 60000 },
	RATIO("reorder", reorder, "so many packets overtake others"),
	RATIO("duplicate", duplicate, "so many packets come twice"),
	RATIO("corrupt", corrupt, "so many packets have a wrong bit"),
	{ .name = "rate",
	  .kind = OPTION_RATE,
	  .argument = "RATE",
	  .help = "bits a second, each way: 50mbit (0: no limit)",
	  .offset = offsetof(struct impair_options, rate) },
	{ .name = "down",
	  .help = "nothing passes",
	  .offset = offsetof(struct impair_options, down) },
	{ .name = "up",
	  .help = "packets pass again, impaired as before",
	  .offset = offsetof(struct impair_options, up) },
	{ .name = "seed",
	  .kind = OPTION_COUNT,
	  .argument = "N",
	  .help = "the same seed spoils the same packets again",
	  .offset = offsetof(struct impair_options, seed),
	  .least = 0,
	  .most = INT64_C(9007199254740991) },
	{ .name = "clear",
	  .help = "no impairment any more",
	  .offset = offsetof(struct impair_options, clear) },
	{ 0 },
};

static const struct impair_options defaults = {
	.loss = -1,
	.reorder = -1,
	.duplicate = -1,
	.corrupt = -1,
	.delay_ms = -1,
	.jitter_ms = -1,
	.rate = -1,
	.seed = -1,
};

const struct command command_impair = {
	.name = "impair",
	.summary = "Make a host's link lose, delay or spoil packets",
	.operands = "HOST [OPTION...]",
	.text = "Without options, shows what is set. Options change what they name; the rest "
		"stays.",
	.examples = "  reeve impair web --loss 5% --delay 20ms\n"
		    "  reeve impair web --rate 50mbit --seed 7\n"
		    "  reeve impair web --down         pull the plug\n"
		    "  reeve impair web --up           and put it back\n"
		    "  reeve impair web --clear\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.least_operands = 1,
	.most_operands = 1,
	.values_size = sizeof(struct impair_options),
	.defaults = &defaults,
	.run = run,
};
