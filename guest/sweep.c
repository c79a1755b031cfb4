// SPDX-License-Identifier: Apache-2.0
#include "guest/sweep.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/sys.h"

#define MIB	  ((size_t)1 << 20)
#define CHILDREN  8
#define SLOTS	  256
#define BLOCK_MAX (8 * MIB) /* larger than a huge page and the largest block of a free list */

/* In memory shared with the children. */
static struct {
	volatile bool stop;
	volatile struct sweep_report report[CHILDREN]; /* without died */
} * shared;

static pid_t children[CHILDREN];
static unsigned int child_count;

struct sweep {
	struct block slot[SLOTS]; /* a ring: `used` blocks from `oldest` on */
	unsigned int oldest, used;
	size_t held;
	uint32_t random;
	volatile struct sweep_report *report;
};

static uint32_t draw(struct sweep *s, uint32_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return (s->random >> 4) % below;
}

static bool take(struct sweep *s, size_t room)
{
	size_t most = room < BLOCK_MAX ? room : BLOCK_MAX;
	struct block *b = &s->slot[(s->oldest + s->used) % SLOTS];

	if (s->used == SLOTS || block_map(b, (1 + draw(s, most / MIB)) * MIB))
		return false;
	s->used++;
	block_fill(b, 0, b->len);
	s->held += b->len;
	return true;
}

/* The oldest: what was taken in a row becomes free in a row, in large blocks. */
static bool give(struct sweep *s)
{
	struct block *b = &s->slot[s->oldest];
	struct wrong_word wrong;

	if (block_verify(b, &wrong)) {
		s->report->wrong = wrong;
		return false;
	}
	s->report->bytes += b->len;
	s->held -= b->len;
	block_unmap(b);
	s->oldest = (s->oldest + 1) % SLOTS;
	s->used--;
	return true;
}

static void child_main(struct sweep *s, size_t share)
{
	sys_write_file("/proc/self/oom_score_adj", "1000");
	while (!shared->stop) {
		size_t level = draw(s, share / MIB + 1) * MIB;

		while (!shared->stop && s->held < share && take(s, share - s->held))
			;
		while (!shared->stop && s->held > level)
			if (!give(s))
				_exit(0);
		s->report->sweeps++;
	}
	while (s->used && give(s))
		;
	_exit(0);
}

static int share(void)
{
	void *addr;

	if (!shared) {
		addr = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (addr == MAP_FAILED)
			return -errno;
		shared = addr;
	}
	shared->stop = false;
	for (unsigned int i = 0; i < CHILDREN; i++)
		shared->report[i] = (struct sweep_report){0};
	return 0;
}

int sweep_start(size_t margin)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int count = cpus < 1 ? 1 : cpus > CHILDREN ? CHILDREN : cpus;
	size_t each = memory_fillable(margin) / count / MIB * MIB;
	int err;

	if (child_count)
		return -EALREADY;
	err = share();
	if (err)
		return err;
	if (!each)
		return -ENOMEM;
	for (; child_count < count; child_count++) {
		struct sweep s = {
			.random = 2463534242u + child_count,
			.report = &shared->report[child_count],
		};
		pid_t pid = fork();

		if (pid < 0) {
			struct sweep_report ignored;

			err = -errno;
			sweep_stop(&ignored);
			return err;
		}
		if (pid == 0)
			child_main(&s, each);
		children[child_count] = pid;
	}
	return 0;
}

int sweep_stop(struct sweep_report *report)
{
	int status;

	if (!child_count)
		return -ENOENT;
	*report = (struct sweep_report){0};
	shared->stop = true;
	while (child_count) {
		struct sweep_report r;

		if (waitpid(children[--child_count], &status, 0) < 0 || WIFSIGNALED(status))
			report->died = true;
		r = shared->report[child_count];
		report->sweeps += r.sweeps;
		report->bytes += r.bytes;
		if (r.wrong.addr)
			report->wrong = r.wrong;
	}
	return 0;
}
