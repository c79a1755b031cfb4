// SPDX-License-Identifier: Apache-2.0
/* What a compiler expects even of a program without a library. */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int c, size_t n);

/* A loop that the compiler doesn't take for what it is, and makes it call itself. */
#define OPAQUE() __asm__ volatile("" : : : "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		((char *)to)[i] = ((const char *)from)[i];
		OPAQUE();
	}
	return to;
}

void *memset(void *to, int c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		((char *)to)[i] = (char)c;
		OPAQUE();
	}
	return to;
}
