// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/fdt/dt.h"

#include <assert.h>
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

static void note(struct dt *t, int rc)
{
	if (!t->error && rc < 0)
		t->error = rc;
}

void dt_begin_tree(struct dt *t, void *buf, size_t len)
{
	*t = (struct dt){.buf = buf};
	note(t, fdt_create(buf, len > INT32_MAX ? INT32_MAX : (int)len));
	if (!t->error)
		note(t, fdt_finish_reservemap(buf));
	dt_begin(t, "");
	dt_u32(t, "#address-cells", 2);
	dt_u32(t, "#size-cells", 2);
}

int dt_end_tree(struct dt *t, size_t *len)
{
	dt_end(t);
	if (!t->error)
		note(t, fdt_finish(t->buf));
	if (t->error)
		return t->error == -FDT_ERR_NOSPACE ? -EFBIG : -EINVAL;
	*len = fdt_totalsize(t->buf);
	return 0;
}

void dt_begin(struct dt *t, const char *name)
{
	if (!t->error)
		note(t, fdt_begin_node(t->buf, name));
}

void dt_begin_at(struct dt *t, const char *name, uint64_t unit)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)unit);
	dt_begin(t, full);
}

void dt_end(struct dt *t)
{
	if (!t->error)
		note(t, fdt_end_node(t->buf));
}

void dt_bytes(struct dt *t, const char *name, const void *value, size_t len)
{
	assert(len <= INT32_MAX);
	if (!t->error)
		note(t, fdt_property(t->buf, name, value, (int)len));
}

void dt_flag(struct dt *t, const char *name)
{
	dt_bytes(t, name, NULL, 0);
}

void dt_u32(struct dt *t, const char *name, uint32_t value)
{
	dt_cell_list(t, name, &value, 1);
}

void dt_u64(struct dt *t, const char *name, uint64_t value)
{
	dt_cells(t, name, (uint32_t)(value >> 32), (uint32_t)value);
}

void dt_string(struct dt *t, const char *name, const char *value)
{
	dt_bytes(t, name, value, strlen(value) + 1);
}

void dt_string_list(struct dt *t, const char *name, const char *const *list, size_t n)
{
	char all[256];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		size_t more = strlen(list[i]) + 1;

		assert(more <= sizeof(all) - len);
		memcpy(all + len, list[i], more);
		len += more;
	}
	dt_bytes(t, name, all, len);
}

void dt_cell_list(struct dt *t, const char *name, const uint32_t *cells, size_t n)
{
	fdt32_t be[DT_CELLS_MAX];

	assert(n <= DT_CELLS_MAX);
	for (size_t i = 0; i < n; i++)
		be[i] = cpu_to_fdt32(cells[i]);
	dt_bytes(t, name, be, n * sizeof(be[0]));
}

void dt_reg(struct dt *t, uint64_t base, uint64_t len)
{
	dt_cells(t, "reg", (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(len >> 32),
		 (uint32_t)len);
}

void dt_reg2(struct dt *t, uint64_t base, uint64_t len, uint64_t base2, uint64_t len2)
{
	dt_cells(t, "reg", (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(len >> 32),
		 (uint32_t)len, (uint32_t)(base2 >> 32), (uint32_t)base2,
		 (uint32_t)(len2 >> 32), (uint32_t)len2);
}
