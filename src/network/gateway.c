#include "network/gateway.h"

#include "network/dns.h"
#include "network/host.h"

/* RFC 1812, 5.2.7.1: there is no route to the network. */
static void refuse(struct socket_owner *owner, const struct reeve_event *event)
{
	if (event->what & REEVE_INTERCEPTED)
		reeve_tcp_refuse(event->socket, REEVE_REFUSE_NETWORK_UNREACHABLE);
	host_activate(owner->host);
}

static const struct socket_owner_ops gateway_ops = { .event = refuse };

int gateway_open(struct network_host *gateway)
{
	struct reeve_tcp *all;
	int r = dns_open_gateway(gateway);

	gateway->is_explicit = true;
	gateway->own_sockets++;
	socket_owner_init(&gateway->self, &gateway_ops, gateway);
	if (r == 0)
		r = reeve_tcp_intercept(gateway->stack, NULL, 0, &gateway->self, &all);
	return r;
}
