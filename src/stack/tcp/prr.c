#include "stack/tcp/prr.h"

void prr_start(struct tcp_prr *p, uint32_t flight)
{
	*p = (struct tcp_prr){ .flight = flight > 0 ? flight : 1, .is_active = true };
}

void prr_stop(struct tcp_prr *p)
{
	*p = (struct tcp_prr){ 0 };
}

/* RFC 9937, 6.2: the part of what was delivered that the threshold is of the flight, rounded up. */
static uint32_t proportional(const struct tcp_prr *p, uint32_t threshold)
{
	const uint64_t share = ((uint64_t)p->delivered * threshold + p->flight - 1) / p->flight;

	if (share <= p->out)
		return 0;
	return share - p->out < UINT32_MAX ? (uint32_t)(share - p->out) : UINT32_MAX;
}

/* RFC 9937, 6.2: below the threshold because of losses or of a program that had nothing to send. As
 * much as was delivered keeps the flight what it is (CRB); a segment more lets it grow (SSRB), but
 * only while recovery goes well: a link that polices is not to be fed with what it will drop. */
static uint32_t catching_up(const struct tcp_prr *p, const struct prr_news *news)
{
	const bool is_safe = news->has_advanced && news->lost <= p->lost;
	const uint32_t owed = p->delivered > p->out ? p->delivered - p->out : 0;
	const uint32_t bound = owed > news->delivered ? owed : news->delivered;
	const uint32_t limit = bound + (is_safe ? news->mss : 0);
	const uint32_t below = news->threshold - news->pipe;

	return limit < below ? limit : below;
}

void prr_acked(struct tcp_prr *p, const struct prr_news *news)
{
	p->delivered += news->delivered;
	if (news->pipe > news->threshold)
		p->quota = proportional(p, news->threshold);
	else
		p->quota = catching_up(p, news);
	p->lost = news->lost;
}

void prr_sent(struct tcp_prr *p, uint32_t bytes)
{
	if (!p->is_active)
		return;
	p->out += bytes;
	p->quota = bytes < p->quota ? p->quota - bytes : 0;
}

void prr_sent_again(struct tcp_prr *p, uint32_t bytes)
{
	prr_sent(p, bytes);
	p->lost = bytes < p->lost ? p->lost - bytes : 0;
}
