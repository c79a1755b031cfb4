// SPDX-License-Identifier: Apache-2.0
#include "guest/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest/sys.h"

void fail(const char *what, int err)
{
	say("guest: fail %s: %s", what, strerror(-err));
}

void fail_wrong(const char *what, const struct wrong_word *w)
{
	say("guest: fail %s: wrong word addr=0x%llx expected=0x%llx found=0x%llx", what,
	    (unsigned long long)w->addr, (unsigned long long)w->expected,
	    (unsigned long long)w->found);
}

void reply(const char *what, int err)
{
	if (err)
		fail(what, err);
	else
		say("guest: ok %s", what);
}

int parse_number(const char *text, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

int parse_mib(const char *text, size_t *len)
{
	unsigned long mib;

	if (parse_number(text, &mib) || !mib || mib > SIZE_MAX / MIB)
		return -EINVAL;
	*len = mib * MIB;
	return 0;
}
