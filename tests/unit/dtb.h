/* SPDX-License-Identifier: Apache-2.0 */
/* Reading device trees in tests, and what the compiler dtc says of them. */
#ifndef AEROSTAT_TESTS_DTB_H
#define AEROSTAT_TESTS_DTB_H

#include <check.h>
#include <libfdt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/fd.h"

static inline int dtb_node(const void *dtb, const char *path)
{
	int node = fdt_path_offset(dtb, path);

	ck_assert_msg(node >= 0, "no node %s: %s", path, fdt_strerror(node));
	return node;
}

static inline bool dtb_has(const void *dtb, const char *path, const char *name)
{
	return fdt_getprop(dtb, dtb_node(dtb, path), name, NULL) != NULL;
}

static inline const char *dtb_text(const void *dtb, const char *path, const char *name)
{
	const char *s = fdt_getprop(dtb, dtb_node(dtb, path), name, NULL);

	ck_assert_msg(s != NULL, "%s has no %s", path, name);
	return s;
}

/* The property is exactly these n cells. */
static inline void dtb_cells(const void *dtb, const char *path, const char *name,
			     const uint32_t *want, int n)
{
	int len;
	const fdt32_t *cell = fdt_getprop(dtb, dtb_node(dtb, path), name, &len);

	ck_assert_msg(cell != NULL, "%s has no %s", path, name);
	ck_assert_msg(len == n * 4, "%s %s: %d bytes, not %d", path, name, len, n * 4);
	for (int i = 0; i < n; i++)
		ck_assert_msg(fdt32_to_cpu(cell[i]) == want[i], "%s %s[%d]: %#x, not %#x", path,
			      name, i, fdt32_to_cpu(cell[i]), want[i]);
}

#define DTB_CELLS(dtb, path, name, ...)                                                        \
	dtb_cells(dtb, path, name, (const uint32_t[]){__VA_ARGS__},                            \
		  sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static inline uint64_t dtb_u64(const void *dtb, const char *path, const char *name)
{
	int len;
	const void *p = fdt_getprop(dtb, dtb_node(dtb, path), name, &len);

	ck_assert_msg(p && len == 8, "%s has no %s of 64 bits", path, name);
	return fdt64_ld(p);
}

/* dtc reads it and has nothing to complain about. Skipped, and said so, where there is none. */
static inline void dtb_lint(const void *dtb)
{
	char path[] = "/tmp/dtb-XXXXXX", command[160], said[4096];
	int fd = mkstemp(path);
	size_t n;
	FILE *p;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_full(fd, dtb, fdt_totalsize(dtb)), 0);
	close(fd);
	if (system("command -v dtc >/dev/null")) {
		printf("skip - what dtc says: it is not on this host\n");
		unlink(path);
		return;
	}
	snprintf(command, sizeof(command), "dtc -I dtb -O dts -o /dev/null %s 2>&1", path);
	p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	n = fread(said, 1, sizeof(said) - 1, p);
	said[n] = '\0';
	unlink(path);
	ck_assert_msg(!pclose(p) && !n, "dtc: %s", said);
}

#endif
