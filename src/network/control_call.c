#include <errno.h>
#include <string.h>

#include "network/control_private.h"

void control_invalid(struct control_client *client, const char *parameter)
{
	control_fail(client, "org.varlink.service.InvalidParameter",
		     json_pack("{s:s}", "parameter", parameter));
}

void control_errno(struct control_client *client, const char *operation, int error)
{
	control_fail(
		client, "Failed",
		json_pack("{s:s,s:s}", "operation", operation, "errno", control_errno_name(error)));
}

void control_no_memory(struct control_client *client, const char *operation)
{
	control_errno(client, operation, ENOMEM);
}

void control_refuse(struct control_client *client, const char *reason)
{
	control_fail(client, "Refused", json_pack("{s:s}", "reason", reason));
}

const char *control_errno_name(int error)
{
	const char *name = strerrorname_np(error < 0 ? -error : error);

	return name ? name : "EIO";
}

void control_host_failure(struct control_client *client, enum host_failure failure,
			  const char *name, const char *address)
{
	struct reeve_address parsed;
	const char *fault = "it is not an address";

	switch (failure) {
	case HOST_NAME_INVALID:
		fault = host_name_fault(name);
		control_fail(client, "NameInvalid",
			     json_pack("{s:s,s:s}", "name", name, "reason", fault ? fault : ""));
		return;
	case HOST_NAME_TAKEN:
		/* No listing shows it. */
		if (host_by_name(client->network, name) == host_gateway(client->network))
			control_fail(client, "NameInvalid",
				     json_pack("{s:s,s:s}", "name", name, "reason",
					       "it is the network's own gateway"));
		else
			control_fail(client, "HostExists", json_pack("{s:s}", "name", name));
		return;
	case HOST_ADDRESS_INVALID:
		if (reeve_address_parse(address, &parsed) == 0)
			fault = host_address_fault(&parsed);
		control_fail(
			client, "AddressInvalid",
			json_pack("{s:s,s:s}", "address", address, "reason", fault ? fault : ""));
		return;
	case HOST_ADDRESS_TAKEN:
		control_fail(client, "AddressInUse", json_pack("{s:s}", "address", address));
		return;
	case HOST_NETWORK_FULL:
		control_fail(client, "NetworkFull",
			     json_pack("{s:I}", "hosts", (json_int_t)client->network->max_hosts));
		return;
	case HOST_NO_MEMORY:
	case HOST_OK:
		control_no_memory(client, "AddHost");
		return;
	}
}

bool control_string(const struct control_call *call, const char *name, bool optional,
		    const char **ret)
{
	const json_t *value = json_object_get(call->parameters, name);

	if (!value || json_is_null(value)) {
		if (!optional)
			control_invalid(call->client, name);
		return optional;
	}
	/* A NUL within would end it early: "web\u0000x" is not "web". */
	if (!json_is_string(value) ||
	    strlen(json_string_value(value)) != json_string_length(value)) {
		control_invalid(call->client, name);
		return false;
	}
	*ret = json_string_value(value);
	return true;
}

bool control_integer(const struct control_call *call, const char *name, int64_t least, int64_t most,
		     int64_t *ret)
{
	const json_t *value = json_object_get(call->parameters, name);

	if (!json_is_integer(value) || json_integer_value(value) < least ||
	    json_integer_value(value) > most) {
		control_invalid(call->client, name);
		return false;
	}
	*ret = json_integer_value(value);
	return true;
}

bool control_bool(const struct control_call *call, const char *name, bool *ret)
{
	const json_t *value = json_object_get(call->parameters, name);

	if (!json_is_boolean(value)) {
		control_invalid(call->client, name);
		return false;
	}
	*ret = json_is_true(value);
	return true;
}

bool control_number(const struct control_call *call, json_t *object, const char *name, double most,
		    double *ret)
{
	const json_t *value = json_object_get(object, name);
	double number;

	if (!value || json_is_null(value))
		return true;
	number = json_number_value(value);
	if (!json_is_number(value) || !(number >= 0 && number <= most)) {
		control_invalid(call->client, name);
		return false;
	}
	*ret = number;
	return true;
}

struct network_host *control_find_host(const struct control_call *call, const char *name)
{
	struct network_host *host = host_by_name(call->network, name);

	if (!host)
		control_fail(call->client, "NoSuchHost", json_pack("{s:s}", "name", name));
	return host;
}

int control_take_fd(const struct control_call *call)
{
	const int fd = call->client->passed_fd;

	call->client->passed_fd = -1;
	if (fd < 0)
		control_refuse(call->client, "the call carries no descriptor");
	return fd;
}

json_t *control_address(const struct reeve_address *address)
{
	char text[REEVE_ADDRESS_TEXT];

	return json_string(reeve_address_format(address, text));
}

json_t *control_sockaddr(const struct reeve_sockaddr *s, bool has_name)
{
	char text[REEVE_SOCKADDR_TEXT];

	return json_string(has_name ? reeve_sockaddr_format(s, text) : "");
}
