// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <stdlib.h>

#include "vmm/base/clock.h"
#include "vmm/base/size.h"
#include "vmm/cli/balloon_wait.h"
#include "vmm/cli/trim_wait.h"
#include "vmm/cli/vm_report.h"
#include "vmm/cli/vms.h"

struct balloon_args {
	struct cli_select select;
	uint64_t inflate, deflate, target;
	bool wait, trim, audit;
	uint32_t timeout; /* seconds */
};

#define AT(member) offsetof(struct balloon_args, member)

static const struct opt rows[] = {
	CLI_SELECT_ROWS(struct balloon_args),
	{.letter = 'i',
	 .name = "inflate",
	 .type = OPT_SIZE,
	 .offset = AT(inflate),
	 .arg = "SIZE",
	 .unit = MIB,
	 .max = 4096 * TIB,
	 .help = "take SIZE more from the guest (a bare number is MiB)"},
	{.letter = 'd',
	 .name = "deflate",
	 .type = OPT_SIZE,
	 .offset = AT(deflate),
	 .arg = "SIZE",
	 .unit = MIB,
	 .max = 4096 * TIB,
	 .help = "give SIZE back to the guest, at most all it gave"},
	{.letter = 't',
	 .name = "target",
	 .type = OPT_SIZE,
	 .offset = AT(target),
	 .arg = "SIZE",
	 .unit = MIB,
	 .max = 4096 * TIB,
	 .help = "have the balloon hold SIZE in all: what the guest\ndoes without, not what is "
		 "left to it"},
	{.name = "trim",
	 .type = OPT_FLAG,
	 .offset = AT(trim),
	 .help = "have the guest say what it has free, and give all of\nthat to the host, "
		 "once"},
	{.name = "audit",
	 .type = OPT_FLAG,
	 .offset = AT(audit),
	 .help = "is what the guest gave still out of use?"},
	{.letter = 'w',
	 .name = "wait",
	 .type = OPT_FLAG,
	 .offset = AT(wait),
	 .help = "until the guest has done it"},
	{.name = "timeout",
	 .type = OPT_UINT,
	 .offset = AT(timeout),
	 .arg = "SECONDS",
	 .min = 1,
	 .max = 1000000,
	 .help = "the longest --wait (default 60)"},
};
static const struct opt_table table = OPT_TABLE(rows);

enum action { SHOW, INFLATE, DEFLATE, TARGET, TRIM, AUDIT };

/* The one action asked for; CLI_GO, or CLI_USAGE and it was said. */
static int check(const struct balloon_args *a, const struct options_found *found,
		 enum action *action)
{
	static const char *const names[] = {
		[INFLATE] = "inflate", [DEFLATE] = "deflate", [TARGET] = "target",
		[TRIM] = "trim",       [AUDIT] = "audit",
	};

	*action = SHOW;
	for (int i = INFLATE; i <= AUDIT; i++) {
		if (!options_given(&table, found, names[i]))
			continue;
		if (*action != SHOW) {
			cli_error(&cmd_balloon, "--%s and --%s exclude each other; give one",
				  names[*action], names[i]);
			return CLI_USAGE;
		}
		*action = (enum action)i;
	}
	if ((*action == SHOW || *action == AUDIT) && a->wait) {
		cli_error(&cmd_balloon, "-w/--wait waits for an action; give --inflate, "
					"--deflate, --target or --trim");
		return CLI_USAGE;
	}
	return cli_select_check(&cmd_balloon, &a->select);
}

/* The VM's balloon object, borrowed from *stat, which the caller drops; NULL: said. */
static const json_t *query(struct cli_vms *v, struct cli_vm *vm, json_t **stat)
{
	const json_t *b;

	if (vms_execute(v, vm, "x-aerostat-stat", NULL, stat))
		return NULL;
	b = json_object_get(*stat, "balloon");
	if (json_is_object(b))
		return b;
	vms_error(v, vm, "the VM has no balloon; start it with --balloon");
	json_decref(*stat);
	return NULL;
}

static void show(struct cli_vms *v)
{
	for (size_t i = 0; i < v->n; i++) {
		char text[REPORT_BALLOON];
		json_t *stat;
		const json_t *b = query(v, &v->vm[i], &stat);

		if (!b)
			continue;
		printf("%s: %s\n", v->vm[i].name, report_balloon(b, text));
		json_decref(stat);
	}
}

/*
 * What to wait for, one of `size` bytes for each VM: all guests work at the same time, then one
 * after the other is waited for. All zeros, the caller's to free; NULL: said.
 */
static void *waits(struct cli_vms *v, size_t size)
{
	void *w = calloc(v->n + 1, size);

	if (!w) {
		cli_error(v->command, "out of memory");
		v->failed = true;
	}
	return w;
}

/* As a check does: a page in use again is a failure, which a script sees by the status. */
static void audit(struct cli_vms *v)
{
	for (size_t i = 0; i < v->n; i++) {
		struct cli_vm *vm = &v->vm[i];
		uint64_t gone, resident;
		json_t *answer;

		if (vms_execute(v, vm, "x-aerostat-audit", NULL, &answer))
			continue;
		gone = report_number(answer, "discarded_bytes");
		resident = report_number(answer, "resident_bytes");
		json_decref(answer);
		if (resident)
			vms_error(v, vm, "%s of the %s that went to the host are in use again",
				  cli_size(resident), cli_size(gone));
		else
			printf("%s: %s went to the host, none of it is in use again\n",
			       vm->name, cli_size(gone));
	}
}

/* Begin one VM's trim and note in *w what to wait for. */
static void begin_trim(struct cli_vms *v, struct cli_vm *vm, struct trim_wait *w)
{
	json_t *answer;

	w->start_ns = clock_now_ns();
	if (vms_execute(v, vm, "x-aerostat-trim", NULL, &answer))
		return;
	w->seq = report_number(answer, "seq");
	json_decref(answer);
}

static void trim(struct cli_vms *v, const struct balloon_args *a)
{
	struct trim_wait *w = waits(v, sizeof(*w));

	if (!w)
		return;
	for (size_t i = 0; i < v->n; i++)
		begin_trim(v, &v->vm[i], &w[i]);
	for (size_t i = 0; i < v->n; i++) {
		w[i].deadline_ns = w[i].start_ns + a->timeout * NSEC_PER_SEC;
		if (v->vm[i].failed)
			continue;
		if (a->wait)
			trim_wait(v, &v->vm[i], &w[i]);
		else
			printf("%s: trimming\n", v->vm[i].name);
	}
	free(w);
}

static json_t *action_args(const struct balloon_args *a, enum action action)
{
	switch (action) {
	case INFLATE:
		return json_pack("{s:I}", "relative", (json_int_t)a->inflate);
	case DEFLATE:
		return json_pack("{s:I}", "relative", -(json_int_t)a->deflate);
	default:
		return json_pack("{s:I}", "target", (json_int_t)a->target);
	}
}

/* Set one VM's target and note in *w what to wait for. */
static void set(struct cli_vms *v, struct cli_vm *vm, json_t *command_args,
		struct balloon_wait *w)
{
	json_t *stat, *answer;
	const json_t *b = query(v, vm, &stat);

	if (!b) {
		json_decref(command_args);
		return;
	}
	w->before = report_number(b, "ballooned_bytes");
	w->start_ns = clock_now_ns();
	json_decref(stat);
	if (vms_execute(v, vm, "x-aerostat-balloon", command_args, &answer))
		return;
	w->target = report_number(answer, "target_bytes");
	json_decref(answer);
}

static void act(struct cli_vms *v, const struct balloon_args *a, enum action action)
{
	struct balloon_wait *w = waits(v, sizeof(*w));

	if (!w)
		return;
	for (size_t i = 0; i < v->n; i++)
		set(v, &v->vm[i], action_args(a, action), &w[i]);
	for (size_t i = 0; i < v->n; i++) {
		w[i].deadline_ns = w[i].start_ns + a->timeout * NSEC_PER_SEC;
		if (v->vm[i].failed)
			continue;
		if (a->wait)
			balloon_wait(v, &v->vm[i], &w[i]);
		else
			printf("%s: asked to hold %s\n", v->vm[i].name, cli_size(w[i].target));
	}
	free(w);
}

static int balloon_main(int argc, char **argv)
{
	struct balloon_args args = {.timeout = 60};
	struct options_found found;
	struct cli_vms v;
	enum action action;
	int status = cli_parse(&cmd_balloon, argc, argv, &args, &found);

	if (status == CLI_GO)
		status = check(&args, &found, &action);
	if (status != CLI_GO)
		return status;
	vms_open(&v, &cmd_balloon, &args.select);
	if (action == SHOW)
		show(&v);
	else if (action == AUDIT)
		audit(&v);
	else if (action == TRIM)
		trim(&v, &args);
	else
		act(&v, &args, action);
	status = vms_status(&v);
	vms_close(&v);
	return status;
}

const struct command cmd_balloon = {
	.name = "balloon",
	.summary = "take memory from a guest, give it back, or show its balloon",
	.notes = "Sizes may have a suffix K, M, G or T. Without an action the balloon is "
		 "shown.\n"
		 "With --wait the exit status is 1 when the guest does not get there: nothing "
		 "moved\n"
		 "for 10 seconds, or the time was up; how far it came is printed. A trim is "
		 "cancelled\n"
		 "when the time is up. With --audit it is 1 when memory of the balloon is in "
		 "use again.",
	.table = &table,
	.main = balloon_main,
};
