/*
 * The messages of IGMP (RFC 2236, 2; RFC 3376, 4) that a host reads and writes. Of queries the
 * sources are left out: a host that is a member answers for all of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

#define IGMP_V2_LENGTH 8
#define IGMP_V3_LENGTH 16 /* of a report with one record */

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_V2_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};

/* Types of a report's records (RFC 3376, 4.2.12). */
enum igmp_record {
	IGMP_MODE_IS_EXCLUDE = 2,
	IGMP_CHANGE_TO_INCLUDE = 3,
	IGMP_CHANGE_TO_EXCLUDE = 4,
};

struct igmp_query {
	uint8_t version;          /* 1, 2 or 3 */
	uint32_t max_response_ms; /* at least 100 */
	uint32_t group;           /* 0: all of them */
};

/* The type of a message; false when it is too short for any, or its checksum wrong. */
bool igmp_parse_type(const uint8_t *bytes, size_t length, uint8_t *ret);

/* False when it is malformed. */
bool igmp_parse_query(const uint8_t *bytes, size_t length, struct igmp_query *ret);

/* Complete with their checksums. */
void igmp_emit_v2(enum igmp_type type, uint32_t group, uint8_t bytes[IGMP_V2_LENGTH]);
void igmp_emit_v3(enum igmp_record record, uint32_t group, uint8_t bytes[IGMP_V3_LENGTH]);
