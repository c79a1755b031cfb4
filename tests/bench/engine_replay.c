// SPDX-License-Identifier: Apache-2.0
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/bench/engine.h"
#include "vmm/base/clock.h"
#include "vmm/base/size.h"
#include "vmm/mem/backing.h"
#include "vmm/reclaim/reclaim.h"

#define GONE_SECONDS 20
/*
 * A guest takes its time between two messages, and the engine uses it. 4 GiB/s is more than a
 * stock driver was seen to send; 0 is one message right behind the other.
 */
static const unsigned rates[] = {0, 4096}; /* MiB/s */

static const struct {
	const char *name;
	enum reclaim_kind kind;
} backends[] = {
	{"uring", RECLAIM_URING},
	{"thread", RECLAIM_THREAD},
	{"sync", RECLAIM_SYNC},
	{"none", RECLAIM_NONE},
};

struct replay {
	const struct stream *s;
	struct gmem mem;
	struct reclaim *r;
	uint64_t slowest; /* ns, of all messages */
};

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static double mib(uint64_t pages)
{
	return (double)(pages * GMEM_PAGE_SIZE) / (double)MIB;
}

/* As the vCPU's time passes while its guest allocates. */
static void wait_busy(uint64_t until)
{
	while (clock_now_ns() < until)
		__builtin_ia32_pause();
}

static void send(struct replay *p, const uint32_t *pfn, size_t n, bool take)
{
	struct reclaim_bad bad = {0};
	uint64_t start = clock_now_ns(), took;

	if (take) {
		reclaim_take(p->r, pfn, n, &bad);
		reclaim_settle(p->r, true);
	} else {
		reclaim_give(p->r, pfn, n, &bad);
	}
	took = clock_now_ns() - start;
	if (took > p->slowest)
		p->slowest = took;
}

/* Messages [from, to) of the stream, whose page numbers begin at pfn; ns. */
static uint64_t send_all(struct replay *p, size_t from, size_t to, const uint32_t *pfn,
			 unsigned rate)
{
	uint64_t start = clock_now_ns(), pages = 0;

	for (size_t i = from; i < to; i++) {
		if (rate)
			wait_busy(start + pages * GMEM_PAGE_SIZE * NSEC_PER_SEC / (rate * MIB));
		send(p, pfn + pages, p->s->len[i], i < p->s->takes);
		pages += p->s->len[i];
	}
	return clock_now_ns() - start;
}

/* False: there are still pages after GONE_SECONDS. */
static bool wait_gone(struct replay *p)
{
	uint64_t end = clock_now_ns() + GONE_SECONDS * NSEC_PER_SEC;
	struct reclaim_stats st;

	do {
		reclaim_stats(p->r, &st);
		if (st.pages.discarded == st.pages.ballooned)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
	} while (clock_now_ns() < end);
	return false;
}

static uint64_t still_resident(struct replay *p)
{
	struct audit a = {0};
	uint64_t at = 0;

	while (reclaim_audit(p->r, &at, &a) > 0)
		;
	return a.resident;
}

static void measure(struct replay *p, enum reclaim_kind kind, unsigned rate)
{
	struct reclaim_stats st;
	uint64_t start = clock_now_ns(), acked, gone, given, slowest;
	bool all;

	acked = send_all(p, 0, p->s->takes, p->s->pfn, rate);
	reclaim_no_more(p->r); /* as the balloon does that has reached its target */
	all = wait_gone(p);
	gone = clock_now_ns() - start;
	slowest = p->slowest;
	reclaim_stats(p->r, &st);
	if (kind != RECLAIM_NONE && (!all || st.discard_errors || still_resident(p)))
		printf("\"failed\": true, ");
	given = send_all(p, p->s->takes, p->s->nlens, p->s->pfn + p->s->pages, 0);
	printf("\"mib\": %.0f, \"acked_ms\": %.3f, ", mib(p->s->pages), ms(acked));
	if (kind != RECLAIM_NONE)
		printf("\"gone_ms\": %.3f, \"calls\": %llu, \"run_kib\": %.1f, ", ms(gone),
		       (unsigned long long)st.discard_calls,
		       st.discard_runs
			       ? (double)st.discard_bytes / 1024 / (double)st.discard_runs
			       : 0);
	printf("\"peak_mib\": %.1f, \"full_waits\": %llu, \"slowest_us\": %.1f, "
	       "\"given_ms\": %.3f",
	       mib(st.backlog_peak), (unsigned long long)st.full_waits, (double)slowest / 1e3,
	       ms(given));
}

static bool setup(struct replay *p, enum reclaim_kind kind, bool huge)
{
	const struct gmem_span span = {0, p->s->ram * GMEM_PAGE_SIZE};
	const struct gmem_config memory = {.thp = huge ? GMEM_THP_ON : GMEM_THP_OFF};
	const struct reclaim_config cfg = {.kind = kind};
	struct err err = {0};

	if (gmem_create_with(&p->mem, &span, 1, &memory, &err)) {
		fprintf(stderr, "engine: %s\n", err.msg);
		exit(1);
	}
	/* A guest has written to all of it. */
	if (kind != RECLAIM_NONE &&
	    madvise(p->mem.region[0].hva, p->mem.region[0].len, MADV_POPULATE_WRITE)) {
		perror("engine: cannot populate");
		exit(1);
	}
	p->r = reclaim_create(&p->mem, &cfg, &err);
	if (!p->r) {
		fprintf(stderr, "engine: left out: %s\n", err.msg);
		gmem_destroy(&p->mem);
	}
	return p->r;
}

void bench_replay(const struct stream *s, unsigned round)
{
	const char *path;
	bool may_be_huge = backing_thp_allowed(GMEM_ANON, &path);

	if (!may_be_huge)
		fprintf(stderr, "engine: no transparent huge pages here, see %s\n", path);
	for (unsigned i = 0; i < 2 * sizeof(rates) / sizeof(rates[0]); i++) {
		unsigned rate = rates[i / 2];
		bool huge = i % 2;

		for (size_t b = 0; b < sizeof(backends) / sizeof(backends[0]); b++) {
			struct replay p = {.s = s};

			/* Its only limit is the speed at which messages come. */
			if (rate && backends[b].kind == RECLAIM_NONE)
				continue;
			if ((huge && !may_be_huge) || !setup(&p, backends[b].kind, huge))
				continue;
			printf("{\"case\": \"replay\", \"round\": %u, \"stream\": \"%s\", "
			       "\"backend\": \"%s\", \"thp\": \"%s\", \"rate\": %u, ",
			       round, s->name, backends[b].name, huge ? "on" : "off", rate);
			measure(&p, backends[b].kind, rate);
			printf("}\n");
			fflush(stdout);
			reclaim_destroy(p.r);
			gmem_destroy(&p.mem);
		}
	}
}
