/*
 * The calls of UDP's sockets in short, for its tests.
 */
#pragma once

#include <string.h>

#include "base/check.h"
#include "net.h"

static inline int bind_to(struct reeve_udp *udp, const char *address, uint16_t port)
{
	const struct reeve_sockaddr name = net_name(address, port);

	return reeve_udp_bind(udp, &name);
}

static inline int connect_to(struct reeve_udp *udp, const char *address, uint16_t port)
{
	const struct reeve_sockaddr name = net_name(address, port);

	return reeve_udp_connect(udp, &name);
}

static inline int send_to(struct reeve_udp *udp, const char *address, uint16_t port,
			  const char *text)
{
	char bytes[64];
	struct iovec iov = { bytes, strlen(text) };

	memcpy(bytes, text, iov.iov_len);
	if (!address)
		return reeve_udp_send(udp, NULL, NULL, &iov, 1);
	const struct reeve_sockaddr name = net_name(address, port);

	return reeve_udp_send(udp, &name, NULL, &iov, 1);
}

/* What has come, or NULL; consumed. */
static inline const char *received(struct reeve_udp *udp)
{
	static char text[64];
	struct reeve_datagram d;

	if (!reeve_udp_peek(udp, &d))
		return NULL;
	assert_true(d.length < sizeof(text) && d.iov_count <= 1);
	if (d.iov_count)
		memcpy(text, d.iov[0].iov_base, d.length);
	text[d.length] = '\0';
	reeve_udp_consume(udp);
	return text;
}

static inline struct reeve_udp *socket4(const struct net *n, unsigned host)
{
	struct reeve_udp *const udp = reeve_udp_new(n->hosts[host], REEVE_IPV4, NULL);

	assert_non_null(udp);
	return udp;
}

static inline struct reeve_udp *socket6(const struct net *n, unsigned host)
{
	struct reeve_udp *const udp = reeve_udp_new(n->hosts[host], REEVE_IPV6, NULL);

	assert_non_null(udp);
	return udp;
}

static inline uint16_t port_of(struct reeve_udp *udp)
{
	struct reeve_sockaddr name;

	assert_int_equal(reeve_udp_local(udp, &name), 0);
	return name.port;
}

static inline void expect_local(struct reeve_udp *udp, const char *address)
{
	struct reeve_sockaddr name;
	char text[REEVE_ADDRESS_TEXT];

	assert_int_equal(reeve_udp_local(udp, &name), 0);
	assert_string_equal(reeve_address_format(&name.address, text), address);
}
