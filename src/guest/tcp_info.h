/* TCP_INFO: our TCP's figures in the kernel's structure. */
#pragma once

#include <linux/tcp.h>
#include <stdint.h>

#include "reeve/tcp.h"

#define TCP_INFO_LENGTH 280 /* of Linux 6.18: some fields more than the headers have */

struct guest_tcp_info {
	struct tcp_info info;
	uint8_t later[TCP_INFO_LENGTH - sizeof(struct tcp_info)];
};

void tcp_info_fill(const struct reeve_tcp_info *from, struct guest_tcp_info *ret);
