// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/vms.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/clock.h"

/* Between two looks at a VM: at least this long, and so many times as long as the look took. */
#define POLL_NS	   (20 * NSEC_PER_MSEC)
#define POLL_SHARE 5

int cli_select_check(const struct command *c, const struct cli_select *s)
{
	if (s->name && s->all)
		cli_error(c, "-n/--name and -a/--all exclude each other; give one");
	else if (!s->name && !s->all)
		cli_error(c, "which VM? give -n/--name NAME or -a/--all");
	else if (s->name && !vm_name_valid(s->name))
		cli_error(
			c,
			"-n/--name: '%.80s' is not a name; names have 1 to %d letters, digits, "
			"'.', '_' or '-'",
			s->name, VM_NAME_MAX);
	else
		return CLI_GO;
	return CLI_USAGE;
}

static int add_name(void *opaque, const char *name)
{
	struct cli_vms *v = opaque;
	struct cli_vm *grown = realloc(v->vm, (v->n + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	v->vm = grown;
	v->vm[v->n] = (struct cli_vm){0};
	snprintf(v->vm[v->n].name, sizeof(v->vm[v->n].name), "%s", name);
	v->n++;
	return 0;
}

/* The VMs that don't answer leave the list. */
static void connect_all(struct cli_vms *v, bool quiet_if_dead)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n; i++) {
		struct cli_vm *vm = &v->vm[i];
		struct err err;
		int rc = 0;

		vm->ctl = ctl_connect(&v->dir, vm->name, CLI_TIMEOUT_MS, &rc, &err);
		if (vm->ctl) {
			v->vm[kept++] = *vm;
			continue;
		}
		/* Gone between the listing and now is as good as dead. */
		if (quiet_if_dead && (rc == -ECONNREFUSED || rc == -ENOENT))
			continue;
		v->failed = true;
		cli_error(v->command, "%s", err.msg);
	}
	v->n = kept;
}

void vms_open(struct cli_vms *v, const struct command *c, const struct cli_select *s)
{
	struct err err;
	int rc;

	*v = (struct cli_vms){.command = c};
	err_set(&err, 0, "out of memory");
	rc = rundir_open(&v->dir, false, &err);
	if (!rc)
		rc = s->all ? rundir_each(&v->dir, add_name, v, &err) : add_name(v, s->name);
	if (rc) {
		cli_error(c, "%s", err.msg);
		v->failed = true;
		v->n = 0;
		return;
	}
	connect_all(v, s->all);
}

void vms_close(struct cli_vms *v)
{
	for (size_t i = 0; i < v->n; i++)
		ctl_close(v->vm[i].ctl);
	free(v->vm);
	v->vm = NULL;
	v->n = 0;
}

int vms_status(const struct cli_vms *v)
{
	return v->failed ? CLI_FAILED : CLI_OK;
}

void vms_error(struct cli_vms *v, struct cli_vm *vm, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_progress(NULL);
	cli_error(v->command, "%s: %s", vm->name, text);
	vm->failed = true;
	v->failed = true;
}

void vms_fail(struct cli_vms *v, struct cli_vm *vm, int rc, const struct err *err)
{
	/* The VM's own words don't say which one it is; the client's do. */
	if (rc == -EREMOTEIO) {
		vms_error(v, vm, "%s", err->msg);
		return;
	}
	cli_progress(NULL);
	cli_error(v->command, "%s", err->msg);
	vm->failed = true;
	v->failed = true;
}

int vms_execute(struct cli_vms *v, struct cli_vm *vm, const char *command, json_t *args,
		json_t **ret)
{
	struct err err;
	int rc = ctl_execute(vm->ctl, command, args, CLI_TIMEOUT_MS, ret, &err);

	json_decref(args);
	if (rc)
		vms_fail(v, vm, rc, &err);
	return rc;
}

void vms_poll_pause(uint64_t asked_ns)
{
	uint64_t ns = POLL_SHARE * (clock_now_ns() - asked_ns);
	struct timespec t;

	if (ns < POLL_NS)
		ns = POLL_NS;
	t.tv_sec = (time_t)(ns / NSEC_PER_SEC);
	t.tv_nsec = (long)(ns % NSEC_PER_SEC);
	nanosleep(&t, NULL);
}

int vms_tell(const struct command *c, int argc, char **argv, const char *command)
{
	struct vms_tell_args args = {0};
	struct options_found found;
	struct cli_vms v;
	int status = cli_parse(c, argc, argv, &args, &found);

	if (status == CLI_GO)
		status = cli_select_check(c, &args.select);
	if (status != CLI_GO)
		return status;
	vms_open(&v, c, &args.select);
	for (size_t i = 0; i < v.n; i++)
		vms_execute(&v, &v.vm[i], command, NULL, NULL);
	status = vms_status(&v);
	vms_close(&v);
	return status;
}
