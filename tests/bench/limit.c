// SPDX-License-Identifier: Apache-2.0
/*
 * limit MIB on|off KERNEL
 *
 * What the host needs at least to take the memory of a running guest back: the flat guest
 * touches its memory as in the benchmark, then one madvise gives all of it back, with the
 * guest's mappings present and the guest running. With or without transparent huge pages.
 * Prints
 * {"took_mib": ..., "took_ms": ...}.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/machine/private.h"

static struct machine *machine;

static void fail(const char *why)
{
	fprintf(stderr, "limit: %s\n", why);
	_exit(1);
}

/* The guest's "begin" line says where the memory that takes part starts; it goes on to the end.
 */
static uint64_t wait_ready(FILE *guest)
{
	char line[256];
	uint64_t from = 0;

	while (fgets(line, sizeof(line), guest)) {
		const char *at = strstr(line, "from=");

		if (at)
			from = strtoull(at + 5, NULL, 10);
		if (strstr(line, "ready"))
			return from;
	}
	fail("the guest ended early");
	return 0;
}

static void *discard_all(void *guest)
{
	uint64_t from = wait_ready(guest), bytes = 0, start;

	start = clock_now_ns();
	for (unsigned i = 0; i < machine->mem.nregions; i++) {
		struct gmem_region *r = &machine->mem.region[i];
		uint64_t skip = i == 0 ? from : 0;

		if (madvise(r->hva + skip, r->len - skip, MADV_DONTNEED))
			fail("madvise failed");
		bytes += r->len - skip;
	}
	fprintf(stderr, "{\"took_mib\": %llu, \"took_ms\": %.3f}\n",
		(unsigned long long)(bytes / MIB), (double)(clock_now_ns() - start) / 1e6);
	_exit(0);
}

/* The guest's serial line is our standard input and output. */
static FILE *take_serial_line(void)
{
	int in[2], out[2];

	if (pipe(in) || pipe(out) || dup2(in[0], STDIN_FILENO) < 0 ||
	    dup2(out[1], STDOUT_FILENO) < 0)
		fail("cannot make pipes");
	return fdopen(out[0], "r");
}

int main(int argc, char **argv)
{
	struct vm_config cfg;
	struct err err = {0};
	struct loop *loop;
	pthread_t thread;
	FILE *guest;
	bool huge;

	if (argc != 4) {
		fprintf(stderr, "usage: limit MIB on|off KERNEL\n");
		return 2;
	}
	huge = !strcmp(argv[2], "on");
	guest = take_serial_line();
	vm_config_init(&cfg);
	cfg.kernel = argv[3];
	cfg.mem = strtoull(argv[1], NULL, 10) * MIB;
	cfg.params = "mode=bench";
	cfg.balloon.enabled = true;
	if (vm_config_check(&cfg, &err))
		fail(err.msg);
	loop = loop_create();
	machine = loop ? machine_create(&cfg, loop, &err) : NULL;
	if (!machine)
		fail(err.msg);
	for (unsigned i = 0; i < machine->mem.nregions; i++)
		madvise(machine->mem.region[i].hva, machine->mem.region[i].len,
			huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (machine_start(machine, &err))
		fail(err.msg);
	if (pthread_create(&thread, NULL, discard_all, guest))
		fail("cannot start a thread");
	loop_run(loop);
	fail("the guest ended early");
}
