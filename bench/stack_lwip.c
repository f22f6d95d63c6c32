/*
 * Two interfaces of lwIP, joined in memory in one thread: how much one core moves from one to the
 * other, the work of both ends together. Debian's liblwip, by its raw interface, as a program uses
 * it that wants speed.
 *
 *	stack_lwip packets|reference MEGABYTES
 *
 * packets: the wire copies each frame, as lwIP's own loopback does: the sender keeps its segment and
 * the receiver writes into the headers. reference: only the first bytes, which hold the headers, are
 * copied, and the payload is referred to, which no driver for lwIP does and which is only safe because
 * nothing is lost here.
 *
 * There is one stack to a process, so both ends are bound to their interfaces; that keeps packets
 * from taking the short way through the loopback.
 */
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "stack.h"

#define QUEUE_FRAMES 1024 /* a power of two */
#define HEADERS      54   /* Ethernet, IPv4 and TCP, whose options only a SYN has */

struct end {
	struct netif netif;
	struct end *other;
	struct pbuf *queue[QUEUE_FRAMES]; /* to be received here */
	unsigned first, behind;           /* count on, modulo QUEUE_FRAMES */
};

static struct stream stream;
static struct end server, client;
static bool by_reference;

static void need(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "stack_lwip: %s failed\n", what);
		exit(1);
	}
}

static struct pbuf *copy_frame(struct pbuf *p)
{
	return pbuf_clone(PBUF_RAW, PBUF_RAM, p);
}

static void release_reference(struct pbuf *p)
{
	struct pbuf_custom *const c = (struct pbuf_custom *)p;
	struct pbuf **const of = (struct pbuf **)(c + 1);

	pbuf_free(*of);
	free(c);
}

/* Headers by copy, and behind them a pbuf over the sender's bytes. */
static struct pbuf *refer_to_frame(struct pbuf *p)
{
	if (p->next || p->tot_len <= HEADERS)
		return copy_frame(p);

	struct pbuf_custom *const c = malloc(sizeof(*c) + sizeof(struct pbuf *));
	struct pbuf *const head = pbuf_alloc(PBUF_RAW, HEADERS, PBUF_RAM);

	need(c && head, "allocating");
	pbuf_take(head, p->payload, HEADERS);
	c->custom_free_function = release_reference;
	*(struct pbuf **)(c + 1) = p;
	pbuf_ref(p);

	struct pbuf *const rest =
		pbuf_alloced_custom(PBUF_RAW, (u16_t)(p->tot_len - HEADERS), PBUF_REF, c,
				    (uint8_t *)p->payload + HEADERS, (u16_t)(p->tot_len - HEADERS));

	need(rest, "pbuf_alloced_custom");
	pbuf_cat(head, rest);
	return head;
}

static err_t send_frame(struct netif *netif, struct pbuf *p)
{
	struct end *const to = ((struct end *)netif->state)->other;
	struct pbuf *const frame = by_reference ? refer_to_frame(p) : copy_frame(p);

	if (!frame)
		return ERR_MEM;
	need(to->behind - to->first < QUEUE_FRAMES, "the wire's queue");
	to->queue[to->behind++ % QUEUE_FRAMES] = frame;
	return ERR_OK;
}

static err_t init_end(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->mtu = 1500;
	netif->hwaddr_len = ETH_HWADDR_LEN;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	netif->output = etharp_output;
	netif->linkoutput = send_frame;
	return ERR_OK;
}

static void start(struct end *e, struct end *other, uint8_t number)
{
	ip4_addr_t address, mask, none = { 0 };

	IP4_ADDR(&address, 198, 18, 0, number);
	IP4_ADDR(&mask, 255, 255, 0, 0);
	e->other = other;
	e->netif.hwaddr[0] = 2;
	e->netif.hwaddr[5] = number;
	need(netif_add(&e->netif, &address, &mask, &none, e, init_end, ethernet_input),
	     "netif_add");
	netif_set_link_up(&e->netif);
	netif_set_up(&e->netif);
}

static void write_some(struct tcp_pcb *pcb)
{
	size_t length;

	while (tcp_sndbuf(pcb) > 0 && tcp_sndqueuelen(pcb) < TCP_SND_QUEUELEN - 2) {
		const uint8_t *const piece = stream_piece(&stream, &length);

		if (length > tcp_sndbuf(pcb))
			length = tcp_sndbuf(pcb);
		if (length > UINT16_MAX / 2)
			length = UINT16_MAX / 2;
		if (tcp_write(pcb, piece, (u16_t)length, TCP_WRITE_FLAG_COPY) != ERR_OK)
			return;
		stream.written += length;
	}
}

static err_t can_write(void *user, struct tcp_pcb *pcb, u16_t acknowledged)
{
	(void)user;
	(void)acknowledged;
	write_some(pcb); /* and lwIP sends it when the segment has been handled */
	return ERR_OK;
}

static err_t connected(void *user, struct tcp_pcb *pcb, err_t error)
{
	need(error == ERR_OK, "connecting");
	return can_write(user, pcb, 0);
}

static err_t received(void *user, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	(void)user;
	need(p && error == ERR_OK, "receiving");
	for (const struct pbuf *at = p; at; at = at->next)
		stream_take(&stream, at->payload, at->len);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t accepted(void *user, struct tcp_pcb *pcb, err_t error)
{
	(void)user;
	need(pcb && error == ERR_OK, "accepting");
	tcp_recv(pcb, received);
	return ERR_OK;
}

static void receive_all(struct end *e)
{
	while (e->first != e->behind) {
		struct pbuf *const frame = e->queue[e->first++ % QUEUE_FRAMES];

		if (e->netif.input(frame, &e->netif) != ERR_OK)
			pbuf_free(frame);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3 || (strcmp(argv[1], "packets") != 0 && strcmp(argv[1], "reference") != 0)) {
		fprintf(stderr, "usage: stack_lwip packets|reference MEGABYTES\n");
		return 64;
	}
	by_reference = strcmp(argv[1], "reference") == 0;
	stream_init(&stream, measure_number(argv[2]));
	lwip_init();
	start(&server, &client, 1);
	start(&client, &server, 2);

	struct tcp_pcb *listener = tcp_new(), *const pcb = tcp_new();

	need(listener && pcb, "tcp_new");
	tcp_bind_netif(listener, &server.netif);
	tcp_bind_netif(pcb, &client.netif);
	need(tcp_bind(listener, IP_ANY_TYPE, 80) == ERR_OK, "tcp_bind");
	listener = tcp_listen(listener);
	need(listener, "tcp_listen");
	tcp_accept(listener, accepted);
	tcp_sent(pcb, can_write);
	need(tcp_connect(pcb, netif_ip_addr4(&server.netif), 80, connected) == ERR_OK,
	     "tcp_connect");
	while (stream_goes_on(&stream)) {
		receive_all(&server);
		receive_all(&client);
		sys_check_timeouts();
	}
	stream_report(&stream);
	return 0;
}
