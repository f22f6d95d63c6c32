/*
 * Kernel constants that Debian bookworm's headers lack, each with the version that brought it.
 */
#pragma once

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#	define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* 5.19 */
#endif

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#	define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* 6.6 */
#endif

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#	define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0) /* 6.6 */
#endif

#ifndef PIDFD_THREAD
#	define PIDFD_THREAD O_EXCL /* 6.9 */
#endif

/* Socket options: those that the headers of the C library lack, too. */
#ifndef IP_LOCAL_PORT_RANGE
#	define IP_LOCAL_PORT_RANGE 51 /* 6.3 */
#endif
#ifndef IP_PROTOCOL
#	define IP_PROTOCOL 52 /* 6.4 */
#endif
#ifndef IPV6_FLOWINFO
#	define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_FLOWLABEL_MGR
#	define IPV6_FLOWLABEL_MGR 32
#endif
#ifndef IPV6_FLOWINFO_SEND
#	define IPV6_FLOWINFO_SEND 33
#endif
#ifndef IPV6_RECVERR_RFC4884
#	define IPV6_RECVERR_RFC4884 31 /* 5.9 */
#endif
#ifndef SO_PASSPIDFD
#	define SO_PASSPIDFD 76 /* 6.5 */
#endif
#ifndef SO_PEERPIDFD
#	define SO_PEERPIDFD 77 /* 6.5 */
#endif
#ifndef SO_PASSRIGHTS
#	define SO_PASSRIGHTS 83 /* 6.16 */
#endif
#ifndef SO_INQ
#	define SO_INQ 84 /* 6.17 */
#endif
#ifndef TCP_AO_REPAIR
#	define TCP_AO_REPAIR 42 /* 6.7 */
#endif
#ifndef TCP_IS_MPTCP
#	define TCP_IS_MPTCP 43 /* 6.10 */
#endif
#ifndef TCP_RTO_MAX_MS
#	define TCP_RTO_MAX_MS 44 /* 6.15 */
#endif
#ifndef TCP_RTO_MIN_US
#	define TCP_RTO_MIN_US 45 /* 6.15 */
#endif
#ifndef TCP_DELACK_MAX_US
#	define TCP_DELACK_MAX_US 46 /* 6.15 */
#endif
#ifndef UDPLITE_SEND_CSCOV
#	define UDPLITE_SEND_CSCOV 10
#	define UDPLITE_RECV_CSCOV 11
#endif
#ifndef SOL_UDPLITE
#	define SOL_UDPLITE 136
#endif

/* What the kernel turns into a restart of the call or EINTR, as the signal's handler has it. */
#define KERNEL_ERESTARTSYS 512

/* prctl() with this option is EBUSY under the filter, and EINVAL anywhere else. */
#define FILTER_PROBE 0x72656576
