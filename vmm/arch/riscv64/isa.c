// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/isa.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* At KVM's numbers. */
static const char *const names[ISA_KNOWN] = {
	"a",	    "c",       "d",	    "f",	   "h",	     "i",	 "m",
	"svpbmt",   "sstc",    "svinval",   "zihintpause", "zicbom", "zicboz",	 "zbb",
	"ssaia",    "v",       "svnapot",   "zba",	   "zbs",    "zicntr",	 "zicsr",
	"zifencei", "zihpm",   "smstateen", "zicond",	   "zbc",    "zbkb",	 "zbkc",
	"zbkx",	    "zknd",    "zkne",	    "zknh",	   "zkr",    "zksed",	 "zksh",
	"zkt",	    "zvbb",    "zvbc",	    "zvkb",	   "zvkg",   "zvkned",	 "zvknha",
	"zvknhb",   "zvksed",  "zvksh",	    "zvkt",	   "zfh",    "zfhmin",	 "zihintntl",
	"zvfh",	    "zvfhmin", "zfa",	    "ztso",	   "zacas",  "sscofpmf", "zimop",
	"zca",	    "zcb",     "zcd",	    "zcf",	   "zcmop",  "zawrs",
};

/* Letters in the order of the ISA manual, then unprivileged extensions, then the others. */
static unsigned order(const char *name)
{
	static const char letters[] = "imafdqcvh";

	if (!name[1])
		return (unsigned)(strchr(letters, name[0]) - letters);
	return sizeof(letters) + (name[0] != 'z');
}

static bool before(const char *a, const char *b)
{
	return order(a) != order(b) ? order(a) < order(b) : strcmp(a, b) < 0;
}

size_t isa_list(uint64_t set, const char *list[ISA_KNOWN])
{
	size_t n = 0;

	for (unsigned i = 0; i < ISA_KNOWN; i++) {
		size_t at = n;

		if (!ISA_HAS(set, i))
			continue;
		for (; at && before(names[i], list[at - 1]); at--)
			list[at] = list[at - 1];
		list[at] = names[i];
		n++;
	}
	return n;
}

void isa_string(uint64_t set, char text[ISA_TEXT])
{
	const char *list[ISA_KNOWN];
	size_t n = isa_list(set, list);
	int len = snprintf(text, ISA_TEXT, "rv64");

	for (size_t i = 0; i < n; i++) {
		len += snprintf(text + len, ISA_TEXT - (size_t)len, "%s%s",
				list[i][1] ? "_" : "", list[i]);
		assert(len < ISA_TEXT);
	}
}
