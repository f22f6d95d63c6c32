/*
 * The parts of the grammar, each a function that reads on from the lexer's token. After a fault
 * they return something harmless.
 */
#pragma once

#include "lexer.h"

/* Behind '<' or '>': a packet (reader_packet.c). */
struct script_packet *reader_packet(struct lexer *l, bool is_inbound);

/* From '<' on, the options of a TCP header (reader_options.c). */
void reader_options(struct lexer *l, struct script_options *ret);

/* From the name on, a call and its result (reader_call.c). */
struct script_call *reader_call(struct lexer *l);
