/*
 * Inside the manager: services, the sockets that are open for them, and instances, which are their
 * running programs.
 *
 * A service's states, and who leaves each:
 *
 *	listening	nobody has come yet; or `nowait`, with any number of instances
 *	running		its program runs, or what the program left behind; shown as "starting"
 *			until the program is itself
 *	waiting		it has ended badly and is started again, by a timer
 *	paused		too many starts within a minute; goes on by a timer. Who comes waits meanwhile
 *	ending		its program is to end: to be started again, or because the service goes
 *	ended		it has ended well, and that was all it was for
 *	failed		given up: its ports are closed. Left by a restart, or a change in the file
 */
#pragma once

#include <jansson.h>

#include "base/list.h"
#include "base/timers.h"
#include "service/channel.h"
#include "service/config.h"
#include "service/keeper.h"
#include "service/log.h"

enum service_state {
	SERVICE_LISTENING,
	SERVICE_RUNNING,
	SERVICE_WAITING,
	SERVICE_PAUSED,
	SERVICE_ENDING,
	SERVICE_ENDED,
	SERVICE_FAILED,
};

enum watch_kind {
	WATCH_CHANNEL,
	WATCH_SIGNALS,
	WATCH_SOCKET,  /* struct service_socket */
	WATCH_LOG,     /* struct service */
	WATCH_REPORTS, /* struct instance */
};

/* What the manager's epoll set knows of a descriptor. */
struct service_watch {
	enum watch_kind kind;
	int fd; /* -1: not watched */
};

/* What a file said, while any service still goes by it. */
struct config_holder {
	struct config config;
	unsigned users;
};

struct service_socket {
	struct manager *manager;
	struct list node; /* in the manager's */
	struct config_port port;
	int fd;
	struct service *service; /* NULL while a new file is taken over */
	struct service_watch watch;
};

struct service {
	struct manager *manager;
	struct list node;
	struct config_holder *holder;
	const struct config_service *config; /* in the holder's */
	enum service_state state;
	struct reeve_time since; /* in this state */
	struct service_socket *sockets[CONFIG_PORTS_MOST];
	size_t socket_count;
	struct list instances;
	uint32_t instance_count;
	struct timer timer; /* of `waiting` and `paused` */
	struct reeve_time wakes;
	bool is_removed;           /* goes when its last program has ended */
	bool begins_again;         /* when its program has ended */
	json_int_t restart;        /* the request that waits for it; 0: none */
	uint32_t starts, failures; /* failures in a row */
	uint32_t recent;           /* starts since `recent_since` */
	struct reeve_time recent_since;
	int64_t pause_ms; /* how long the last one was */
	struct reeve_time pause_over;
	char last[96];    /* how its last program ended; "" */
	char reason[160]; /* why it waits, is paused or has failed; "" */
	struct service_log log;
	struct service_watch log_watch;
};

struct instance {
	struct list node; /* in the service's */
	struct list by_pid;
	struct service *service;
	struct keeper keeper;
	struct service_watch watch;
	pid_t program;
	bool has_ended, is_leaving; /* the program; it was told to */
	bool could_not_run;
	int status;
	struct reeve_time began;
};

#define PID_BUCKETS 256

struct manager {
	const char *host;
	int epoll_fd, signal_fd;
	struct channel_end channel;
	struct service_watch channel_watch, signal_watch;
	struct timers timers;
	struct reeve_time now;
	struct list services, sockets;
	struct list by_pid[PID_BUCKETS];
	struct config_holder *holder; /* of the last file; NULL: none */
	char *file, *logs;            /* its path; where logs are */
	bool is_ending;
	bool has_begun; /* has been given a file; without services it ends then */
	sigset_t signals;
	struct rlimit files;
};

/* manager.c */
void manager_watch(struct manager *m, struct service_watch *w, int fd, uint32_t events);
void manager_unwatch(struct manager *m, struct service_watch *w);
void manager_answer(struct manager *m, json_int_t id, json_t *result_take);
__attribute__((format(printf, 3, 4))) void manager_refuse(struct manager *m, json_int_t id,
							  const char *format, ...);
/* A text as JSON, also one with a letter that was cut in two. */
json_t *manager_text(const char *text);
void holder_release(struct config_holder *h);

/* service.c: what a service does of itself. */
struct service *service_new(struct manager *m, struct config_holder *holder,
			    const struct config_service *config);
void service_free(struct service *s);
/* It goes by this from now on. */
void service_adopt(struct service *s, struct config_holder *holder,
		   const struct config_service *config);
void service_begin(struct service *s);   /* from any state in which no program runs */
void service_restart(struct service *s); /* ends what runs, and begins again */
void service_remove(struct service *s);  /* may free it */
void service_ready(struct service *s, struct service_socket *socket); /* somebody has come */
void service_timer(struct service *s);
json_t *service_describe(const struct service *s);
struct service *service_find(const struct manager *m, const char *name);

/* instance.c: one program from its start to its end. */
/* `socket`: where somebody has come, or NULL. 0; 1 when nobody has; or a negative errno. */
int instance_begin(struct service *s, const struct service_socket *socket);
void instance_end(struct instance *i); /* tells it to; it is gone later */
void instance_reported(struct instance *i);
void instance_reap(struct manager *m); /* keepers that have gone */
/* service.c: what follows from an instance's end; it is freed afterwards. */
void service_instance_started(struct service *s);
void service_instance_gone(struct service *s, const struct instance *i);

/* sockets.c: the open ports. */
/* One for that port, open already or now. 0; or a negative errno. */
int sockets_get(struct manager *m, const struct config_port *port, struct service_socket **ret);
void sockets_close(struct service_socket *socket);
void sockets_close_unused(struct manager *m);
/* Tells of those who come, or not. */
void sockets_poll(struct service *s, bool is_on);
/* They are the service's from now on. */
void sockets_give(struct service *s, struct service_socket *const sockets[CONFIG_PORTS_MOST],
		  size_t count);
/* The next connection; or a negative errno, -EAGAIN: none is there. Its peer's name as text. */
int sockets_accept(const struct service_socket *socket, char peer[REEVE_ADDRESS_TEXT],
		   char peer_port[8]);
/* A service's sockets as `config` lists them; those that fit are kept, so that nobody who waits there
 * is lost. 0; or a negative errno, *ret_port the one that could not be opened. */
int sockets_prepare(struct manager *m, const struct config_service *config,
		    struct service_socket *ret[CONFIG_PORTS_MOST],
		    const struct config_port **ret_port);

/* apply.c: a new file. */
void apply_file(struct manager *m, json_int_t id, const json_t *request);
