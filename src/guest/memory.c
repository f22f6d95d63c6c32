/* Owns the reading and writing of the program's memory: process_vm_readv(2). */
#include "guest/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/check.h"

#define MOST_PIECES 8

static int result(ssize_t done, size_t wanted)
{
	if (done == (ssize_t)wanted)
		return 0;
	return done < 0 && errno == EPERM ? -EPERM : -EFAULT;
}

int memory_read(pid_t tid, uint64_t from, void *ret, size_t length)
{
	const struct iovec here = { ret, length };
	const struct iovec there = { (void *)(uintptr_t)from, length };

	return length ? result(process_vm_readv(tid, &here, 1, &there, 1, 0), length) : 0;
}

int memory_write(pid_t tid, uint64_t to, const void *bytes, size_t length)
{
	const struct iovec here = { (void *)(uintptr_t)bytes, length };
	const struct iovec there = { (void *)(uintptr_t)to, length };

	return length ? result(process_vm_writev(tid, &here, 1, &there, 1, 0), length) : 0;
}

int memory_write_pieces(pid_t tid, const struct memory_piece *pieces, size_t count)
{
	struct iovec here[MOST_PIECES], there[MOST_PIECES];
	size_t total = 0;

	check(count <= MOST_PIECES);
	for (size_t i = 0; i < count; i++) {
		here[i] = (struct iovec){ (void *)(uintptr_t)pieces[i].bytes, pieces[i].length };
		there[i] = (struct iovec){ (void *)(uintptr_t)pieces[i].to, pieces[i].length };
		total += pieces[i].length;
	}
	return result(process_vm_writev(tid, here, count, there, count, 0), total);
}

int memory_read_message(pid_t tid, uint64_t from, struct memory_message *ret)
{
	struct memory_message m = { 0 };
	int r = memory_read(tid, from, &m.header, sizeof(m.header));

	if (r < 0)
		return r;
	if ((int)m.header.msg_namelen < 0)
		return -EINVAL;
	/* As the kernel does, which holds no longer names. */
	if (m.header.msg_namelen > sizeof(struct sockaddr_storage))
		m.header.msg_namelen = sizeof(struct sockaddr_storage);
	if (m.header.msg_iovlen > MEMORY_VECTORS)
		return -EMSGSIZE;
	const size_t size = m.header.msg_iovlen * sizeof(struct iovec);

	m.vectors = calloc(1, size + 1);
	if (!m.vectors)
		return -ENOBUFS;
	r = memory_read(tid, (uint64_t)(uintptr_t)m.header.msg_iov, m.vectors, size);
	for (size_t i = 0; r == 0 && i < m.header.msg_iovlen; i++) {
		if (m.vectors[i].iov_len > INT_MAX - m.total)
			r = -EINVAL;
		else
			m.total += m.vectors[i].iov_len;
	}
	if (r < 0) {
		free(m.vectors);
		return r;
	}
	*ret = m;
	return 0;
}

void memory_message_deinit(struct memory_message *m)
{
	free(m->vectors);
	m->vectors = NULL;
}

int64_t memory_gather(pid_t tid, const struct memory_message *m, void *ret, size_t limit)
{
	const size_t length = m->total < limit ? m->total : limit;
	const struct iovec here = { ret, length };

	if (length == 0)
		return 0;
	const ssize_t n = process_vm_readv(tid, &here, 1, m->vectors, m->header.msg_iovlen, 0);

	return n == (ssize_t)length ? n : -EFAULT;
}

int memory_scatter(pid_t tid, const struct memory_message *m, const void *bytes, size_t length)
{
	const struct iovec here = { (void *)(uintptr_t)bytes, length };

	if (length == 0)
		return 0;
	return result(process_vm_writev(tid, &here, 1, m->vectors, m->header.msg_iovlen, 0),
		      length);
}

void memory_skip(struct memory_message *m, size_t length)
{
	for (size_t i = 0; i < m->header.msg_iovlen && length > 0; i++) {
		struct iovec *v = &m->vectors[i];
		const size_t n = v->iov_len < length ? v->iov_len : length;

		/* The program's, and it may be NULL (MSG_TRUNC): no pointer to reckon with here. */
		v->iov_base = (void *)((uintptr_t)v->iov_base + n);
		v->iov_len -= n;
		m->total -= n;
		length -= n;
	}
}
