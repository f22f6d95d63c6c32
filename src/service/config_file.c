#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/config.h"

static int fail(struct fault *fault, int error)
{
	*fault = (struct fault){ 0 };
	if (error == EFBIG)
		(void)snprintf(fault->text, sizeof(fault->text), "it is larger than %u KiB",
			       DOCUMENT_TEXT_MOST >> 10);
	else
		(void)snprintf(fault->text, sizeof(fault->text), "%s", strerror(error));
	return -error;
}

/* To its end, or to one byte more than there may be. */
static int read_all(int fd, char *text, size_t *ret_length)
{
	size_t length = 0;

	*ret_length = 0;
	while (length <= DOCUMENT_TEXT_MOST) {
		const ssize_t n = read(fd, text + length, DOCUMENT_TEXT_MOST + 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	*ret_length = length;
	return length > DOCUMENT_TEXT_MOST ? EFBIG : 0;
}

static int load(const char *path, struct config_file *f)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return errno;
	f->path = realpath(path, NULL);
	f->directory = f->path ? strdup(f->path) : NULL;
	f->text = malloc(DOCUMENT_TEXT_MOST + 2);
	if (!f->directory || !f->text) {
		close(fd);
		return f->path ? ENOMEM : ENOENT;
	}
	const int error = read_all(fd, f->text, &f->length);

	close(fd);
	f->text[f->length] = '\0';
	char *slash = strrchr(f->directory, '/');

	slash[slash == f->directory] = '\0';
	return error;
}

int config_file_load(const char *path, struct config_file *ret, struct fault *fault)
{
	struct config_file f = { .path = NULL };
	const int error = load(path, &f);

	if (error) {
		config_file_deinit(&f);
		return fail(fault, error);
	}
	*ret = f;
	return 0;
}

void config_file_deinit(struct config_file *f)
{
	free(f->path);
	free(f->directory);
	free(f->text);
	*f = (struct config_file){ .path = NULL };
}

/* Not by getpwuid(): what looks further than this file is a library, and a static program has none. Who
 * is not in it is who has logged in. */
static const char *own_name(void)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user = NULL;

	if (!file)
		return getenv("LOGNAME");
	do
		user = fgetpwent(file);
	while (user && user->pw_uid != geteuid());
	(void)fclose(file);
	return user ? user->pw_name : getenv("LOGNAME");
}

int config_file_read(const struct config_file *f, const char *name, struct config *ret,
		     struct fault *fault)
{
	const char *home = getenv("HOME");
	const struct config_reader reader = {
		.file = name,
		.directory = f->directory,
		.home = home && *home == '/' ? home : NULL,
		.user = own_name(),
		.uid = geteuid(),
	};

	return config_read(&reader, f->text, f->length, ret, fault);
}
