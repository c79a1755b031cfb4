// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int parse_unit(const char *s, uint64_t default_unit, uint64_t *unit)
{
	static const char letters[] = "BKMGT";
	const char *l;

	if (!*s) {
		*unit = default_unit;
		return 0;
	}
	l = strchr(letters, toupper((unsigned char)*s));
	if (!l || !*l)
		return -EINVAL;
	*unit = 1ull << (10 * (l - letters));
	s++;
	if (l != letters && (!strcmp(s, "B") || !strcmp(s, "iB")))
		return 0;
	return *s ? -EINVAL : 0;
}

int size_parse(const char *s, uint64_t default_unit, uint64_t *bytes)
{
	uint64_t whole = 0, unit, total;
	uint64_t frac = 0, frac_div = 1;
	const char *p = s;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(whole, 10u, &whole) ||
		    __builtin_add_overflow(whole, (unsigned)(*p - '0'), &whole))
			return -ERANGE;
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return -EINVAL;
		/* Six digits of a fraction are more than a TiB needs to be exact to the MiB. */
		for (; isdigit((unsigned char)*p); p++) {
			if (frac_div < 1000000) {
				frac = frac * 10 + (unsigned)(*p - '0');
				frac_div *= 10;
			}
		}
	}
	if (parse_unit(p, default_unit, &unit))
		return -EINVAL;
	if (frac && unit == 1)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &total) ||
	    __builtin_add_overflow(total, (uint64_t)((unsigned __int128)unit * frac / frac_div),
				   &total))
		return -ERANGE;
	*bytes = total;
	return 0;
}

char *size_format(uint64_t bytes, char out[SIZE_TEXT])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned u = 0;
	double v = (double)bytes;

	/* What one digit would round up to 1024.0 is 1.0 of the next unit. */
	while (v >= 1023.95 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024.0;
		u++;
	}
	snprintf(out, SIZE_TEXT, u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}
