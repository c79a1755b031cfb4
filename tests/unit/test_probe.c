// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/probe.h"

#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"

static enum x86_virt parse(const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	enum x86_virt v;

	ck_assert_ptr_nonnull(f);
	v = x86_virt_parse(f);
	fclose(f);
	return v;
}

START_TEST(flags_tell_the_kind)
{
	ck_assert_int_eq(parse("model name\t: X\nflags\t\t: fpu svm nx\n"), X86_VIRT_SVM);
	ck_assert_int_eq(parse("flags\t\t: vmx\n"), X86_VIRT_VMX);
	ck_assert_int_eq(parse("flags\t\t: fpu nx vmx"), X86_VIRT_VMX);
}
END_TEST

START_TEST(only_whole_words_of_the_flags_line_count)
{
	ck_assert_int_eq(parse("flags\t\t: fpu svm_lock avmx vmxx\n"), X86_VIRT_NONE);
	ck_assert_int_eq(parse("model name\t: svm vmx\nflags\t\t: fpu\n"), X86_VIRT_NONE);
	ck_assert_int_eq(parse("flags\t\t: fpu\nvmx flags\t: vnmi\n"), X86_VIRT_NONE);
	ck_assert_int_eq(parse("processor\t: 0\n"), X86_VIRT_NONE);
}
END_TEST

START_TEST(the_host_has_one_line)
{
	char line[80];

	arch_host_virt(line, sizeof(line));
	ck_assert(!strcmp(line, "AMD SVM") || !strcmp(line, "Intel VT-x") ||
		  !strncmp(line, "none", 4));
	arch_host_virt(line, 3);
	ck_assert_uint_eq(strlen(line), 2);
}
END_TEST

UNIT_MAIN("probe", flags_tell_the_kind, only_whole_words_of_the_flags_line_count,
	  the_host_has_one_line)
