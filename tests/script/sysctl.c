/* What there is of a kernel's settings. */
#include "sysctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECEIVE_MOST ((int64_t)64 << 20) /* of reeve_host_config */

enum effect {
	FIXED,   /* libreeve behaves so, whatever it is asked for: another value is refused */
	IGNORED, /* of how a kernel does it, not what it does; or what nobody can see in a packet */
	OPTION,  /* an option of sockets that are made from now on */
	RECEIVE_MAX,
	SEND_BUFFER,
	CONGESTION,
	FAST_OPEN,
	FAST_OPEN_KEY,
	QUEUEING, /* fq is what paces in Linux */
};

static const struct setting {
	const char *name;
	const char *values; /* of FIXED: those that are as it is, each between blanks */
	enum effect effect;
	enum reeve_tcp_option option;
} settings[] = {
	{ "net.ipv4.tcp_rmem", NULL, RECEIVE_MAX, 0 },
	{ "net.ipv4.tcp_wmem", NULL, SEND_BUFFER, 0 },
	{ "net.ipv4.tcp_congestion_control", NULL, CONGESTION, 0 },
	{ "net.core.default_qdisc", NULL, QUEUEING, 0 },
	{ "net.ipv4.tcp_syn_retries", NULL, OPTION, REEVE_TCP_SYN_COUNT },
	{ "net.ipv4.tcp_synack_retries", NULL, OPTION, REEVE_TCP_SYN_COUNT },
	{ "net.ipv4.tcp_keepalive_time", NULL, OPTION, REEVE_TCP_KEEPALIVE_IDLE_S },
	{ "net.ipv4.tcp_keepalive_intvl", NULL, OPTION, REEVE_TCP_KEEPALIVE_INTERVAL_S },
	{ "net.ipv4.tcp_keepalive_probes", NULL, OPTION, REEVE_TCP_KEEPALIVE_COUNT },
	{ "net.ipv4.tcp_fin_timeout", NULL, OPTION, REEVE_TCP_LINGER2_S },
	{ "net.ipv4.tcp_dsack", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_early_retrans", " 3 4 ", FIXED, 0 },
	{ "net.ipv4.tcp_ecn", NULL, OPTION, REEVE_TCP_ECN },
	{ "net.ipv4.tcp_fack", " 0 ", FIXED, 0 },
	{ "net.ipv4.tcp_frto", " 1 2 ", FIXED, 0 },
	{ "net.ipv4.tcp_moderate_rcvbuf", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_mtu_probing", " 0 ", FIXED, 0 },
	{ "net.ipv4.tcp_no_metrics_save", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_recovery", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_reordering", " 3 ", FIXED, 0 },
	{ "net.ipv4.tcp_retrans_collapse", " 0 ", FIXED, 0 },
	{ "net.ipv4.tcp_rfc1337", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_sack", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_shrink_window", " 0 ", FIXED, 0 },
	{ "net.ipv4.tcp_timestamps", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_window_scaling", " 1 ", FIXED, 0 },
	{ "net.ipv4.tcp_autocorking", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_base_mss", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_fastopen", NULL, FAST_OPEN, 0 },
	{ "net.ipv4.tcp_fastopen_key", NULL, FAST_OPEN_KEY, 0 },
	{ "net.ipv4.tcp_limit_output_bytes", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_max_syn_backlog", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_min_tso_segs", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_notsent_lowat", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_pacing_ca_ratio", " 120 ", FIXED, 0 },
	{ "net.ipv4.tcp_pacing_ss_ratio", " 200 ", FIXED, 0 },
	{ "net.ipv4.tcp_slow_start_after_idle", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_syncookies", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_tso_win_divisor", NULL, IGNORED, 0 },
	{ "net.ipv4.tcp_tw_reuse", NULL, IGNORED, 0 },
	{ "net.mptcp.enabled", NULL, IGNORED, 0 },
};

static const struct setting *find(const char *name)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

/* 4096, or $((4*1024)): a product, as a shell has it. -1 when it is none. */
static int64_t number(const char **text)
{
	const bool is_shell = strncmp(*text, "$((", 3) == 0;
	int64_t product = 1;
	char *end = NULL;

	*text += is_shell ? 3 : 0;
	do {
		if (end)
			end++;
		const long long factor = strtoll(end ? end : *text, &end, 0);

		if (end == *text || factor < 0 || __builtin_mul_overflow(product, factor, &product))
			return -1;
		*text = end;
	} while (is_shell && *end == '*');
	if (is_shell && strncmp(*text, "))", 2) != 0)
		return -1;
	*text += is_shell ? 2 : 0;
	*text += strspn(*text, " \t");
	return product;
}

/* The third of three numbers, the second in *ret_default; -1 when they are not that. */
static int64_t third(const char *value, int64_t *ret_default)
{
	int64_t numbers[3];

	for (unsigned i = 0; i < 3; i++)
		if ((numbers[i] = number(&value)) < 0)
			return -1;
	*ret_default = numbers[1];
	return *value ? -1 : numbers[2];
}

static void set_buffer(struct run *r, struct script_place place, const struct setting *s,
		       const char *value)
{
	int64_t first = 0;
	const int64_t most = third(value, &first);

	if (most <= 0 || most > RECEIVE_MOST) {
		script_refuse(r->fault, place, "%s=%.40s is not supported", s->name, value);
	} else if (s->effect == SEND_BUFFER) {
		script_note(r->script, place, "%s has no effect", s->name);
	} else if (r->is_running) {
		script_refuse(r->fault, place, "%s can't be set when the host is there", s->name);
	} else {
		r->config.receive_max = (uint32_t)most;
	}
}

static void set_option(struct run *r, struct script_place place, const struct setting *s,
		       const char *value)
{
	const char *rest = value;
	const int64_t n = s->effect == CONGESTION ? strcmp(value, "reno") == 0 : number(&rest);

	if (s->effect == CONGESTION ? strcmp(value, "cubic") != 0 && n == 0 : n < 0 || *rest)
		script_refuse(r->fault, place, "%s=%.40s is not supported", s->name, value);
	else
		r->options[s->effect == CONGESTION ? REEVE_TCP_CONGESTION_CONTROL : s->option] = n;
}

/* Linux's bits; those beyond the first two, that no cookie and no option be needed, are not there. */
static void set_fast_open(struct run *r, struct script_place place, const char *value)
{
	const int64_t bits = number(&value);

	if (bits < 0 || *value) {
		script_refuse(r->fault, place, "net.ipv4.tcp_fastopen needs a number");
		return;
	}
	if (bits & ~(int64_t)3)
		script_note(r->script, place,
			    "net.ipv4.tcp_fastopen's bits beyond 3 have no effect");
	r->fast_open = (unsigned)bits & 3;
}

/* 32 digits in groups of eight; false when they are not that. */
static bool read_key(const char **text, uint8_t ret[16])
{
	for (unsigned i = 0; i < 32; i++) {
		if (i > 0 && i % 8 == 0 && *(*text)++ != '-')
			return false;

		const char digit[2] = { **text, 0 };
		char *end;
		const long value = strtol(digit, &end, 16);

		if (end == digit)
			return false;
		(*text)++;
		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | value);
	}
	return true;
}

/* The key, and maybe behind a comma the one before. */
static void set_key(struct run *r, struct script_place place, const char *value)
{
	uint8_t keys[2][16] = { 0 };
	const bool is_first = read_key(&value, keys[0]);
	const bool has_old = is_first && *value == ',';

	value += has_old;
	if (!is_first || (has_old && !read_key(&value, keys[1])) || *value)
		script_refuse(r->fault, place, "this is no key of Fast Open");
	else if (!r->is_running)
		script_note(r->script, place,
			    "a key that is set before the host is there has no effect");
	else
		reeve_tcp_set_fast_open_keys(r->world.host, keys[0], has_old ? keys[1] : NULL);
}

static void set_queueing(struct run *r, struct script_place place, const struct setting *s,
			 const char *value)
{
	if (r->is_running)
		script_refuse(r->fault, place, "%s can't be set when the host is there", s->name);
	else
		r->config.is_pacing = strcmp(value, "fq") == 0;
}

void sysctl_set(struct run *r, struct script_place place, const char *name, const char *value)
{
	const struct setting *const s = find(name);
	char word[80];

	if (!s) {
		script_refuse(r->fault, place, "the setting %.60s=%.40s is not supported", name,
			      value);
		return;
	}
	switch (s->effect) {
	case FIXED:
		snprintf(word, sizeof(word), " %.70s ", value);
		if (!strstr(s->values, word))
			script_refuse(r->fault, place, "the stack has no %s=%.40s", name, value);
		break;
	case IGNORED:
		script_note(r->script, place, "%s=%.60s has no effect", name, value);
		break;
	case OPTION:
	case CONGESTION:
		set_option(r, place, s, value);
		break;
	case FAST_OPEN:
		set_fast_open(r, place, value);
		break;
	case FAST_OPEN_KEY:
		set_key(r, place, value);
		break;
	case QUEUEING:
		set_queueing(r, place, s, value);
		break;
	case RECEIVE_MAX:
	case SEND_BUFFER:
		set_buffer(r, place, s, value);
		break;
	}
}
