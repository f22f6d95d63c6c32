/*
 * Proportional rate reduction (RFC 9937, which replaces RFC 6937): how much may be sent while the
 * window falls to the threshold. Each acknowledgment gives leave to send a part of what it delivered,
 * so that sending neither stops for half a round trip nor comes in a burst.
 *
 * What is given is a quota in bytes: it can't grow by itself when more of what is in flight turns out
 * to be lost, as the room of a window would.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tcp_prr {
	uint32_t flight;    /* RecoverFS: in flight when it began */
	uint32_t delivered; /* since then: prr_delivered */
	uint32_t out;       /* sent since then: prr_out */
	uint32_t quota;     /* may be sent now: SndCnt, less what was sent of it */
	uint32_t lost;      /* held to be lost, and not sent again */
	bool is_active;
};

/* What an acknowledgment says. */
struct prr_news {
	uint32_t delivered; /* bytes; more than 0 */
	uint32_t pipe;      /* in flight after it */
	uint32_t lost;      /* then */
	uint32_t threshold, mss;
	bool has_advanced; /* SND.UNA has moved */
};

void prr_start(struct tcp_prr *p, uint32_t flight);
void prr_stop(struct tcp_prr *p);
void prr_acked(struct tcp_prr *p, const struct prr_news *news);
void prr_sent(struct tcp_prr *p, uint32_t bytes);
void prr_sent_again(struct tcp_prr *p, uint32_t bytes);
