/* Constants by name. */
#include "symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct symbol {
	const char *name;
	int64_t value;
};

#define SYMBOL(name)         \
	{                    \
#		name, name, \
	}

static const struct symbol symbols[] = {
	{ "NULL", 0 },
	SYMBOL(AF_INET),
	SYMBOL(AF_INET6),
	SYMBOL(AF_UNSPEC),
	SYMBOL(PF_INET),
	SYMBOL(PF_INET6),
	SYMBOL(SOCK_STREAM),
	SYMBOL(SOCK_DGRAM),
	SYMBOL(SOCK_NONBLOCK),
	SYMBOL(SOCK_CLOEXEC),
	SYMBOL(IPPROTO_IP),
	SYMBOL(IPPROTO_IPV6),
	SYMBOL(IPPROTO_TCP),
	SYMBOL(IPPROTO_UDP),
	SYMBOL(INADDR_ANY),
	SYMBOL(SOL_IP),
	SYMBOL(SOL_TCP),
	SYMBOL(SOL_SOCKET),
	SYMBOL(SO_ACCEPTCONN),
	SYMBOL(SO_ERROR),
	SYMBOL(SO_KEEPALIVE),
	SYMBOL(SO_LINGER),
	SYMBOL(SO_RCVBUF),
	SYMBOL(SO_SNDBUF),
	SYMBOL(SO_REUSEADDR),
	SYMBOL(SO_REUSEPORT),
	SYMBOL(SO_TYPE),
	SYMBOL(SO_ZEROCOPY),
	SYMBOL(SO_RCVTIMEO),
	SYMBOL(SO_SNDTIMEO),
	SYMBOL(SO_OOBINLINE),
	SYMBOL(SO_MARK),
	SYMBOL(SO_MAX_PACING_RATE),
	SYMBOL(SO_PRIORITY),
	SYMBOL(SO_RCVLOWAT),
	SYMBOL(SO_TIMESTAMPING),
	SYMBOL(SO_BROADCAST),
	SYMBOL(IP_TOS),
	SYMBOL(IP_TTL),
	SYMBOL(IP_MTU_DISCOVER),
	SYMBOL(IP_PMTUDISC_DONT),
	SYMBOL(IP_PMTUDISC_WANT),
	SYMBOL(IP_PMTUDISC_DO),
	SYMBOL(IP_PMTUDISC_PROBE),
	SYMBOL(IP_FREEBIND),
	SYMBOL(IP_BIND_ADDRESS_NO_PORT),
	SYMBOL(IP_RECVERR),
	SYMBOL(IPV6_RECVERR),
	SYMBOL(SOL_IPV6),
	SYMBOL(TCP_NODELAY),
	SYMBOL(TCP_MAXSEG),
	SYMBOL(TCP_CORK),
	SYMBOL(TCP_KEEPIDLE),
	SYMBOL(TCP_KEEPINTVL),
	SYMBOL(TCP_KEEPCNT),
	SYMBOL(TCP_SYNCNT),
	SYMBOL(TCP_LINGER2),
	SYMBOL(TCP_DEFER_ACCEPT),
	SYMBOL(TCP_INFO),
	SYMBOL(TCP_QUICKACK),
	SYMBOL(TCP_CONGESTION),
	SYMBOL(TCP_USER_TIMEOUT),
	SYMBOL(TCP_FASTOPEN),
	SYMBOL(TCP_FASTOPEN_CONNECT),
	SYMBOL(TCP_NOTSENT_LOWAT),
	SYMBOL(TCP_INQ),
	SYMBOL(TCP_CM_INQ),
	SYMBOL(TCP_MD5SIG),
	SYMBOL(TCP_TIMESTAMP),
	SYMBOL(TCP_WINDOW_CLAMP),
	SYMBOL(TCP_FASTOPEN_KEY),
	SYMBOL(TCP_FASTOPEN_NO_COOKIE),
	{ "IP_LOCAL_PORT_RANGE", 51 },
	SYMBOL(MSG_CONFIRM),
	SYMBOL(MSG_CTRUNC),
	SYMBOL(MSG_EOR),
	SYMBOL(MSG_DONTWAIT),
	SYMBOL(MSG_ERRQUEUE),
	SYMBOL(MSG_FASTOPEN),
	SYMBOL(MSG_MORE),
	SYMBOL(MSG_NOSIGNAL),
	SYMBOL(MSG_OOB),
	SYMBOL(MSG_PEEK),
	SYMBOL(MSG_TRUNC),
	SYMBOL(MSG_WAITALL),
	SYMBOL(MSG_ZEROCOPY),
	SYMBOL(SHUT_RD),
	SYMBOL(SHUT_WR),
	SYMBOL(SHUT_RDWR),
	SYMBOL(F_GETFL),
	SYMBOL(F_SETFL),
	SYMBOL(O_RDONLY),
	SYMBOL(O_WRONLY),
	SYMBOL(O_RDWR),
	SYMBOL(O_NONBLOCK),
	SYMBOL(FIONREAD),
	SYMBOL(FIONBIO),
	SYMBOL(SIOCINQ),
	SYMBOL(SIOCOUTQ),
	SYMBOL(SIOCOUTQNSD),
	SYMBOL(SIOCATMARK),
	SYMBOL(POLLIN),
	SYMBOL(POLLOUT),
	SYMBOL(POLLPRI),
	SYMBOL(POLLERR),
	SYMBOL(POLLHUP),
	SYMBOL(POLLNVAL),
	SYMBOL(POLLRDHUP),
	SYMBOL(EPOLLIN),
	SYMBOL(EPOLLOUT),
	SYMBOL(EPOLLPRI),
	SYMBOL(EPOLLERR),
	SYMBOL(EPOLLHUP),
	SYMBOL(EPOLLRDHUP),
	SYMBOL(EPOLLET),
	SYMBOL(EPOLLONESHOT),
	SYMBOL(EPOLL_CTL_ADD),
	SYMBOL(EPOLL_CTL_MOD),
	SYMBOL(EPOLL_CTL_DEL),
	SYMBOL(EPOLL_CLOEXEC),
	/* As %{ }% knows them. */
	{ "TCP_ESTABLISHED", 1 },
	{ "TCP_SYN_SENT", 2 },
	{ "TCP_SYN_RECV", 3 },
	{ "TCP_FIN_WAIT1", 4 },
	{ "TCP_FIN_WAIT2", 5 },
	{ "TCP_TIME_WAIT", 6 },
	{ "TCP_CLOSE", 7 },
	{ "TCP_CLOSE_WAIT", 8 },
	{ "TCP_LAST_ACK", 9 },
	{ "TCP_LISTEN", 10 },
	{ "TCP_CLOSING", 11 },
	{ "TCPI_OPT_TIMESTAMPS", 1 },
	{ "TCPI_OPT_SACK", 2 },
	{ "TCPI_OPT_WSCALE", 4 },
	{ "TCPI_OPT_ECN", 8 },
	{ "TCPI_OPT_ECN_SEEN", 16 },
	{ "TCPI_OPT_SYN_DATA", 32 },
	{ "TCP_CA_Open", 0 },
	{ "TCP_CA_Disorder", 1 },
	{ "TCP_CA_CWR", 2 },
	{ "TCP_CA_Recovery", 3 },
	{ "TCP_CA_Loss", 4 },
	/* <linux/errqueue.h>, <linux/net_tstamp.h>, splice(). */
	{ "SCM_TIMESTAMPING", SO_TIMESTAMPING },
	{ "SO_EE_ORIGIN_NONE", 0 },
	{ "SO_EE_ORIGIN_LOCAL", 1 },
	{ "SO_EE_ORIGIN_ICMP", 2 },
	{ "SO_EE_ORIGIN_TIMESTAMPING", 4 },
	{ "SO_EE_ORIGIN_ZEROCOPY", 5 },
	{ "SO_EE_CODE_ZEROCOPY_COPIED", 1 },
	{ "SCM_TSTAMP_SND", 0 },
	{ "SCM_TSTAMP_SCHED", 1 },
	{ "SCM_TSTAMP_ACK", 2 },
	{ "SOF_TIMESTAMPING_TX_HARDWARE", 1 },
	{ "SOF_TIMESTAMPING_TX_SOFTWARE", 2 },
	{ "SOF_TIMESTAMPING_RX_HARDWARE", 4 },
	{ "SOF_TIMESTAMPING_RX_SOFTWARE", 8 },
	{ "SOF_TIMESTAMPING_SOFTWARE", 16 },
	{ "SOF_TIMESTAMPING_OPT_ID", 128 },
	{ "SOF_TIMESTAMPING_TX_SCHED", 256 },
	{ "SOF_TIMESTAMPING_TX_ACK", 512 },
	{ "SPLICE_F_MOVE", 1 },
	{ "SPLICE_F_NONBLOCK", 2 },
	{ "SPLICE_F_MORE", 4 },
};

static const struct symbol errors[] = {
	SYMBOL(EACCES),       SYMBOL(EADDRINUSE),      SYMBOL(EADDRNOTAVAIL), SYMBOL(EAFNOSUPPORT),
	SYMBOL(EAGAIN),       SYMBOL(EALREADY),        SYMBOL(EBADF),         SYMBOL(ECONNABORTED),
	SYMBOL(ECONNREFUSED), SYMBOL(ECONNRESET),      SYMBOL(EDESTADDRREQ),  SYMBOL(EEXIST),
	SYMBOL(EFAULT),       SYMBOL(EHOSTDOWN),       SYMBOL(EHOSTUNREACH),  SYMBOL(EINPROGRESS),
	SYMBOL(EINTR),        SYMBOL(EINVAL),          SYMBOL(EISCONN),       SYMBOL(EMFILE),
	SYMBOL(EMSGSIZE),     SYMBOL(ENETDOWN),        SYMBOL(ENETUNREACH),   SYMBOL(ENOBUFS),
	SYMBOL(ENOENT),       SYMBOL(ENOMEM),          SYMBOL(ENOPROTOOPT),   SYMBOL(ENOTCONN),
	SYMBOL(ENOTSOCK),     SYMBOL(EOPNOTSUPP),      SYMBOL(EPERM),         SYMBOL(EPIPE),
	SYMBOL(EPROTO),       SYMBOL(EPROTONOSUPPORT), SYMBOL(ETIMEDOUT),     SYMBOL(EWOULDBLOCK),
	SYMBOL(ENODATA),      SYMBOL(ENOMSG),
};

static const struct symbol *find(const struct symbol *table, size_t count, const char *name,
				 size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
			return &table[i];
	return NULL;
}

bool symbol_value(const char *name, size_t length, int64_t *ret)
{
	const struct symbol *const s =
		find(symbols, sizeof(symbols) / sizeof(symbols[0]), name, length);

	if (s)
		*ret = s->value;
	else
		*ret = symbol_errno(name, length);
	return s || *ret != 0;
}

int symbol_errno(const char *name, size_t length)
{
	const struct symbol *const s =
		find(errors, sizeof(errors) / sizeof(errors[0]), name, length);

	return s ? (int)s->value : 0;
}

const char *symbol_errno_name(int error)
{
	static char text[24];

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].value == error)
			return errors[i].name;
	snprintf(text, sizeof(text), "errno %d", error);
	return text;
}
