/* The interface files of this folder, as they are, in the program (made by embed.py). */
#pragma once

struct interface {
	const char *name, *description;
};

extern const struct interface interfaces[]; /* ends with a NULL name */
