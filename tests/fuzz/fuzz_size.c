// SPDX-License-Identifier: Apache-2.0
/* Any text as a size: no crash, and what is accepted is shown as a size that parses again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t bytes = 0x5a5a, again = 0;
	char out[SIZE_TEXT], *space;
	char *text = malloc(size + 1);
	int rc;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	rc = size_parse(text, MIB, &bytes);
	if (rc ? (rc != -EINVAL && rc != -ERANGE) || bytes != 0x5a5a
	       : *text < '0' || *text > '9')
		abort();
	if (!rc) {
		space = strchr(size_format(bytes, out), ' ');
		if (!space)
			abort();
		memmove(space, space + 1, strlen(space));
		/* One digit after the point, so within a tenth; 16.0E is above every unit. */
		if (!strpbrk(out, "PE")) {
			if (size_parse(out, 1, &again))
				abort();
			if (again > bytes + bytes / 10 || again < bytes - bytes / 10)
				abort();
		}
	}
	free(text);
	return 0;
}
