// SPDX-License-Identifier: Apache-2.0
#include "vmm/mem/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/gmem_kinds.h"
#include "tests/unit/unit.h"

static struct gmem_region r;
static struct err err;

static bool map_kind(size_t k, uint64_t gpa, uint64_t len)
{
	if (!gmem_kind_possible(k, len))
		return false;
	r = (struct gmem_region){.gpa = gpa, .len = len};
	ck_assert_msg(!backing_map(&r, &gmem_kinds[k].config, &err), "%s: %s",
		      gmem_kinds[k].name, err.msg);
	return true;
}

START_TEST(hva_and_gpa_are_congruent)
{
	static const uint64_t gpas[] = {0, 4096, MIB, 2 * MIB - 4096, 3 * GIB + 12288, 4 * GIB};

	for (size_t k = 0; k < GMEM_KINDS; k++) {
		bool huge = gmem_kinds[k].config.backing == GMEM_HUGETLB;

		for (size_t i = 0; i < sizeof(gpas) / sizeof(gpas[0]); i++) {
			if (huge && gpas[i] % (2 * MIB))
				continue;
			if (!map_kind(k, gpas[i], 2 * MIB))
				break;
			ck_assert_uint_eq((uintptr_t)r.hva % BACKING_ALIGN,
					  gpas[i] % BACKING_ALIGN);
			if (r.fd >= 0)
				ck_assert_uint_eq(r.fd_off % BACKING_ALIGN,
						  gpas[i] % BACKING_ALIGN);
			r.hva[0] = r.hva[r.len - 1] = 1;
			backing_unmap(&r);
		}
	}
}
END_TEST

START_TEST(regions_say_how_to_discard)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		const struct gmem_config *c = &gmem_kinds[k].config;

		if (!map_kind(k, 0, 4 * MIB))
			continue;
		ck_assert_int_eq(r.backing, c->backing);
		ck_assert_uint_eq(r.page_shift, c->backing == GMEM_HUGETLB ? 21 : 12);
		ck_assert((r.fd >= 0) == (c->backing != GMEM_ANON));
		ck_assert_int_eq(r.dontneed, MADV_DONTNEED);
		if (r.fd >= 0)
			ck_assert_int_eq(fcntl(r.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		backing_unmap(&r);
		ck_assert_int_eq(r.fd, -1);
		backing_unmap(&r);
	}
}
END_TEST

/* What the host is said to have; the Makefile lets sysconf() come here. */
static long fake_page;
long __real_sysconf(int name);
long __wrap_sysconf(int name);

long __wrap_sysconf(int name)
{
	return name == _SC_PAGESIZE && fake_page ? fake_page : __real_sysconf(name);
}

START_TEST(large_host_pages_are_the_least_that_goes_back)
{
	static const struct gmem_span odd = {0, 2 * MIB + 4096};
	struct gmem m;

	for (fake_page = 4096; fake_page <= 65536; fake_page *= 4) {
		for (size_t k = 0; k < GMEM_KINDS; k++) {
			bool huge = gmem_kinds[k].config.backing == GMEM_HUGETLB;

			if (!map_kind(k, 4 * MIB, 2 * MIB))
				continue;
			ck_assert_uint_eq(1ull << r.page_shift,
					  huge ? 2 * MIB : (uint64_t)fake_page);
			/* The host can't map, nor discard, other than at multiples of it. */
			ck_assert_uint_eq((uintptr_t)r.hva % (uint64_t)fake_page, 0);
			ck_assert_uint_eq(r.fd_off % (uint64_t)fake_page, 0);
			backing_unmap(&r);
		}
	}
	fake_page = 65536;
	ck_assert_int_eq(gmem_create(&m, &odd, 1, &err), -EINVAL);
	ck_assert_str_eq(err.msg,
			 "-m/--mem: size: give a multiple of 64.0 KiB, this host's page");
	fake_page = 0;
	ck_assert_int_eq(gmem_create(&m, &odd, 1, &err), 0);
	gmem_destroy(&m);
}
END_TEST

START_TEST(very_huge_pages_are_warned_of)
{
	static const struct gmem_span span = {0, 2 * MIB};
	struct gmem_config config = {.backing = GMEM_ANON, .thp = GMEM_THP_OFF};
	struct gmem_info info;
	struct gmem m;

	for (fake_page = 4096; fake_page <= 16384; fake_page *= 4) {
		ck_assert_int_eq(gmem_create_with(&m, &span, 1, &config, &err), 0);
		gmem_query(&m, &info);
		ck_assert_uint_eq(info.nwarnings, 0);
		m.config.thp = GMEM_THP_ON;
		gmem_query(&m, &info);
		ck_assert_uint_eq(info.nwarnings, fake_page > 4096);
		gmem_destroy(&m);
	}
	ck_assert_ptr_nonnull(strstr(info.warning[0], "thp=off"));
	fake_page = 0;
}
END_TEST

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

static int fault_at(volatile uint8_t *p)
{
	int sig = sigsetjmp(fault, 1);

	if (!sig)
		*p = 1;
	return sig;
}

START_TEST(running_over_an_end_faults)
{
	signal(SIGSEGV, on_fault);
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		if (!map_kind(k, 0, 2 * MIB))
			continue;
		ck_assert_int_eq(fault_at(r.hva), 0);
		ck_assert_int_eq(fault_at(r.hva + r.len - 1), 0);
		ck_assert_int_eq(fault_at(r.hva - 1), SIGSEGV);
		ck_assert_int_eq(fault_at(r.hva + r.len), SIGSEGV);
		backing_unmap(&r);
	}
}
END_TEST

START_TEST(a_discard_gives_zeros)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		if (!map_kind(k, 2 * MIB, 4 * MIB))
			continue;
		memset(r.hva, 0x5a, r.len);
		ck_assert_int_eq(backing_discard(&r, false), 0);
		ck_assert_uint_eq(r.hva[0] | r.hva[r.len - 1], 0);
		ck_assert_int_eq(backing_reserve(&r), 0);
		backing_unmap(&r);
	}
}
END_TEST

static unsigned resident_pages(void)
{
	static unsigned char vec[1024];
	unsigned n = 0;

	ck_assert_int_eq(mincore(r.hva, r.len, vec), 0);
	for (uint64_t i = 0; i < r.len / 4096; i++)
		n += vec[i] & 1;
	return n;
}

START_TEST(populating_keeps_what_is_there)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		if (!map_kind(k, 0, 4 * MIB))
			continue;
		r.hva[3 * MIB] = 7;
		ck_assert_int_eq(backing_populate(&r), 0);
		ck_assert_msg(resident_pages() == 1024, "%s: %u", gmem_kinds[k].name,
			      resident_pages());
		ck_assert_uint_eq(r.hva[3 * MIB], 7);
		backing_unmap(&r);
	}
}
END_TEST

START_TEST(locked_memory_can_be_discarded)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		if (!map_kind(k, 0, 4 * MIB))
			continue;
		ck_assert_msg(!backing_lock(&r, &err), "%s", err.msg);
		/* Nothing came into memory by that. */
		ck_assert_uint_eq(resident_pages(), 0);
		memset(r.hva, 1, r.len);
		ck_assert_int_eq(backing_discard(&r, false), 0);
		ck_assert_uint_eq(resident_pages(), 0);
		/* As on a kernel that hasn't the advice. */
		r.dontneed = MADV_DONTNEED;
		memset(r.hva, 1, r.len);
		if (r.backing == GMEM_ANON)
			ck_assert_int_eq(backing_discard(&r, false), -EINVAL);
		ck_assert_int_eq(backing_discard(&r, true), 0);
		ck_assert_uint_eq(resident_pages(), 0);
		ck_assert_uint_eq(r.hva[0], 0);
		backing_unmap(&r);
	}
}
END_TEST

/* What lets root lock all it wants. */
static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	ck_assert_int_eq(syscall(SYS_capget, &head, data), 0);
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	ck_assert_int_eq(syscall(SYS_capset, &head, data), 0);
}

START_TEST(the_lock_limit_is_told)
{
	const struct rlimit none = {.rlim_cur = 64 * KIB, .rlim_max = 64 * KIB};

	drop_ipc_lock();
	setrlimit(RLIMIT_MEMLOCK, &none);
	ck_assert(map_kind(0, 0, 4 * MIB));
	ck_assert_int_eq(backing_lock(&r, &err), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(err.msg, "lock=on: cannot lock 4.0 MiB with a limit of "
					      "64.0 KiB"));
	backing_unmap(&r);
}
END_TEST

START_TEST(the_pool_of_an_odd_size)
{
	ck_assert_int_eq(backing_hugepages_free(3 * MIB), -1);
}
END_TEST

UNIT_MAIN("backing", hva_and_gpa_are_congruent, regions_say_how_to_discard,
	  large_host_pages_are_the_least_that_goes_back, very_huge_pages_are_warned_of,
	  running_over_an_end_faults, a_discard_gives_zeros, populating_keeps_what_is_there,
	  locked_memory_can_be_discarded, the_lock_limit_is_told, the_pool_of_an_odd_size)
