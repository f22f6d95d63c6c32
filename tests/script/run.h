/*
 * A script that runs: the host in its world, the flows that the script speaks of, the descriptors
 * that its calls have made, and the one call that may be under way while packets come and go.
 */
#pragma once

#include "flow.h"
#include "handle.h"
#include "script.h"
#include "world.h"

#define RUN_FLOWS   64
#define RUN_HANDLES 128

struct call_kind;

/* A call from its begin to its end. */
struct call {
	struct run *run;
	const struct script_event *event;
	const struct script_call *spec;
	const struct call_kind *kind;
	bool is_active, has_started;
	struct reeve_time begin;
	struct reeve_time timeout; /* of its own: poll()'s */
	uint64_t progress;         /* bytes */
};

struct run {
	struct script *script;
	struct script_fault *fault;
	const struct run_how *how;
	bool is_running; /* the host is there */
	struct world_config config;
	unsigned fast_open;                      /* net.ipv4.tcp_fastopen: 1 clients, 2 servers */
	int64_t options[REEVE_TCP_OPTION_COUNT]; /* of new sockets; -1: as they are */
	struct world world;
	struct reeve_time previous; /* when the event before this one was */
	struct flow flows[RUN_FLOWS];
	unsigned flow_count, current; /* the flow that packets belong to */
	struct handle handles[RUN_HANDLES];
	int under_test;          /* the descriptor that assertions are about; -1: none */
	struct written *written; /* what the script has written in its own words */
	struct call call;
};

enum run_result {
	RUN_PASSED,
	RUN_FAILED,  /* the fault says why */
	RUN_REFUSED, /* what it asks for is not there; the fault says what */
	RUN_SKIPPED, /* it is of IPv6, which the stack has not */
};

struct run_how {
	bool is_strict; /* at its end nothing may have been sent that the script does not expect */
	/* It is written for Linux: buffers are as large as its customary defaults, and what leaves as
	 * one train may have PSH or not (Linux sets it on each packet longer than a segment). */
	bool is_linux;
};

enum run_result run_script(struct script *s, const struct run_how *how, struct script_fault *fault);

/* Lets the host do what is to be done at this time, and the call that is under way. */
void run_settle(struct run *r);
/* The tolerance of an event that is so long after the one before. */
int64_t run_tolerance(const struct run *r, int64_t after_ns);
/* To that time, whatever happens on the way. */
void run_advance(struct run *r, struct reeve_time until);

/* Packets (run_packet.c). */
void run_inbound(struct run *r, const struct script_event *e);
void run_outbound(struct run *r, const struct script_event *e);
void run_expect_nothing(struct run *r);
void run_close_flow(struct run *r, uint16_t host_port, uint16_t peer_port);

/* Text that the host sends at that place, instead of the stream's bytes (written.c). */
void run_note_text(struct run *r, uint16_t host_port, uint32_t position, const char *text,
		   size_t length);
bool run_is_content(const struct run *r, const struct flow *f, uint32_t position,
		    const uint8_t *bytes, size_t length);
void run_forget_text(struct run *r);

/* Commands (run_command.c). */
void run_command(struct run *r, const char *text, struct script_place place);

/* Calls (call.c). */
void call_begin(struct run *r, const struct script_event *e);
void call_continue(struct run *r);
