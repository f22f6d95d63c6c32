/* Owns the list of refused AF_UNIX names. */
#include "guest/guard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/check.h"
#include "guest/memory.h"
#include "guest/supervisor.h"

static const char *const name_services[] = {
	"/run/nscd/socket",
	"/var/run/nscd/socket",
	"/run/systemd/resolve/io.systemd.Resolve",
	"/var/run/systemd/resolve/io.systemd.Resolve",
};

/* Whether the directory of the path, as the program sees it, is `directory`. */
static bool is_in(const struct call *c, const char *path, const char *directory)
{
	char there[PATH_MAX], name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct stat of_path, of_directory;

	(void)snprintf(name, sizeof(name), "%s", path);
	char *slash = strrchr(name, '/');

	if (slash)
		*slash = '\0';
	(void)snprintf(there, sizeof(there), "/proc/%d/%s/%s", c->trapped.tid,
		       path[0] == '/' ? "root" : "cwd", slash ? name : ".");
	return directory[0] && stat(there, &of_path) == 0 && stat(directory, &of_directory) == 0 &&
	       of_path.st_dev == of_directory.st_dev && of_path.st_ino == of_directory.st_ino;
}

int guard_check(const struct supervisor *s, const struct call *c)
{
	struct sockaddr_un name;
	const size_t length = (uint32_t)c->trapped.arguments[2];
	const size_t known = length < sizeof(name) ? length : sizeof(name);

	memset(&name, 0, sizeof(name));
	if (memory_read(c->trapped.tid, c->trapped.arguments[1], &name, known) < 0 ||
	    name.sun_family != AF_UNIX || name.sun_path[0] == '\0')
		return 0;
	char path[sizeof(name.sun_path) + 1] = { 0 };

	memcpy(path, name.sun_path, sizeof(name.sun_path));
	for (size_t i = 0; i < array_length(name_services); i++)
		if (strcmp(path, name_services[i]) == 0)
			return -ENOENT;
	if (is_in(c, path, s->private_directory) || is_in(c, path, s->rendezvous.directory))
		return -EACCES;
	return 0;
}
