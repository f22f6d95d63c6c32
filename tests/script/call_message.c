/* What recvmsg() says beside the data: a name, flags, control messages. */
#include "call_message.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Bytes that wait, and one more for the end of the stream: as Linux counts. */
static int64_t queued(const struct handle *h)
{
	return (int64_t)reeve_tcp_readable(h->tcp) + reeve_tcp_peer_closed(h->tcp);
}

static void check_control(const struct call *c, const struct script_value *v,
			  const struct handle *h)
{
	const struct script_value *const level = script_field(v, "cmsg_level");
	const struct script_value *const type = script_field(v, "cmsg_type");
	const struct script_value *const data = script_field(v, "cmsg_data");

	if (!level || !type || !data) {
		script_fault(c->run->fault, v->place,
			     "{cmsg_level=..., cmsg_type=..., cmsg_data=...} is needed here");
		return;
	}
	if (call_value(c, level) != SOL_TCP || call_value(c, type) != TCP_CM_INQ) {
		script_refuse(c->run->fault, v->place, "only TCP_CM_INQ is supported here");
		return;
	}
	if (!h->has_inq)
		script_fault(c->run->fault, v->place, "no control message came");
	else
		call_compare_integer(c, data, queued(h), "TCP_CM_INQ");
}

void message_refuse(const struct call *c)
{
	const struct script_value *const v = call_argument(c, 1);
	const struct script_value *const control = script_field(v, "msg_control");
	const struct script_value *const name = script_field(v, "msg_name");

	if (name && name->kind != VALUE_ANY)
		script_refuse(c->run->fault, name->place, "a name in a message is not supported");
	if (control && control->kind != VALUE_ANY && control->count > 0)
		script_refuse(c->run->fault, control->place, "control messages are not sent");
}

void message_check(const struct call *c, const struct handle *h)
{
	const struct script_value *const v = call_argument(c, 1);
	const struct script_value *const flags = script_field(v, "msg_flags");
	const struct script_value *const control = script_field(v, "msg_control");
	const struct script_value *const name = script_field(v, "msg_name");

	if (name && name->kind != VALUE_ANY)
		script_refuse(c->run->fault, name->place, "a name in a message is not supported");
	if (flags)
		call_compare_integer(c, flags, 0, "msg_flags");
	if (!control || control->kind == VALUE_ANY)
		return;
	if (control->kind != VALUE_LIST) {
		script_fault(c->run->fault, control->place, "a list is needed here");
		return;
	}
	if (control->count == 0 && h->has_inq)
		script_fault(c->run->fault, control->place, "TCP_CM_INQ came, too");
	for (const struct script_value *e = control->first; e; e = e->next)
		check_control(c, e, h);
}
