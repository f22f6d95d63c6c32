/* uname(2) of a program that is to take its host's name for the machine's (`reeve run --hostname`). */
#include "guest/sys.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "guest/memory.h"
#include "guest/supervisor.h"

void sys_uname(struct supervisor *s, struct call *c)
{
	struct utsname names;

	if (uname(&names) < 0) {
		(void)call_answer(s, c, -errno);
		return;
	}
	(void)snprintf(names.nodename, sizeof(names.nodename), "%s", s->welcome.host);
	(void)call_answer(
		s, c, memory_write(c->trapped.tid, c->trapped.arguments[0], &names, sizeof(names)));
}
