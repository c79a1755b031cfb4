// SPDX-License-Identifier: Apache-2.0
#include "guest/workload.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/sys.h"

#define MIB	       ((size_t)1 << 20)
#define PAGE	       4096
#define BUSY_SLOTS     8
#define BUSY_BLOCK_MAX (8 * MIB) /* small enough for many rounds on an emulated host */
#define BUSY_PAUSE_US  1000 /* between blocks: on one vCPU the command loop wants its turn */

/* In memory shared with the child. */
static struct {
	volatile struct busy_report busy;
	volatile struct oom_report oom;
} * shared;

static pid_t busy_pid;

static int share(void)
{
	void *addr;

	if (shared)
		return 0;
	addr = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	if (addr == MAP_FAILED)
		return -errno;
	shared = addr;
	return 0;
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A slot that holds a block gives it back after a check, an empty one takes a new one. */
static int busy_step(struct block *slot, uint32_t random)
{
	size_t limit = memory_fillable(0) / 2 / BUSY_SLOTS;
	struct wrong_word wrong;

	if (slot->addr) {
		if (block_verify(slot, &wrong)) {
			shared->busy.wrong = wrong;
			return -EIO;
		}
		shared->busy.rounds++;
		shared->busy.bytes += slot->len;
		block_unmap(slot);
		return 0;
	}
	if (limit > BUSY_BLOCK_MAX)
		limit = BUSY_BLOCK_MAX;
	if (limit < MIB)
		return 0; /* everything is taken: wait for better times */
	if (!block_map(slot, MIB + random % (limit / MIB) * MIB))
		block_fill(slot, 0, slot->len);
	return 0;
}

static void busy_main(void)
{
	struct block slots[BUSY_SLOTS] = {0};
	uint32_t random = 2463534242u;

	sys_write_file("/proc/self/oom_score_adj", "1000");
	do {
		usleep(BUSY_PAUSE_US);
		next_random(&random);
	} while (!busy_step(&slots[(random >> 8) % BUSY_SLOTS], random >> 16));
	_exit(0);
}

int busy_start(void)
{
	int err = share();

	if (err)
		return err;
	if (busy_pid)
		return -EALREADY;
	shared->busy = (struct busy_report){0};
	busy_pid = fork();
	if (busy_pid == 0)
		busy_main();
	if (busy_pid < 0) {
		busy_pid = 0;
		return -errno;
	}
	return 0;
}

int busy_stop(struct busy_report *report)
{
	int status;

	if (!busy_pid)
		return -ENOENT;
	/* Ended before it was told to: by itself after an error, or by the OOM killer. */
	if (waitpid(busy_pid, &status, WNOHANG) == busy_pid) {
		shared->busy.died = WIFSIGNALED(status);
	} else {
		kill(busy_pid, SIGKILL);
		waitpid(busy_pid, &status, 0);
	}
	busy_pid = 0;
	*report = shared->busy;
	return 0;
}

static void oom_main(size_t len)
{
	struct wrong_word wrong;
	struct block b;

	sys_write_file("/proc/self/oom_score_adj", "1000");
	if (block_map(&b, len))
		_exit(1);
	for (size_t off = 0; off < len; off += MIB) {
		block_fill(&b, off, off + MIB);
		shared->oom.touched = off + MIB;
	}
	if (block_verify(&b, &wrong))
		shared->oom.wrong = wrong;
	_exit(0);
}

int oom_run(size_t len, struct oom_report *report)
{
	int status, err = share();
	pid_t pid;

	if (err)
		return err;
	shared->oom = (struct oom_report){0};
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		oom_main(len);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return -ENOMEM;
	*report = shared->oom;
	report->killed = WIFSIGNALED(status);
	return 0;
}

int churn_run(size_t len, uint64_t ms, struct churn_report *report)
{
	uint64_t start = sys_clock_ms(CLOCK_MONOTONIC);
	struct block b;
	int err;

	*report = (struct churn_report){0};
	do {
		err = block_map(&b, len);
		if (err)
			return err;
		for (size_t off = 0; off < len; off += PAGE)
			*(volatile uint64_t *)((char *)b.addr + off) = b.seed;
		block_unmap(&b);
		report->bytes += len;
		report->ms = sys_clock_ms(CLOCK_MONOTONIC) - start;
	} while (report->ms < ms);
	return 0;
}
