/*
 * The TCP header and its options (RFC 9293, 3.1 and 3.2; RFC 7323; RFC 2018; RFC 7413).
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-------------------------------+-------------------------------+
 *	|          source port          |       destination port        |
 *	+-------------------------------+-------------------------------+
 *	|                        sequence number                        |
 *	+---------------------------------------------------------------+
 *	|                     acknowledgment number                     |
 *	+-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
 *	| offset|  rsv  |C|E|U|A|P|R|S|F|            window             |
 *	+-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
 *	|           checksum            |        urgent pointer         |
 *	+-------------------------------+-------------------------------+
 *	|                     options, 0 to 40 bytes                    |
 *	+---------------------------------------------------------------+
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

#define TCP_HEADER_MIN      20
#define TCP_HEADER_MAX      60
#define TCP_CHECKSUM_OFFSET 16
#define TCP_SACK_BLOCKS     4
#define TCP_SCALE_MAX       14 /* RFC 7323, 2.3 */

/* What a timestamps option, and a SACK option besides its blocks, take with their padding. */
#define TCP_TIMESTAMPS_LENGTH 12
#define TCP_SACK_LENGTH       4
#define TCP_SACK_BLOCK_LENGTH 8

struct tcp_sack_block {
	uint32_t start, end; /* sequence numbers; end is the one behind the last */
};

/* RFC 7413, 4.1.1. Without a cookie it asks for one. */
#define TCP_FAST_OPEN_MIN 4
#define TCP_FAST_OPEN_MAX 16

struct tcp_fast_open {
	bool is_there;
	uint8_t length; /* of the cookie: 0, or 4 to 16 and even */
	uint8_t cookie[TCP_FAST_OPEN_MAX];
};

struct tcp_options {
	uint16_t mss; /* 0: absent */
	bool has_window_scale;
	uint8_t window_scale; /* as received; RFC 7323, 2.3 caps its use at 14 */
	bool sack_permitted;
	bool has_timestamps;
	uint32_t timestamp, timestamp_echo;
	uint8_t sack_count;
	struct tcp_sack_block sack[TCP_SACK_BLOCKS];
	struct tcp_fast_open fast_open; /* only ever with SYN */
};

struct tcp_header {
	uint16_t source_port, destination_port;
	uint32_t sequence, acknowledgment;
	uint8_t flags;
	uint16_t window, checksum, urgent;
	uint8_t length; /* of the header with its options, bytes */
	struct tcp_options options;
};

/* The header's length by its data offset; `bytes` has TCP_HEADER_MIN. Not verified. */
size_t tcp_header_length_field(const uint8_t *bytes);

/*
 * Parses the header at the beginning of a segment of `length` bytes. 0; -EMSGSIZE: shorter than
 * TCP_HEADER_MIN or than its data offset says; -EBADMSG: a data offset below 5, or an option whose
 * length is below 2 or runs over the header's end. Options of unknown kind, and known ones whose
 * length is not theirs, are skipped (RFC 9293, 3.1, MUST-6).
 */
int tcp_header_parse(const uint8_t *bytes, size_t length, struct tcp_header *ret);

/* How long the header will be; `length` is not looked at. */
size_t tcp_header_size(const struct tcp_header *h);

/* Writes tcp_header_size() bytes; `length` is not looked at, the checksum written as it is. */
void tcp_header_emit(const struct tcp_header *h, uint8_t *ret_bytes);
