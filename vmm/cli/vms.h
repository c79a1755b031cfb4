/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running VMs that a command is for: chosen by --name or --all, connected, and told apart
 * in what is printed. One VM that fails never keeps a command from the others.
 */
#ifndef AEROSTAT_CLI_VMS_H
#define AEROSTAT_CLI_VMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/cli/cli.h"
#include "vmm/ctl/client.h"

struct cli_select {
	const char *name;
	bool all;
};

/* The first rows of a table whose struct has a member `select`. */
#define CLI_SELECT_ROWS(args_type)                                                             \
	{.letter = 'n',                                                                        \
	 .name = "name",                                                                       \
	 .type = OPT_STRING,                                                                   \
	 .offset = offsetof(args_type, select.name),                                           \
	 .arg = "NAME",                                                                        \
	 .help = "the VM of this name"},                                                       \
	{                                                                                      \
		.letter = 'a', .name = "all", .type = OPT_FLAG,                                \
		.offset = offsetof(args_type, select.all), .help = "all running VMs"           \
	}

struct cli_vm {
	char name[VM_NAME_MAX + 1];
	struct ctl_client *ctl;
	bool failed; /* leave this one alone from now on */
};

struct cli_vms {
	const struct command *command;
	struct rundir dir;
	struct cli_vm *vm;
	size_t n;
	bool failed; /* something failed, and was said */
};

/* What a VM's event loop gets to answer in. */
#define CLI_TIMEOUT_MS 5000

/* Exactly one of --name and --all, and a valid name. CLI_GO, or CLI_USAGE and it was said. */
int cli_select_check(const struct command *c, const struct cli_select *s);

/*
 * Connect to the selected VMs, in name order. With `all`, VMs that have died are left out
 * without a word. What else fails is said. Close v afterwards in any case.
 */
void vms_open(struct cli_vms *v, const struct command *c, const struct cli_select *s);
void vms_close(struct cli_vms *v);

/* CLI_OK, or CLI_FAILED when anything failed. */
int vms_status(const struct cli_vms *v);

/*
 * "aerostat: stat: web1: ..."; v and vm are marked as failed. Takes a progress line away first.
 */
void vms_error(struct cli_vms *v, struct cli_vm *vm, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what ctl_execute() failed with. */
void vms_fail(struct cli_vms *v, struct cli_vm *vm, int rc, const struct err *err);

/*
 * Execute on one VM. Takes the reference of args (may be NULL). 0 with *ret a new reference
 * (ret may be NULL); or a negative errno, and it was said and marked.
 */
int vms_execute(struct cli_vms *v, struct cli_vm *vm, const char *command, json_t *args,
		json_t **ret);

/* Sleep before a VM is asked again that was asked at asked_ns: take little of its time. */
void vms_poll_pause(uint64_t asked_ns);

/*
 * The whole of a command whose table is CLI_SELECT_ROWS(struct vms_tell_args) and which sends
 * one word to the selected VMs. Gives the exit status.
 */
struct vms_tell_args {
	struct cli_select select;
};
int vms_tell(const struct command *c, int argc, char **argv, const char *command);

#endif
