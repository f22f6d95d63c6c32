/* Addresses as numbers, in the four bases. */
#include "cli/number.h"

#include <errno.h>
#include <string.h>

#define IPV4_BITS   32
#define IPV6_BITS   128
#define DIGITS_MOST 128

struct digits {
	char text[DIGITS_MOST + 1];
	size_t count;
	bool separated; /* by '.' or ':' */
};

unsigned __int128 number_of_address(const struct reeve_address *a)
{
	const bool ipv4 = reeve_address_is_ipv4(a);
	unsigned __int128 n = 0;

	for (size_t i = ipv4 ? 12 : 0; i < sizeof(a->bytes); i++)
		n = n << 8 | a->bytes[i];
	return n;
}

struct reeve_address number_to_address(unsigned __int128 n, enum reeve_family family)
{
	struct reeve_address a = reeve_any_ipv4;

	if (family == REEVE_IPV4)
		return reeve_address_from_ipv4((uint32_t)n);
	for (size_t i = sizeof(a.bytes); i-- > 0; n >>= 8)
		a.bytes[i] = (uint8_t)n;
	return a;
}

/* The digits of `n`, at least `least` of them. */
static char *put_digits(char *at, unsigned __int128 n, unsigned base, int least)
{
	char reversed[NUMBER_TEXT];
	int count = 0;

	for (; n != 0 || count < least; n /= base)
		reversed[count++] = "0123456789abcdef"[n % base];
	while (count > 0)
		*at++ = reversed[--count];
	*at = '\0';
	return at;
}

static char *put_mark(char *at, char mark)
{
	at[0] = '0';
	at[1] = mark;
	return at + 2;
}

/* IPv4: four groups of 8, as its text has them; IPv6: eight groups of 16. */
static void put_binary(char *at, unsigned __int128 n, int bits)
{
	const int group = bits == IPV4_BITS ? 8 : 16;

	for (int i = bits - 1; i >= 0; i--) {
		*at++ = (n >> i & 1) ? '1' : '0';
		if (i > 0 && i % group == 0)
			*at++ = bits == IPV4_BITS ? '.' : ':';
	}
	*at = '\0';
}

char *number_format(unsigned __int128 n, int bits, enum number_base base, char text[NUMBER_TEXT])
{
	switch (base) {
	case NUMBER_DECIMAL:
		put_digits(text, n, 10, 1);
		break;
	case NUMBER_HEXADECIMAL:
		put_digits(put_mark(text, 'x'), n, 16, bits / 4);
		break;
	case NUMBER_OCTAL:
		put_digits(put_mark(text, 'o'), n, 8, (bits + 2) / 3);
		break;
	case NUMBER_BINARY:
		put_binary(text, n, bits);
		break;
	}
	return text;
}

static int digit_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The digits alone. False: something else is among them, or a separator is not between digits. */
static bool gather(const char *text, unsigned base, struct digits *ret)
{
	const bool may_separate = base == 16 || base == 2;
	bool after_digit = false;

	*ret = (struct digits){ 0 };
	for (; *text; text++) {
		const int value = digit_value(*text);

		if (value >= 0 && (unsigned)value < base) {
			if (ret->count == DIGITS_MOST)
				return false;
			ret->text[ret->count++] = *text;
			after_digit = true;
			continue;
		}
		const bool separates = (*text == '.' || *text == ':') && may_separate;

		if (!after_digit || !(separates || *text == '_'))
			return false;
		ret->separated |= separates;
		after_digit = false;
	}
	return after_digit;
}

/* Four groups of 8 binary digits or eight of 16, as number_format() writes them, need no mark. */
static bool is_bare_binary(const char *text)
{
	const size_t group = strspn(text, "01");

	return ((group == 8 && text[8] == '.') || (group == 16 && text[16] == ':')) &&
	       text[strspn(text, "01.:")] == '\0';
}

/* The base that the text shows; *text is behind its mark. */
static unsigned take_base(const char **text)
{
	const char *t = *text;

	if (is_bare_binary(t))
		return 2;
	if (t[0] != '0' || t[1] == '\0')
		return 10;
	*text += 2;
	switch (t[1]) {
	case 'x':
	case 'X':
		return 16;
	case 'o':
	case 'O':
		return 8;
	case 'b':
	case 'B':
		return 2;
	default:
		*text -= 1; /* the 0 alone is the mark */
		return 8;
	}
}

static bool digits_value(const struct digits *d, unsigned base, unsigned __int128 *ret)
{
	unsigned __int128 n = 0;

	for (size_t i = 0; i < d->count; i++) {
		const unsigned __int128 more = (unsigned __int128)digit_value(d->text[i]);

		if (n > (~(unsigned __int128)0 - more) / base)
			return false;
		n = n * base + more;
	}
	*ret = n;
	return true;
}

static const char *wrong_digits(unsigned base)
{
	return base == 16  ? "after 0x come hexadecimal digits, 0 to 9 and a to f"
	       : base == 8 ? "a leading 0 means octal, with digits 0 to 7"
	       : base == 2 ? "binary digits are 0 and 1"
			   : "it is neither an address nor a number";
}

int number_parse_address(const char *text, bool ipv6, struct reeve_address *ret,
			 const char **ret_reason)
{
	struct digits d;
	unsigned __int128 n;

	if (reeve_address_parse(text, ret) == 0)
		return 0;
	const unsigned base = take_base(&text);

	if (!gather(text, base, &d)) {
		*ret_reason = wrong_digits(base);
		return -EINVAL;
	}
	if (!digits_value(&d, base, &n)) {
		*ret_reason = "it has more than 128 bits";
		return -EINVAL;
	}
	const size_t bits = base == 16 ? 4 * d.count : base == 2 ? d.count : 0;

	if (d.separated && bits != IPV4_BITS && bits != IPV6_BITS) {
		*ret_reason = "with separators, all digits of 32 or 128 bits must be there";
		return -EINVAL;
	}
	/* An IPv6 address written out in full keeps its family though its number be small. */
	const bool full = base == 8 ? d.count == (IPV6_BITS + 2) / 3 : bits == IPV6_BITS;
	const bool six = ipv6 || full || n > UINT32_MAX;

	*ret = number_to_address(n, six ? REEVE_IPV6 : REEVE_IPV4);
	return 0;
}
