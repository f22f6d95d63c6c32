/* A command's talk with one network, and the words for what goes wrong in it. */
#include "cli/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/similar.h"
#include "cli/field.h"
#include "cli/say.h"
#include "guest/run.h"
#include "network/connect.h"

#define INTERFACE     "io.reeve.Network."
#define REPLY_TIMEOUT 20000 /* ms; the network process answers in microseconds, if it is well */
#define METHOD_TEXT   128
#define LINE_TEXT     512
#define PLACE_TEXT    256

struct session {
	struct varlink *varlink;
	char *network;
	char about[PLACE_TEXT]; /* "F:3:5: ", or "" */
	bool last;              /* the reply of the current call that was to be the last has come */
	const char *expected;   /* an error that the current call may answer with; or NULL */
	bool is_expected;       /* it did */
};

static int no_network(const char *network, enum session_start start, struct session **ret)
{
	if (start == SESSION_NEED)
		return say_fail(EX_UNAVAILABLE, "network '%s' is not running", network);
	say("network '%s' is not running", network);
	*ret = NULL;
	return EX_OK;
}

int session_open(const char *network, enum session_start start, struct session **ret)
{
	char error[NETWORK_ERROR_TEXT] = "";
	int fd;
	const int r = network_connect(network, NETWORK_CONTROL, start == SESSION_START, &fd, error);

	if (r == -ESRCH && start != SESSION_START)
		return no_network(network, start, ret);
	if (r == -EACCES && run_is_nested())
		return say_fail(EX_NOPERM, "a program under 'reeve run' cannot see or change its "
					   "network; ask from outside");
	if (r == -EINVAL || r == -ENAMETOOLONG)
		return say_fail(EX_USAGE, "%s", error);
	if (r == -EPERM || r == -EACCES || r == -EROFS)
		return say_fail(EX_NOPERM, "%s", error);
	if (r < 0)
		return say_fail(EX_UNAVAILABLE, "%s", error);
	struct session *s = calloc(1, sizeof(*s));

	if (s) {
		s->varlink = varlink_new(fd);
		s->network = strdup(network);
	}
	if (!s || !s->varlink || !s->network) {
		session_free(s);
		return say_fail(EX_OSERR, "out of memory");
	}
	*ret = s;
	return EX_OK;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	varlink_free(s->varlink);
	free(s->network);
	free(s);
	return NULL;
}

/* The errors of the interface in words; what is in braces is a parameter of the error, or
 * {network}. Each says what, where, and what to do. */
static const struct {
	const char *error;
	int status;
	const char *words;
} errors[] = {
	{ "HostExists", EX_UNAVAILABLE, "host '{name}' is there already; 'reeve hosts' shows it" },
	{ "HostBusy", EX_UNAVAILABLE,
	  "host '{name}' still has programs ({programs}); end them first" },
	{ "AddressInUse", EX_UNAVAILABLE,
	  "address {address} belongs to another host; 'reeve hosts' shows which" },
	{ "AddressInvalid", EX_DATAERR, "address '{address}': {reason}" },
	{ "NameInvalid", EX_DATAERR, "name '{name}': {reason}" },
	{ "NetworkFull", EX_UNAVAILABLE, "network '{network}' is full: it has {hosts} hosts" },
	{ "NoSuchLink", EX_UNAVAILABLE,
	  "no link '{name}' in network '{network}'; 'reeve link' lists them" },
	{ "LinkExists", EX_UNAVAILABLE, "link '{name}' is there already; 'reeve link' shows it" },
	{ "ServicesRefused", EX_UNAVAILABLE, "{reason}" },
	{ "NoManager", EX_UNAVAILABLE, "host '{host}' runs no services" },
	{ "OtherFile", EX_UNAVAILABLE,
	  "network '{network}' runs the services of {file}; 'reeve down' first, or choose another "
	  "--network" },
	{ "ManagerGone", EX_UNAVAILABLE,
	  "the services of host '{host}' have ended; 'reeve up' starts them" },
	{ "Refused", EX_NOPERM, "refused: {reason}" },
	{ "org.varlink.service.InvalidParameter", EX_USAGE,
	  "network '{network}' does not accept this value of '{parameter}'" },
	{ "Failed", EX_OSERR, "{operation}: {errno}" },
};

/* The parameter `key` as text. */
static const char *parameter_text(const struct session *s, const json_t *parameters,
				  const char *key, char number[32])
{
	const json_t *value = json_object_get(parameters, key);

	if (strcmp(key, "network") == 0)
		return s->network;
	if (json_is_string(value))
		return json_string_value(value);
	if (!json_is_integer(value))
		return "?";
	snprintf(number, 32, "%lld", (long long)json_integer_value(value));
	return number;
}

/* `words` with its braces filled in; cut to the room there is. */
static void fill_in(const struct session *s, const char *words, const json_t *parameters,
		    char line[LINE_TEXT])
{
	size_t length = 0;

	while (*words && length < LINE_TEXT - 1) {
		char key[32], number[32];
		const size_t end = strcspn(words, "}");

		if (*words != '{' || words[end] != '}' || end - 1 >= sizeof(key)) {
			line[length++] = *words++;
			continue;
		}
		memcpy(key, words + 1, end - 1);
		key[end - 1] = '\0';
		const char *text = parameter_text(s, parameters, key, number);
		const int added = snprintf(line + length, LINE_TEXT - length, "%s", text);

		length = strnlen(line, added < 0 ? length : LINE_TEXT - 1);
		words += end + 1;
	}
	line[length] = '\0';
}

/* "; did you mean 'web'?" if a host of the network is called much like that, else "". */
static void suggest_host(struct session *s, const char *name, char line[LINE_TEXT])
{
	const struct varlink_call call = { .method = INTERFACE "ListHosts", .fd = -1 };
	struct varlink_reply reply = { 0 };
	size_t limit = similar_limit(name), i;
	json_t *host;

	line[0] = '\0';
	if (varlink_send(s->varlink, &call) || varlink_receive(s->varlink, REPLY_TIMEOUT, &reply))
		return;
	json_array_foreach(json_object_get(reply.parameters, "hosts"), i, host)
	{
		const char *other = field_text(host, "name");
		const size_t d = other ? similar_distance(name, other, limit) : limit;

		if (d >= limit)
			continue;
		snprintf(line, LINE_TEXT, "; did you mean '%s'?", other);
		limit = d;
	}
	varlink_reply_deinit(&reply);
}

static int complain_no_host(struct session *s, const struct varlink_reply *reply)
{
	const char *name = field_text(reply->parameters, "name");
	char suggestion[LINE_TEXT];

	name = name ? name : "?";
	suggest_host(s, name, suggestion);
	return say_fail(EX_NOHOST, "no host '%s' in network '%s'%s", name, s->network,
			*suggestion ? suggestion : "; 'reeve hosts' lists them");
}

/* Of io.reeve.Network without that in front. */
static const char *error_name(const struct varlink_reply *reply)
{
	const size_t length = strlen(INTERFACE);

	return reply->error + (strncmp(reply->error, INTERFACE, length) == 0 ? length : 0);
}

static int complain_error(struct session *s, const struct varlink_reply *reply)
{
	const char *name = error_name(reply);
	char line[LINE_TEXT];

	if (strcmp(name, "NoSuchHost") == 0)
		return complain_no_host(s, reply);
	for (size_t i = 0; i < array_length(errors); i++) {
		if (strcmp(errors[i].error, name) != 0)
			continue;
		fill_in(s, errors[i].words, reply->parameters, line);
		return say_fail(errors[i].status, "%s%s", s->about, line);
	}
	char *text = json_dumps(reply->parameters, JSON_COMPACT);
	const int status = say_fail(EX_PROTOCOL, "network '%s' answers %s %s", s->network,
				    reply->error, text ? text : "");

	free(text);
	return status;
}

void session_about(struct session *s, const char *place)
{
	snprintf(s->about, sizeof(s->about), "%s%s", place, *place ? ": " : "");
}

static int complain_transport(const struct session *s, int error)
{
	if (error == -ECONNRESET || error == -EPIPE)
		return say_fail(EX_UNAVAILABLE, "network '%s' has ended", s->network);
	if (error == -ETIMEDOUT)
		return say_fail(EX_TEMPFAIL, "network '%s' does not answer", s->network);
	if (error == -EBADMSG)
		return say_fail(EX_PROTOCOL, "network '%s' answers what is not Varlink",
				s->network);
	return say_fail(EX_OSERR, "network '%s': %s", s->network, strerror(-error));
}

/* `wanted` has all but the method's full name. */
static int send_call(struct session *s, const char *method, const struct varlink_call *wanted)
{
	char name[METHOD_TEXT];
	struct varlink_call call = *wanted;

	if (!call.parameters)
		return say_fail(EX_USAGE, "what is not UTF-8 cannot be the name of anything here");
	snprintf(name, sizeof(name), INTERFACE "%s", method);
	call.method = name;
	const int r = varlink_send(s->varlink, &call);

	s->last = false;
	s->expected = NULL;
	s->is_expected = false;
	return r ? complain_transport(s, r) : EX_OK;
}

int session_begin(struct session *s, const char *method, json_t *parameters_take, int fd)
{
	const struct varlink_call call = { .parameters = parameters_take, .more = true, .fd = fd };

	return send_call(s, method, &call);
}

int session_next(struct session *s, int timeout_ms, json_t **ret)
{
	struct varlink_reply reply = { 0 };

	if (s->last) {
		*ret = NULL;
		return EX_OK;
	}
	const int r = varlink_receive(s->varlink, timeout_ms, &reply);

	if (r == -EINTR) {
		*ret = NULL;
		return EX_OK;
	}
	if (r)
		return complain_transport(s, r);
	s->last = !reply.continues;
	int status = EX_OK;

	s->is_expected = reply.error && s->expected && strcmp(error_name(&reply), s->expected) == 0;
	if (s->is_expected)
		*ret = NULL;
	else if (reply.error)
		status = complain_error(s, &reply);
	else
		*ret = json_incref(reply.parameters);
	varlink_reply_deinit(&reply);
	return status;
}

int session_call_fd(struct session *s, const char *method, json_t *parameters_take, int fd,
		    json_t **ret)
{
	const struct varlink_call call = { .parameters = parameters_take, .fd = fd };
	json_t *parameters = NULL;
	int status = send_call(s, method, &call);

	if (status == EX_OK)
		status = session_next(s, REPLY_TIMEOUT, &parameters);
	if (status == EX_OK && ret)
		*ret = json_incref(parameters);
	json_decref(parameters);
	return status;
}

int session_call(struct session *s, const char *method, json_t *parameters_take, json_t **ret)
{
	return session_call_fd(s, method, parameters_take, -1, ret);
}

int session_try(struct session *s, const char *method, json_t *parameters_take, int fd,
		const char *error, bool *ret_is_error)
{
	const struct varlink_call call = { .parameters = parameters_take, .fd = fd };
	json_t *reply = NULL;
	int status = send_call(s, method, &call);

	s->expected = error;
	if (status == EX_OK)
		status = session_next(s, REPLY_TIMEOUT, &reply);
	*ret_is_error = s->is_expected;
	json_decref(reply);
	return status;
}

int session_list(const char *network, enum session_start start, const char *method,
		 json_t *parameters_take, const char *key, json_t **ret)
{
	struct session *s = NULL;
	json_t *reply = NULL;
	int status = session_open(network, start, &s);

	if (status == EX_OK && s)
		status = session_call(s, method, parameters_take, &reply);
	else
		json_decref(parameters_take);
	if (status == EX_OK) {
		json_t *array = json_object_get(reply, key);

		*ret = array ? json_incref(array) : json_array();
	}
	json_decref(reply);
	session_free(s);
	return status;
}

bool session_stays(struct session *s)
{
	json_t *network = NULL;

	if (session_call(s, "GetNetwork", json_object(), &network))
		return true;
	const bool stays = field_is_true(network, "keep");

	json_decref(network);
	return stays;
}

void session_say_stays(const struct session *s)
{
	if (strcmp(s->network, "default") == 0)
		say("network 'default' stays until 'reeve down'");
	else
		say("network '%s' stays until 'reeve down --network %s'", s->network, s->network);
}
