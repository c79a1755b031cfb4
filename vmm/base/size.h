/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AEROSTAT_BASE_SIZE_H
#define AEROSTAT_BASE_SIZE_H

#include <stdint.h>

#define KIB 1024ull
#define MIB (1024ull * KIB)
#define GIB (1024ull * MIB)
#define TIB (1024ull * GIB)

/*
 * Parse "512", "512M", "1G", "64KiB", "1.5G" into bytes. A bare number is in default_unit bytes
 * (MIB for memory sizes, as lkvm has it). Suffixes: B K M G T, either case, optionally followed
 * by "B" or "iB"; all are powers of 1024. Returns 0, -EINVAL (not a size), or -ERANGE (more
 * than 64 bits). *bytes is untouched on error.
 */
int size_parse(const char *s, uint64_t default_unit, uint64_t *bytes);

/* "512.0 MiB", "1.5 GiB", "0 B", for people. Writes at most SIZE_TEXT bytes, NUL included. */
#define SIZE_TEXT 24
char *size_format(uint64_t bytes, char out[SIZE_TEXT]);

#endif
