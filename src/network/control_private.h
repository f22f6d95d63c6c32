/*
 * Inside the control server: clients, calls, and what a method may do with them. A method answers
 * each call with one control_reply() or control_fail(), at once or, for a call that goes on, by
 * keeping a struct control_session.
 */
#pragma once

#include <jansson.h>

#include "network/control.h"
#include "network/control_frame.h"
#include "network/host.h"
#include "network/loop.h"
#include "network/network.h"

struct control_client;

/* A call that outlives its first answer. Ended by the client's going, or by control_end(). */
struct control_session {
	void (*end)(struct control_session *session); /* frees it; must not touch the client */
	struct network_host *host;                    /* that it cannot do without; or NULL */
};

struct control_client {
	struct control_server *server;
	struct network *network;
	struct loop_source source;
	struct list node;
	struct control_frame in;
	char *out; /* an answer on its way */
	size_t out_length, out_done;
	int passed_fd; /* came with the request; -1 */
	struct control_session *session;
	bool more, oneway; /* of the call that is being answered */
	bool closing;      /* when `out` is written */
	bool gone;         /* to be freed at the end of the turn */
};

struct control_call {
	struct control_client *client;
	struct network *network;
	json_t *parameters; /* an object; borrowed */
};

typedef void control_method_function(struct control_call *call);

struct control_method {
	const char *name;
	control_method_function *function;
	bool is_last_call; /* works in a network that is going down, too */
};

/* Ends with a NULL name. */
extern const struct control_method control_service_methods[];
extern const struct control_method control_network_methods[];
extern const struct control_method control_host_methods[];
extern const struct control_method control_socket_methods[];
extern const struct control_method control_link_methods[];
extern const struct control_method control_capture_methods[];
extern const struct control_method control_ping_methods[];
extern const struct control_method control_manager_methods[];

/* The answer. Takes the parameters; NULL: none. `continues`: more answers follow. False when the
 * client takes no more: it is too slow, or gone. */
bool control_reply(struct control_client *client, json_t *parameters_take, bool continues);

/* An error of the interface io.reeve.Network, or of org.varlink.service if it has a dot. */
void control_fail(struct control_client *client, const char *error, json_t *parameters_take);
void control_invalid(struct control_client *client, const char *parameter);
void control_errno(struct control_client *client, const char *operation, int error);
void control_refuse(struct control_client *client, const char *reason);
void control_no_memory(struct control_client *client, const char *operation);

/* Answers with what host_add() said. */
void control_host_failure(struct control_client *client, enum host_failure failure,
			  const char *name, const char *address);

/* The session is over, told with the last answer. The next request may come. */
void control_end(struct control_client *client);

/*
 * Reads the call's parameters as Varlink has them: a member that is missing is null. False when one
 * is of the wrong type; the call is answered then. An optional one that is null leaves *ret as it
 * is.
 */
bool control_string(const struct control_call *call, const char *name, bool optional,
		    const char **ret);
bool control_integer(const struct control_call *call, const char *name, int64_t least, int64_t most,
		     int64_t *ret);
bool control_bool(const struct control_call *call, const char *name, bool *ret);
bool control_number(const struct control_call *call, json_t *object, const char *name, double most,
		    double *ret);

/* The host of that name; NULL and answered with NoSuchHost. */
struct network_host *control_find_host(const struct control_call *call, const char *name);

/* The descriptor that came with the request; the caller's. -1 and answered if none came. */
int control_take_fd(const struct control_call *call);

/* Ends the calls that cannot do without a host that is about to be removed. */
void control_host_removed(struct network_host *host);

/* "EADDRINUSE"; never NULL. */
const char *control_errno_name(int error);
json_t *control_address(const struct reeve_address *address);
json_t *control_sockaddr(const struct reeve_sockaddr *s, bool has_name);
