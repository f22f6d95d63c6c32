/* Two ends; what is sent into one is received at the other. */
#pragma once

#include "link/link.h"

struct pipe_config {
	uint32_t mtu, offloads;
	uint32_t queue_packets; /* each way */
};

/* 0 or -ENOMEM. Each end is freed by itself. */
int pipe_new(const struct pipe_config *config, struct link **ret_a, struct link **ret_b);
