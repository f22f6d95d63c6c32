/*
 * The network process: one network's hosts, switch and links behind a control and a guest socket.
 *
 * It starts on first use and ends with the last supervisor and the last control client, unless
 * something was configured by name (a host, a link, an impairment, or "keep"): then it stays until
 * it is told to go down. Before it ends it delivers what its hosts have not yet delivered, for two
 * seconds at most.
 */
#pragma once

struct network_options {
	const char *network; /* a valid name */
	int ready_fd;        /* told when the sockets are there, or else why not */
	int starter_lock_fd; /* closed when they are (connect.h) */
};

/*
 * Runs the network process to its end. Leaves the terminal, the working directory and every
 * descriptor but these two. To ready_fd goes one NUL byte when both sockets listen, or one line of
 * text and no NUL when it cannot start. Returns an exit status.
 */
int network_main(const struct network_options *options);
