/* A packet as text, as a script has it. */
#include <stdarg.h>
#include <stdio.h>

#include "packet.h"

struct text {
	char *at, *end;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	const size_t room = (size_t)(t->end - t->at);
	va_list arguments;

	va_start(arguments, format);

	const int length = vsnprintf(t->at, room, format, arguments);

	va_end(arguments);
	t->at += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

static void add_ecn(struct text *t, const struct script_option *o)
{
	static const char *const names[2][3] = { { "e0b", "ceb", "e1b" }, { "e1b", "ceb", "e0b" } };

	add(t, "ECN");
	for (size_t i = 0; i < 3 && 3 * i + 2 < o->count; i++) {
		const uint8_t *const at = &o->bytes[3 * i];

		add(t, " %s %u", names[o->kind == OPTION_ECN1][i],
		    (unsigned)at[0] << 16 | (unsigned)at[1] << 8 | at[2]);
	}
}

static void add_option(struct text *t, const struct script_option *o)
{
	switch (o->kind) {
	case OPTION_EOL:
		add(t, "eol");
		break;
	case OPTION_NOP:
		add(t, "nop");
		break;
	case OPTION_MSS:
		add(t, "mss %u", o->value);
		break;
	case OPTION_SCALE:
		add(t, "wscale %u", o->value);
		break;
	case OPTION_SACK_OK:
		add(t, "sackOK");
		break;
	case OPTION_SACK:
		add(t, "sack");
		for (unsigned i = 0; i < o->count; i++)
			add(t, " %u:%u", o->start[i], o->end[i]);
		break;
	case OPTION_TIMESTAMPS:
		add(t, "TS val %u ecr %u", o->value, o->echo);
		break;
	case OPTION_FAST_OPEN:
	case OPTION_MD5:
	case OPTION_EXPERIMENT:
		add(t, o->kind == OPTION_FAST_OPEN ? "FO "
		       : o->kind == OPTION_MD5     ? "md5 "
						   : "experiment ");
		for (unsigned i = 0; i < o->count; i++)
			add(t, "%02x", o->bytes[i]);
		break;
	case OPTION_ECN0:
	case OPTION_ECN1:
		add_ecn(t, o);
		break;
	default:
		add(t, "kind %u", o->kind);
		break;
	}
}

static void add_flags(struct text *t, unsigned flags)
{
	static const char letters[] = "FSRP.UEWA";

	if (flags == 0)
		add(t, "-");
	for (unsigned i = 0; i < 9; i++)
		if (flags & 1u << i && letters[i] != '.')
			add(t, "%c", letters[i]);
	if (flags & 1u << 4)
		add(t, ".");
}

static void add_tcp(struct text *t, const struct script_packet *p)
{
	add_flags(t, p->flags);
	add(t, " %u:%u(%u)", p->sequence, p->sequence + p->length, p->length);
	if (p->has_ack)
		add(t, " ack %u", p->ack);
	if (p->has_window)
		add(t, " win %u", p->window);
	if (p->has_urgent)
		add(t, " urg %u", p->urgent);
	if (p->options.is_any)
		add(t, " <...>");
	else if (p->options.count > 0)
		add(t, " <");
	for (unsigned i = 0; i < p->options.count; i++) {
		add_option(t, &p->options.list[i]);
		add(t, i + 1 < p->options.count ? "," : ">");
	}
}

char *packet_format(const struct script_packet *p, char text[PACKET_TEXT])
{
	static const char *const marks[] = {
		[ECN_NONE] = "noecn", [ECN_ECT1] = "ect1",   [ECN_ECT0] = "ect0",
		[ECN_CE] = "ce",      [ECN_ECT01] = "ect01",
	};
	struct text t = { text, text + PACKET_TEXT };

	text[0] = 0;
	if (p->ecn != ECN_UNSAID && p->ecn != ECN_NONE)
		add(&t, "[%s] ", marks[p->ecn]);
	switch (p->protocol) {
	case PACKET_TCP:
		add_tcp(&t, p);
		break;
	case PACKET_UDP:
		add(&t, "udp (%u)", p->length);
		break;
	case PACKET_ICMP:
		add(&t, "icmp type %u code %u mtu %u", p->icmp_type, p->icmp_code, p->icmp_mtu);
		break;
	}
	return text;
}
