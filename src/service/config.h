/*
 * What a file of services says (reeve.yaml(5)): hosts, and services that are linked to their ports.
 *
 * Everything that can be known to be wrong without a network is refused here, with the place in
 * the file; what is read is complete, with its defaults filled in. Every number has a limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/policy.h"
#include "reeve/address.h"
#include "service/arena.h"
#include "service/document.h"

#define CONFIG_HOSTS_MOST     1000
#define CONFIG_SERVICES_MOST  1000
#define CONFIG_PORTS_MOST     16 /* a service */
#define CONFIG_WORDS_MOST     512
#define CONFIG_INSTANCES_MOST 10000
#define CONFIG_NAME_LENGTH    64 /* of a service or host, with its NUL */

/* How the host's link is made worse; as `reeve impair` has it. */
struct config_impairment {
	double loss, reorder, duplicate, corrupt, delay_ms, jitter_ms;
	int64_t rate, seed;
	bool down;
};

struct config_host {
	struct config_host *next;
	const char *name;
	struct place place;
	const char *ip; /* NULL: the next free one */
	struct place at_ip;
	const char *well_known; /* "owner", "granted"; NULL: as ever */
	bool is_impaired;
	struct config_impairment impairment;
};

struct config_port {
	struct place place;
	const char *text;             /* as it was written */
	const char *label;            /* without address and protocol, for LISTEN_FDNAMES */
	struct reeve_address address; /* all zeroes: any */
	uint16_t port;
	bool is_udp, has_address;
};

enum config_start {
	START_AT_ONCE,   /* and it opens its ports itself */
	START_LISTENING, /* at once, with listening descriptors */
	START_ON_DEMAND, /* the same, with the first connection or datagram */
	START_WAIT,      /* inetd's: the first connection or datagram is left to the program */
	START_NOWAIT,    /* inetd's: a program a connection */
};

enum config_restart {
	RESTART_NO,
	RESTART_ON_FAILURE,
	RESTART_ALWAYS,
};

struct config_service {
	struct config_service *next;
	const char *name, *host;
	struct place place;
	char **run; /* NULL after the last */
	struct place at_run;
	enum config_start start;
	struct place at_start;
	struct config_port ports[CONFIG_PORTS_MOST];
	size_t port_count;
	struct port_grant grant; /* allow-port: besides its own ports */
	char **environment;      /* NAME=value, NULL after the last */
	const char *directory;   /* absolute */
	enum config_restart restart;
	int64_t restart_delay_ms, restart_limit;
	int64_t instances; /* programs at one time */
	int64_t rate;      /* starts within a minute */
	int64_t grace_ms;  /* from SIGTERM to SIGKILL */
	const char *log;   /* a path; NULL: in the network's directory */
	int64_t log_bytes;
};

struct config {
	struct arena arena;
	const char *file; /* as it was named */
	struct config_host *hosts;
	struct config_service *services;
	size_t host_count, service_count;
};

/* Who reads: relative paths, `~` and `user` depend on it. */
struct config_reader {
	const char *file;      /* for messages */
	const char *directory; /* of the file; absolute */
	const char *home;      /* NULL: there is none */
	const char *user;      /* the caller's name, or NULL */
	uint32_t uid;
};

/* 0; or -EINVAL and *fault filled in: *ret holds nothing then. */
int config_read(const struct config_reader *reader, const char *text, size_t length,
		struct config *ret, struct fault *fault);
void config_deinit(struct config *c);

/* A file on its way: its text goes to whoever starts its services, who reads it as it was read
 * here. */
struct config_file {
	char *path;      /* absolute */
	char *directory; /* of it */
	char *text;
	size_t length;
};

/* 0; or a negative errno and *fault filled in. */
int config_file_load(const char *path, struct config_file *ret, struct fault *fault);
void config_file_deinit(struct config_file *f);

/* What it says to the caller's user; `name` is for messages. */
int config_file_read(const struct config_file *f, const char *name, struct config *ret,
		     struct fault *fault);

const struct config_host *config_find_host(const struct config *c, const char *name);
const struct config_service *config_find_service(const struct config *c, const char *name);

/* "on-demand" */
const char *config_start_name(enum config_start start);

/* Whether the services run the same program in the same way: what is not compared (limits, rules of
 * restart, the log) can change while it runs. */
bool config_is_same_program(const struct config_service *a, const struct config_service *b);

/* Whether the manager opens the service's ports and not the program. */
static inline bool config_has_sockets(const struct config_service *s)
{
	return s->start != START_AT_ONCE;
}

/* Whether a program starts as somebody comes, and not at once. */
static inline bool config_is_called(const struct config_service *s)
{
	return s->start >= START_ON_DEMAND;
}
