/* Where libyaml was not there when Reeve was built: files of services cannot be read. */
#include <stdio.h>

#include "service/document.h"

const char *node_kind_name(enum node_kind kind)
{
	(void)kind;
	return "a value";
}

const struct node *document_read(const char *text, size_t length, struct arena *a,
				 struct fault *fault)
{
	(void)text;
	(void)length;
	(void)a;
	*fault = (struct fault){ 0 };
	(void)snprintf(fault->text, sizeof(fault->text),
		       "this reeve was built without libyaml, which reads such files");
	return NULL;
}
