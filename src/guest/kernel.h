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

/* What the kernel turns into a restart of the call or EINTR, as the signal's handler has it. */
#define KERNEL_ERESTARTSYS 512

/* prctl() with this option is EBUSY under the filter, and EINVAL anywhere else. */
#define FILTER_PROBE 0x72656576
