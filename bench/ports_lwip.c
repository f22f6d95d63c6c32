/*
 * What it costs lwIP to find a segment's connection: tcp_input() of a reset that lies outside the
 * window, and so is looked up and then ignored. Debian's liblwip, which allocates with malloc and
 * so has as many connections as memory.
 *
 *	ports_lwip FLOWS SAMPLES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#include "measure.h"

#define BATCH      1000
#define LOCAL_PORT 80

static ip_addr_t local;
static struct netif interface;

static void nth_remote(uint32_t n, ip_addr_t *address, uint16_t *port)
{
	IP_ADDR4(address, 198, 18, (uint8_t)(n / 50000 >> 8), (uint8_t)(n / 50000));
	*port = (uint16_t)(1024 + n % 50000);
}

static void add_connection(uint32_t n)
{
	struct tcp_pcb *const pcb = tcp_new();

	if (!pcb) {
		fprintf(stderr, "ports_lwip: out of memory at %u connections\n", n);
		exit(1);
	}
	pcb->local_ip = local;
	pcb->local_port = LOCAL_PORT;
	nth_remote(n, &pcb->remote_ip, &pcb->remote_port);
	pcb->state = ESTABLISHED;
	pcb->rcv_nxt = 1000;
	TCP_REG_ACTIVE(pcb);
}

static struct pbuf *segment_for(uint32_t n)
{
	struct pbuf *const p = pbuf_alloc(PBUF_RAW, TCP_HLEN, PBUF_RAM);
	struct tcp_hdr *const header = p->payload;
	ip_addr_t remote;
	uint16_t port;

	nth_remote(n, &remote, &port);
	memset(header, 0, TCP_HLEN);
	header->src = lwip_htons(port);
	header->dest = lwip_htons(LOCAL_PORT);
	header->seqno = lwip_htonl(0x80000000u);
	TCPH_HDRLEN_FLAGS_SET(header, TCP_HLEN / 4, TCP_RST);
	header->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, &remote, &local);
	return p;
}

/* As ip4_input() leaves it for tcp_input(). */
static void deliver(struct pbuf *p, uint32_t n)
{
	uint16_t port;

	ip_data.current_netif = &interface;
	ip_data.current_input_netif = &interface;
	ip_data.current_iphdr_dest = local;
	nth_remote(n, &ip_data.current_iphdr_src, &port);
	tcp_input(p, &interface);
}

int main(int argc, char **argv)
{
	static struct pbuf *segment[BATCH];
	static uint32_t chosen[BATCH];

	if (argc != 3) {
		fprintf(stderr, "usage: ports_lwip FLOWS SAMPLES\n");
		return 64;
	}
	const uint32_t flows = measure_number(argv[1]);
	const uint32_t samples = measure_number(argv[2]);
	uint64_t ns = 0;
	uint32_t done = 0;

	if (flows == 0)
		return 64;
	lwip_init();
	IP_ADDR4(&local, 198, 51, 100, 1);
	interface.mtu = 1500;
	ip_addr_copy(interface.ip_addr, local);
	for (uint32_t i = 0; i < flows; i++)
		add_connection(i);
	srandom(1);
	while (done < samples) {
		for (uint32_t i = 0; i < BATCH; i++) {
			chosen[i] = (uint32_t)random() % flows;
			segment[i] = segment_for(chosen[i]);
		}
		for (uint32_t i = 0; i < BATCH && done < samples; i++, done++) {
			const uint64_t from = measure_now_ns();

			deliver(segment[i], chosen[i]);
			ns += measure_now_ns() - from;
		}
	}
	printf("demux\t%u\tmean\t%.1f\n", flows, (double)ns / done);
	return 0;
}
