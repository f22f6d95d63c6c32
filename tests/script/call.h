/*
 * Calls by name. Each kind is a function that is tried: when the call begins, and, while it blocks,
 * whenever something has happened. It returns false to be tried again, or true with the result: what
 * Linux would return, or a negative errno.
 *
 * Arguments that it can't do anything with are a fault of the script: never passed over.
 */
#pragma once

#include "run.h"

struct call_kind {
	const char *name;
	unsigned least, most; /* arguments */
	bool (*try)(struct call *c, int64_t *ret);
};

/* Ended by a row without a name. */
extern const struct call_kind call_socket_kinds[]; /* call_socket.c */
extern const struct call_kind call_data_kinds[];   /* call_data.c */
extern const struct call_kind call_option_kinds[]; /* call_option.c */
extern const struct call_kind call_wait_kinds[];   /* call_wait.c */
extern const struct call_kind call_pipe_kinds[];   /* call_pipe.c */

/* The index-th argument, which is there. A fault when it is of another kind. */
const struct script_value *call_argument(const struct call *c, unsigned index);
int64_t call_integer(const struct call *c, unsigned index);
bool call_is_any(const struct call *c, unsigned index);

/* A fault that is the script's or the host's, at the value or the call. Returns true, and 0 in *ret:
 * so a function ends with it. */
bool call_fault(const struct call *c, const struct script_value *at, int64_t *ret,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The first argument's descriptor; NULL when there is none, and -EBADF, or -EINVAL for one of another
 * kind, in *ret. */
struct handle *call_handle(const struct call *c, enum handle_kind kind, int64_t *ret);

/* The same for a socket, whichever its kind. */
struct handle *call_socket(const struct call *c, int64_t *ret);

/* The bytes at the stream's end are these, not its own. */
void call_note_written(const struct handle *h, const char *text, size_t length);

/* An argument that says how long another is: a fault when it is neither "..." nor `length`, maybe in
 * a list. */
void call_compare_length(const struct call *c, unsigned index, int64_t length);

/* What the script asks for is not there: as call_fault(). */
bool call_refuse(const struct call *c, const struct script_value *at, int64_t *ret,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A descriptor with the number that the script expects, or the lowest that is free. NULL when there
 * is none. */
struct handle *call_new_handle(const struct call *c, enum handle_kind kind, int64_t *ret_fd);

/* A value that is "..." or the integer: a fault when it is another. A list's one element counts. */
void call_compare_integer(const struct call *c, const struct script_value *expected, int64_t got,
			  const char *what);
/* One integer, maybe in a list; a fault, and 0, when it is something else. */
int64_t call_value(const struct call *c, const struct script_value *v);
/* The same for a name; and the name that an argument is: "..." gives `otherwise`. */
void call_compare_name(const struct call *c, const struct script_value *expected,
		       const struct reeve_sockaddr *got);
struct reeve_sockaddr call_name(const struct call *c, const struct script_value *v,
				const struct reeve_sockaddr *otherwise);
