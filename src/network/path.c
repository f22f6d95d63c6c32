#include "network/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool path_network_name_is_valid(const char *name)
{
	const size_t length = strnlen(name, PATH_NETWORK_NAME);

	if (length == 0 || length == PATH_NETWORK_NAME || !is_alphanumeric(name[0]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(name[i]) && name[i] != '-' && name[i] != '_')
			return false;
	return true;
}

/* Is `path` a directory of ours that nobody else can enter? A link in its place is not. */
static int check_private(const char *path, char error[PATH_ERROR_TEXT])
{
	struct stat st;

	if (lstat(path, &st)) {
		const int cause = errno;

		snprintf(error, PATH_ERROR_TEXT, "%s: %s", path, strerror(cause));
		return -cause;
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(error, PATH_ERROR_TEXT, "%s is not a directory", path);
		return -EPERM;
	}
	if (st.st_uid != geteuid()) {
		snprintf(error, PATH_ERROR_TEXT, "%s belongs to user %u, not to user %u", path,
			 (unsigned)st.st_uid, (unsigned)geteuid());
		return -EPERM;
	}
	if (st.st_mode & 077) {
		snprintf(error, PATH_ERROR_TEXT,
			 "%s is open to other users (mode %04o); chmod 0700 %s", path,
			 (unsigned)(st.st_mode & 07777), path);
		return -EPERM;
	}
	return 0;
}

static int make_private(const char *path, bool make, char error[PATH_ERROR_TEXT])
{
	if (make && mkdir(path, 0700) && errno != EEXIST) {
		const int cause = errno;

		snprintf(error, PATH_ERROR_TEXT, "cannot make %s: %s", path, strerror(cause));
		return -cause;
	}
	return check_private(path, error);
}

/* The directory that holds all networks' directories. */
static int resolve_base(char base[PATH_MAX_LENGTH], char error[PATH_ERROR_TEXT])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int length;

	/* The XDG base directory specification: relative paths are to be ignored. */
	if (runtime && runtime[0] == '/')
		length = snprintf(base, PATH_MAX_LENGTH, "%s/reeve", runtime);
	else
		length = snprintf(base, PATH_MAX_LENGTH, "/tmp/reeve-%u", (unsigned)geteuid());
	if (length >= PATH_MAX_LENGTH) {
		snprintf(error, PATH_ERROR_TEXT, "XDG_RUNTIME_DIR is too long for a socket's name");
		return -ENAMETOOLONG;
	}
	return 0;
}

static bool join(char ret[PATH_MAX_LENGTH], const char *directory, const char *name)
{
	return snprintf(ret, PATH_MAX_LENGTH, "%s/%s", directory, name) < PATH_MAX_LENGTH;
}

int path_resolve(const char *network, bool make, struct path_set *ret, char error[PATH_ERROR_TEXT])
{
	struct path_set paths;
	char base[PATH_MAX_LENGTH];
	int r;

	if (!path_network_name_is_valid(network)) {
		snprintf(error, PATH_ERROR_TEXT,
			 "'%.64s' is no network's name: 1 to %d letters, digits, '-' and '_'",
			 network, PATH_NETWORK_NAME - 1);
		return -EINVAL;
	}
	r = resolve_base(base, error);
	if (r < 0)
		return r;
	if (!join(paths.directory, base, network) ||
	    !join(paths.control, paths.directory, "control") ||
	    !join(paths.guest, paths.directory, "guest") ||
	    !join(paths.lock, paths.directory, "lock") ||
	    !join(paths.log, paths.directory, "log") ||
	    !join(paths.logs, paths.directory, "logs")) {
		snprintf(error, PATH_ERROR_TEXT, "%s/%s is too long for a socket's name", base,
			 network);
		return -ENAMETOOLONG;
	}
	r = make_private(base, make, error);
	if (r == 0)
		r = make_private(paths.directory, make, error);
	if (r < 0)
		return r;
	*ret = paths;
	return 0;
}
