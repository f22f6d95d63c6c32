/*
 * What recvmsg() says beside the data.
 */
#pragma once

#include "call.h"

/* Compares what the script expects in the header with what Linux would put there now, behind the
 * read. */
void message_check(const struct call *c, const struct handle *h);

/* Refuses what a header to be sent has beside the data. */
void message_refuse(const struct call *c);
