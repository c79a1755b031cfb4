/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the control protocol: one const table, each with its arguments.
 *
 * As in QEMU (its QMP reference manual): qmp_capabilities, query-status, query-name,
 * query-version, query-commands, stop, cont, system_powerdown, quit, balloon, query-balloon.
 * Two differences: `balloon` and its like fail at once when the guest has no balloon driver,
 * and sizes are rounded to whole 4 KiB pages in the guest's favour.
 *
 * Our own. Sizes are bytes, `?` marks what may be left out:
 *
 * x-aerostat-balloon {"target": n} or {"relative": n}
 *     -> {"target_bytes": n}
 *     What the guest is asked to give, in all; or by how much to change that, computed here.
 *     A change that would go below 0 ends at 0 (the guest gets back all there is); one that
 *     would take all of RAM or more is an error, and nothing changes.
 *
 * x-aerostat-stat
 *     -> {"name", "status" (as query-status), "running", "pid", "cpus", "ram_bytes",
 *         "resident_bytes", "overhead_bytes",
 *         "memory": {"backing": "anon" | "memfd" | "hugetlb",
 *                    "host_page_bytes": n (the least that goes back to the host),
 *                    "thp": "default" | "on" | "off" | "none", "prealloc": bool,
 *                    "lock": bool, "warnings": [text, ...]},
 *         "exits", "uptime_ms", "resets", "console_out_bytes",
 *         "console_dropped_bytes", "balloon": null or {
 *             "state": "idle" | "inflating" | "deflating" | "stalled" | "reached",
 *             "driver": bool, "needs_reset": bool, "features": the negotiated bits,
 *             "target_bytes", "actual_bytes" (as the guest says), "ballooned_bytes" (as
 *             counted here), "progress_age_ms": n or null (never), "oom_deflates",
 *             "inflate_messages", "deflate_messages", "notifies", "interrupts", "violations",
 *             "reclaim": {"backend": text, "sync": bool, "pending_bytes", "parked_bytes",
 *                         "held_bytes", "discarding_bytes", "discarded_bytes",
 *                         "double_inflates", "stray_deflates", "bad_pfns",
 *                         "backlog_max_bytes", "backlog_peak_bytes", "backlog_waits",
 *                         "deflate_waits", "discard_runs", "discard_bytes_total",
 *                         "discard_calls", "discard_errors", "discard_fallbacks",
 *                         "released_bytes" (ballooned, but reported as free)},
 *             "poison": what the guest fills free pages with, 0: nothing,
 *             "reporting": {"blocks", "reported_bytes" and what became of them:
 *                         "discarded_bytes", "skipped_min_bytes", "skipped_rate_bytes",
 *                         "skipped_poison_bytes", "skipped_partial_bytes",
 *                         "skipped_stop_bytes", "failed_bytes", see struct
 *                         balloon_reporting; "discard_us": the time it took},
 *             "hinting": {"state": "none" | "requested" | "running" | "guest-done" |
 *                                  "finished" | "cancelled" | "failed",
 *                         "reason" (why it failed, else ""), "id", "blocks",
 *                         "hinted_bytes", "useless_blocks", "late_blocks",
 *                         "stray_commands", "pinned": bool}: the free page hints of the
 *                         session, or the last one, see struct hint_info,
 *             "trim": null (none yet) or TRIM,
 *             "stats_interval_seconds": n, "statistics": null (none yet) or STATISTICS}}
 *     STATISTICS is what the guest last told of itself, names as in balloon_stats_name():
 *        {"seq": n, "age_ms": n, "unknown_tags": n,
 *         "bytes": {"free": n, ...}, "counts": {"major-faults": n, ...}}
 *     TRIM is the trim that is under way, or the last one, see struct trim_info:
 *        {"seq": n (counts trims, from 1), "state": "none" | "arming" | "hinting" |
 *         "sifting" | "discarding" | "done" | "cancelled" | "failed",
 *         "reason" (why it failed, else ""), "blocks", "hinted_bytes", "discarded_bytes",
 *         "ballooned_bytes", "failed_bytes", "kept_bytes", "pauses", "pause_us",
 *         "pause_max_us", "elapsed_ms"}
 *
 * x-aerostat-balloon-stats {"max_age_ms": n?}
 *     -> {"fresh": bool, "seq": n, "statistics": null or STATISTICS}
 *     Fresh (no older than max_age_ms): that is all. Else the guest has been asked; who wants
 *     the answer repeats the command until there are statistics with another `seq` than at
 *     first. seq is that of the statistics, 0 when there are none. Never waits.
 *
 * x-aerostat-set-stats-interval {"seconds": n}
 *     -> {}
 *     Time between polls of the guest's statistics; 0: none.
 *
 * x-aerostat-audit
 *     -> {"discarded_bytes": n, "resident_bytes": n,
 *         "method": "pagemap-scan" | "mincore" | "seek-data"}
 *     How much of the balloon has gone back to the host, and how much of that is in the host's
 *     memory still or again: because the guest used it, because khugepaged filled a huge page,
 *     or because a part of a shared transparent huge page was zeroed but could not be freed.
 *
 * x-aerostat-trim
 *     -> {"seq": n}
 *     Begin to give the host what the guest has free right now; x-aerostat-query-trim tells how
 *     far it is. One at a time. The guest must have hints, and the VM must run.
 *
 * x-aerostat-trim-cancel {"seq": n?}
 *     -> {}
 *     End the trim that is under way; with seq, if it is that one. An error when none is. What
 *     the host got until now it keeps.
 *
 * x-aerostat-query-trim
 *     -> TRIM
 *     Unlike x-aerostat-stat this walks no memory.
 *
 * Errors have QEMU's classes. DeviceNotActive: the VM has no balloon, or the guest has no
 * driver for it (BALLOON_NO_DRIVER); CommandNotFound; the rest is GenericError.
 */
#ifndef AEROSTAT_CTL_COMMANDS_H
#define AEROSTAT_CTL_COMMANDS_H

#include "vmm/ctl/qmp.h"

/* Stable: what every balloon command says at once when there is no driver. */
#define BALLOON_NO_DRIVER "the guest has no balloon driver"

/*
 * Find and run a command. args is an object, borrowed. A new reference to what goes into
 * "return", or NULL with c->error filled.
 */
json_t *qmp_execute(struct qmp_call *c, const char *name, json_t *args);

/*
 * Handlers of the table that are in balloon_commands.c and trim_commands.c. The table has
 * checked the arguments, and that there is a machine.
 */
json_t *qmp_balloon(struct qmp_call *c, json_t *args);
json_t *qmp_query_balloon(struct qmp_call *c, json_t *args);
json_t *qmp_balloon_target(struct qmp_call *c, json_t *args);
json_t *qmp_balloon_stats(struct qmp_call *c, json_t *args);
json_t *qmp_stats_interval(struct qmp_call *c, json_t *args);
json_t *qmp_audit(struct qmp_call *c, json_t *args);
json_t *qmp_trim(struct qmp_call *c, json_t *args);
json_t *qmp_trim_cancel(struct qmp_call *c, json_t *args);
json_t *qmp_query_trim(struct qmp_call *c, json_t *args);

/* The VM's balloon, or NULL with c->error filled. */
struct balloon *qmp_balloon_of(struct qmp_call *c);

#endif
