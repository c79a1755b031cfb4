/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running VMs that are none: takes the place of vmm/ctl/client.c and rundir.c in tests of the
 * command line, which then run without sockets. Each VM answers the commands of
 * vmm/ctl/commands.h from the fields below. The functions are in this header, not in the tests'
 * archive: there they would take the real ones' place in tests that want those.
 */
#ifndef AEROSTAT_TESTS_FAKE_CTL_H
#define AEROSTAT_TESTS_FAKE_CTL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cli/cli.h"
#include "vmm/ctl/client.h"

struct fake_vm {
	const char *name;
	int connect_rc; /* not 0: why it can't be reached */
	bool paused, balloon, driver, needs_reset;
	uint64_t ram, target, actual; /* bytes */
	uint64_t step;	       /* bytes that the balloon moves each time the VM is asked */
	uint64_t stall_at;     /* bytes it doesn't get beyond; 0: none */
	uint64_t other_target; /* someone sets this one after ours; 0: no one */
	unsigned answers_late; /* asked this often before statistics come; 0: at once */
	uint64_t seq;	       /* of the statistics */
	uint64_t cheated;      /* bytes of the balloon that an audit finds in use */
	bool closes;	       /* at its end: it powers off when asked */
	/* A trim passes one state each time it is looked at; later ones go on with its number.
	 */
	uint64_t free;		 /* bytes that the guest hints; the host gets all but 1 MiB */
	uint64_t refused;	 /* bytes of those that the host's kernel refused */
	const char *trim_end;	 /* what it ends as; NULL: "done" */
	const char *trim_why;	 /* the reason of one that failed */
	const char *trim_sticks; /* the state that it stays in; NULL: none */
	unsigned trim_next;	 /* it makes room for another one at this look; 0: never */
	bool trim_too_late;	 /* it ends just before it is cancelled */
	bool trim_deaf;		 /* it goes on when it is cancelled */
	uint64_t trim_seq;
	const char *trim_state; /* of the last look; NULL: there was none */
	/* What was asked of it. */
	unsigned targets, powerdowns, quits, stops, conts, statistics, trims, looks, cancels;
};

#define FAKE_VMS 4
static struct fake_vm fake_vms[FAKE_VMS]; /* up to the first without a name */

struct fake_run {
	int status;
	char out[8192], err[2048];
};

/* Run a command with these words, the last NULL, and catch what it prints. */
static void fake_run(struct fake_run *r, const struct command *c, const char *const *words);
#define FAKE_RUN(r, c, ...) fake_run(r, c, (const char *const[]){__VA_ARGS__, NULL})

/* Does the text have exactly so many lines, all ended? */
static bool fake_lines(const char *text, unsigned n);

/* ---- the fakes ---- */

struct ctl_client {
	struct fake_vm *vm;
};

int rundir_open(struct rundir *d, bool create, struct err *err)
{
	(void)create;
	(void)err;
	snprintf(d->path, sizeof(d->path), "/nowhere");
	return 0;
}

int rundir_socket(const struct rundir *d, const char *name, char out[RUNDIR_PATH_MAX],
		  struct err *err)
{
	(void)d;
	(void)name;
	(void)out;
	return err_set(err, -ENAMETOOLONG, "there are no sockets");
}

int rundir_each(const struct rundir *d, int (*fn)(void *opaque, const char *name), void *opaque,
		struct err *err)
{
	(void)d;
	(void)err;
	for (unsigned i = 0; i < FAKE_VMS && fake_vms[i].name; i++) {
		int rc = fn(opaque, fake_vms[i].name);

		if (rc)
			return rc;
	}
	return 0;
}

struct ctl_client *ctl_connect(const struct rundir *d, const char *name, int timeout_ms,
			       int *rc, struct err *err)
{
	struct ctl_client *c;

	(void)d;
	(void)timeout_ms;
	for (unsigned i = 0; i < FAKE_VMS && fake_vms[i].name; i++) {
		if (strcmp(name, fake_vms[i].name))
			continue;
		*rc = fake_vms[i].connect_rc;
		if (*rc) {
			err_set(err, *rc, "VM '%s' cannot be reached", name);
			return NULL;
		}
		c = malloc(sizeof(*c));
		c->vm = &fake_vms[i];
		return c;
	}
	*rc = err_set(err, -ENOENT, "no VM named '%s'", name);
	return NULL;
}

void ctl_close(struct ctl_client *c)
{
	free(c);
}

pid_t ctl_peer_pid(const struct ctl_client *c)
{
	(void)c;
	return -1;
}

int ctl_wait_closed(struct ctl_client *c, int timeout_ms)
{
	if (c->vm->closes || c->vm->quits)
		return 0;
	usleep((useconds_t)timeout_ms * 1000);
	return -ETIMEDOUT;
}

static void move(struct fake_vm *vm)
{
	uint64_t to = vm->other_target && vm->targets ? vm->other_target : vm->target;

	vm->target = to;
	if (vm->stall_at && to > vm->stall_at)
		to = vm->stall_at;
	if (vm->actual < to)
		vm->actual += to - vm->actual < vm->step ? to - vm->actual : vm->step;
	else
		vm->actual -= vm->actual - to < vm->step ? vm->actual - to : vm->step;
}

static const char *state_of(const struct fake_vm *vm)
{
	if (!vm->driver)
		return "idle";
	if (vm->actual == vm->target)
		return "reached";
	if (vm->actual == vm->stall_at)
		return "stalled";
	return vm->actual < vm->target ? "inflating" : "deflating";
}

static json_t *statistics(const struct fake_vm *vm)
{
	if (!vm->seq)
		return json_null();
	return json_pack("{s:I, s:i, s:i, s:{s:I}, s:{s:i}}", "seq", (json_int_t)vm->seq,
			 "age_ms", 7, "unknown_tags", 0, "bytes", "free",
			 (json_int_t)(96 << 20), "counts", "major-faults", 42);
}

static json_t *stat(struct fake_vm *vm)
{
	json_t *b = json_null();

	move(vm);
	if (vm->balloon)
		b = json_pack(
			"{s:s, s:b, s:b, s:I, s:I, s:I, s:i, s:i, s:i, s:{s:I, s:i}, s:o}",
			"state", state_of(vm), "driver", vm->driver, "needs_reset",
			vm->needs_reset, "target_bytes", (json_int_t)vm->target, "actual_bytes",
			(json_int_t)vm->actual, "ballooned_bytes", (json_int_t)vm->actual,
			"progress_age_ms", 1500, "inflate_messages", 3, "violations", 9,
			"reclaim", "discard_bytes_total", (json_int_t)vm->actual,
			"discard_calls", 11, "statistics", statistics(vm));
	return json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:{s:s, s:I, s:s, s:[s]}, s:o}",
			 "name", vm->name, "status", vm->paused ? "paused" : "running", "pid",
			 4711, "cpus", 2, "ram_bytes", (json_int_t)vm->ram, "resident_bytes",
			 (json_int_t)(vm->ram - vm->actual), "memory", "backing", "memfd",
			 "host_page_bytes", (json_int_t)4096, "thp", "off", "warnings",
			 "it is cold", "balloon", b);
}

static json_t *set_target(struct fake_vm *vm, const json_t *args)
{
	const json_t *relative = json_object_get(args, "relative");
	json_int_t to = json_integer_value(json_object_get(args, "target"));

	if (relative)
		to = (json_int_t)vm->target + json_integer_value(relative);
	vm->targets++;
	vm->target = to < 0 ? 0 : (uint64_t)to;
	return json_pack("{s:I}", "target_bytes", (json_int_t)vm->target);
}

static json_t *refresh(struct fake_vm *vm)
{
	uint64_t seq = vm->seq;

	if (vm->statistics++ >= vm->answers_late)
		vm->seq++;
	return json_pack("{s:b, s:I, s:o}", "fresh", false, "seq", (json_int_t)seq,
			 "statistics", statistics(vm));
}

static json_t *audit(const struct fake_vm *vm)
{
	return json_pack("{s:I, s:I, s:s}", "discarded_bytes", (json_int_t)vm->actual,
			 "resident_bytes", (json_int_t)vm->cheated, "method", "mincore");
}

static bool trim_runs(const struct fake_vm *vm)
{
	return vm->trim_state && strcmp(vm->trim_state, "cancelled") &&
	       strcmp(vm->trim_state, vm->trim_end ? vm->trim_end : "done");
}

/* NULL: refused, with *err. */
static json_t *trim(struct fake_vm *vm, struct err *err)
{
	if (trim_runs(vm)) {
		err_set(err, 0, "a trim is under way");
		return NULL;
	}
	vm->trims++;
	vm->looks = 0;
	vm->trim_state = "arming";
	return json_pack("{s:I}", "seq", (json_int_t)++vm->trim_seq);
}

static json_t *trim_cancel(struct fake_vm *vm, const json_t *args, struct err *err)
{
	const json_t *seq = json_object_get(args, "seq");

	vm->cancels++;
	if (vm->trim_too_late)
		vm->trim_state = "done";
	if (!trim_runs(vm) || (seq && (uint64_t)json_integer_value(seq) != vm->trim_seq)) {
		err_set(err, 0, "no trim is under way");
		return NULL;
	}
	if (!vm->trim_deaf)
		vm->trim_state = "cancelled";
	return json_object();
}

static json_t *trim_look(struct fake_vm *vm)
{
	const char *states[] = {"arming", "hinting", "sifting", "discarding",
				vm->trim_end ? vm->trim_end : "done"};
	bool sticks =
		vm->trim_sticks && vm->trim_state && !strcmp(vm->trim_state, vm->trim_sticks);
	uint64_t hinted, gone = 0;

	vm->looks++;
	if (vm->looks == vm->trim_next)
		vm->trim_seq++;
	if (trim_runs(vm) && !sticks)
		vm->trim_state = states[vm->looks - 1];
	hinted = strcmp(vm->trim_state, "arming") ? vm->free : 0;
	if (!strcmp(vm->trim_state, "discarding"))
		gone = vm->free / 2;
	else if (!strcmp(vm->trim_state, "done"))
		gone = vm->free - vm->refused - (1 << 20);
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:i}", "seq",
			 (json_int_t)vm->trim_seq, "state", vm->trim_state, "reason",
			 vm->trim_why ? vm->trim_why : "", "hinted_bytes", (json_int_t)hinted,
			 "discarded_bytes", (json_int_t)gone, "failed_bytes",
			 (json_int_t)(gone ? vm->refused : 0), "pauses", gone ? 12 : 0,
			 "pause_max_us", gone ? 4099 : 0, "elapsed_ms", 3210);
}

static json_t *answer(struct fake_vm *vm, const char *command, const json_t *args,
		      struct err *err)
{
	if (!strcmp(command, "x-aerostat-stat"))
		return stat(vm);
	if (!strcmp(command, "x-aerostat-balloon"))
		return set_target(vm, args);
	if (!strcmp(command, "x-aerostat-balloon-stats"))
		return refresh(vm);
	if (!strcmp(command, "x-aerostat-audit"))
		return audit(vm);
	if (!strcmp(command, "x-aerostat-trim"))
		return trim(vm, err);
	if (!strcmp(command, "x-aerostat-trim-cancel"))
		return trim_cancel(vm, args, err);
	if (!strcmp(command, "x-aerostat-query-trim"))
		return trim_look(vm);
	if (!strcmp(command, "query-status"))
		return json_pack("{s:s}", "status", vm->paused ? "paused" : "running");
	vm->powerdowns += !strcmp(command, "system_powerdown");
	vm->quits += !strcmp(command, "quit");
	vm->stops += !strcmp(command, "stop");
	vm->conts += !strcmp(command, "cont");
	return json_object();
}

int ctl_execute(struct ctl_client *c, const char *command, json_t *args, int timeout_ms,
		json_t **ret, struct err *err)
{
	json_t *a;

	(void)timeout_ms;
	if ((!strncmp(command, "x-aerostat-balloon", 18) ||
	     !strcmp(command, "x-aerostat-trim")) &&
	    !c->vm->driver)
		return err_set(err, -EREMOTEIO, "the guest has no balloon driver");
	a = answer(c->vm, command, args, err);
	if (!a)
		return -EREMOTEIO;
	if (ret)
		*ret = json_incref(a);
	json_decref(a);
	return 0;
}

static void read_back(FILE *f, char *text, size_t cap)
{
	rewind(f);
	text[fread(text, 1, cap - 1, f)] = '\0';
	fclose(f);
}

static __attribute__((unused)) void fake_run(struct fake_run *r, const struct command *c,
					     const char *const *words)
{
	FILE *out = tmpfile();
	FILE *err = tmpfile();
	int old_out = dup(STDOUT_FILENO);
	int old_err = dup(STDERR_FILENO);
	int n = 0;

	while (words[n])
		n++;
	fflush(stdout);
	dup2(fileno(out), STDOUT_FILENO);
	dup2(fileno(err), STDERR_FILENO);
	r->status = c->main(n, (char **)words);
	fflush(stdout);
	dup2(old_out, STDOUT_FILENO);
	dup2(old_err, STDERR_FILENO);
	close(old_out);
	close(old_err);
	read_back(out, r->out, sizeof(r->out));
	read_back(err, r->err, sizeof(r->err));
}

static __attribute__((unused)) bool fake_lines(const char *text, unsigned n)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		n -= text[i] == '\n';
	return !n && (!len || text[len - 1] == '\n');
}

#endif
