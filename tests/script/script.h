/*
 * A script as it was read: options of the header, then events in order. The language is
 * packetdrill's, by its public description; README.md beside this says which part of it.
 *
 * Everything belongs to the script and lives until script_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reeve/address.h"

/* Lines and columns are counted from 1. */
struct script_place {
	uint32_t line, column;
};

/* Why a script can't be read, or where it failed: one line, the first that was found. */
struct script_fault {
	bool is_set;
	bool is_refusal; /* it asks for something that is not there: nothing was found wrong */
	struct script_place place;
	char text[512];
};

void script_fault(struct script_fault *f, struct script_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void script_refuse(struct script_fault *f, struct script_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* When something happens. A range has two ends; else they are the same. */
enum script_clock {
	SCRIPT_ABSOLUTE, /* since the script began */
	SCRIPT_RELATIVE, /* since the event before */
	SCRIPT_ANY,      /* whenever it comes: "*" */
};

struct script_time {
	enum script_clock clock;
	bool is_range;
	int64_t first_ns, last_ns;
};

enum script_option_kind {
	OPTION_EOL = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_SCALE = 3,
	OPTION_SACK_OK = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_MD5 = 19,
	OPTION_FAST_OPEN = 34,
	OPTION_ECN0 =
		172, /* RFC 9768: ECT(0), CE, ECT(1); the other has them the other way round */
	OPTION_ECN1 = 174,
	OPTION_EXPERIMENT = 254, /* RFC 6994; Fast Open's, before it had a number */
};

#define SCRIPT_OPTIONS 40
#define SCRIPT_BLOCKS  4
#define SCRIPT_BYTES   18

/* One TCP option. */
struct script_option {
	uint8_t kind; /* on the wire; of an unknown one nothing else is known */
	uint32_t value;
	uint32_t echo;
	uint8_t count; /* of blocks, or of the bytes */
	uint32_t start[SCRIPT_BLOCKS], end[SCRIPT_BLOCKS];
	uint8_t bytes[SCRIPT_BYTES]; /* what else an option consists of */
};

struct script_options {
	bool is_any; /* "<...>": not looked at */
	uint8_t count;
	struct script_option list[SCRIPT_OPTIONS];
};

enum script_ecn {
	ECN_NONE = 0,
	ECN_ECT1 = 1,
	ECN_ECT0 = 2,
	ECN_CE = 3,
	ECN_ECT01, /* either of the two */
	ECN_UNSAID,
};

enum script_protocol {
	PACKET_TCP,
	PACKET_UDP,
	PACKET_ICMP,
};

#define SCRIPT_AE 0x100 /* accurate ECN's flag (RFC 9768), beside enum tcp_flag */

struct script_packet {
	bool is_inbound; /* to the host under test */
	enum script_protocol protocol;
	uint8_t ecn;      /* enum script_ecn */
	int16_t tos, ttl; /* -1: not said */
	uint16_t flags;   /* enum tcp_flag, SCRIPT_AE */
	uint32_t sequence, length;
	bool has_ack, has_window, has_urgent;
	uint32_t ack;
	uint16_t window, urgent;
	struct script_options options;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_mtu;
	bool has_quote; /* the sequence number in the segment that ICMP quotes */
	uint32_t quote;
};

enum script_value_kind {
	VALUE_ANY,     /* "..." */
	VALUE_INTEGER, /* a number, a constant's, or several or-ed */
	VALUE_TEXT,    /* a string; an address */
	VALUE_LIST,    /* [a, b] */
	VALUE_STRUCT,  /* {a = 1, b = 2} */
};

struct script_value {
	enum script_value_kind kind;
	struct script_place place;
	const char *name; /* as a field of a struct, or NULL */
	int64_t integer;
	const char *text; /* its NUL not counted */
	size_t length;
	bool has_more; /* "text"...: longer than that */
	struct script_value *first, *next;
	uint32_t count; /* of a list or struct */
};

/* The field or NULL. */
const struct script_value *script_field(const struct script_value *value, const char *name);

struct script_call {
	const char *name;
	struct script_value *first; /* arguments */
	uint32_t count;
	const struct script_value *result;
	int error; /* errno that is expected with -1; 0: none was named */
	bool has_end;
	int64_t end_ns; /* by the clock of the event's time */
};

enum script_event_kind {
	EVENT_PACKET,
	EVENT_CALL,
	EVENT_CODE,
	EVENT_COMMAND,
};

struct script_event {
	enum script_event_kind kind;
	struct script_place place;
	struct script_time time;
	struct script_packet *packet;
	struct script_call *call;
	const char *text; /* code, command */
	struct script_event *next;
};

struct script_settings {
	struct reeve_address local, remote;
	uint8_t prefix_length;
	bool is_ipv6;
	uint32_t mtu;
	uint16_t bind_port, connect_port;
	int64_t tolerance_ns;
	int64_t tolerance_percent; /* of the time since the event before, if that is more */
	int64_t timestamp_tick_us; /* 0: values of timestamps are not looked at */
	bool is_strict_segments;   /* segments that leave at once don't count as one */
	bool is_dry_run;           /* read, not run */
};

/* A word that stands for another text. */
struct script_define {
	const char *name, *value;
	struct script_define *next;
};

/* What has no effect here, so that whoever reads the result knows. */
struct script_note {
	struct script_place place;
	const char *text;
	struct script_note *next;
};

struct script {
	struct script_settings settings;
	const char *command; /* before the first event, or NULL */
	struct script_place command_place;
	struct script_event *first;
	struct script_define *defines;
	struct script_note *notes;
	void *memory; /* all of it, chained */
};

/* Zeroed memory that lives as long as the script. */
void *script_allocate(struct script *s, size_t size);

/* Said once, whatever how often it is noted. */
void script_note(struct script *s, struct script_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "NAME=VALUE"; false when it is none. */
bool script_define(struct script *s, const char *text);

/* 0; or -EINVAL, and the fault says why. Takes any bytes. `defines` are `count` of "NAME=VALUE". */
struct script_defines {
	const char *const *list;
	size_t count;
};
int script_parse(const char *text, size_t length, const struct script_defines *defines,
		 struct script **ret, struct script_fault *fault);
struct script *script_free(struct script *s);
