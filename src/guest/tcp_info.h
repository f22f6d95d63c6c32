/* TCP_INFO: our TCP's figures in the kernel's structure. */
#pragma once

#include <linux/tcp.h>

#include "reeve/tcp.h"

void tcp_info_fill(const struct reeve_tcp_info *from, struct tcp_info *ret);
