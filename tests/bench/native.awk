# SPDX-License-Identifier: Apache-2.0
# Medians of native.jsonl; needs lib.awk. The columns:
#   gone        MiB/s until resident memory has fallen by all of it
#   acked       MiB/s as the guest sees it, by acknowledgements
#   lag         ms from the last acknowledgement until memory was gone
#   calls/MiB   discard calls of the monitor; peak: MiB of its longest backlog
#   /qemu       gone, as a multiple of QEMU's default; /best: of QEMU without ioeventfd
#   /limit      gone, of one madvise over everything; /none: acked, of a device that does nothing
/"failed"/ { failed++; next }
{
	group = text("thp") SUBSEP text("order")
	id = group SUBSEP text("monitor")
	if (text("monitor") == "limit") {
		add("limit" SUBSEP text("thp"), number("took_mib") * 1000 / number("took_ms"))
		next
	}
	if (!(id in runs)) order[++ids] = id
	runs[id]++
	mib = number("pages") / 256
	if (number("gone_ms") != "") {
		add(id SUBSEP "gone", mib * 1000 / number("gone_ms"))
		add(id SUBSEP "lag", number("lag_ms"))
	}
	add(id SUBSEP "acked", mib * 1000 / number("acked_ms"))
	if (number("discard_calls") != "") add(id SUBSEP "calls", number("discard_calls") / mib)
	if (number("backlog_peak_bytes") != "") add(id SUBSEP "peak", number("backlog_peak_bytes") / 1048576)
	if (number("foreign") + 0 || number("status") + 0) bad++
}
END {
	printf "%-4s %-11s %-16s %4s %9s %9s %8s %10s %6s %7s %7s %7s %7s\n", "thp", "order", "monitor", "runs",
		"gone", "acked", "lag ms", "calls/MiB", "peak", "/qemu", "/best", "/limit", "/none"
	for (i = 1; i <= ids; i++) {
		id = order[i]
		split(id, part, SUBSEP)
		group = part[1] SUBSEP part[2]
		if (group != last && i > 1) print ""
		last = group
		gone = med(id SUBSEP "gone")
		acked = med(id SUBSEP "acked")
		printf "%-4s %-11s %-16s %4d %9s %9s %8s %10s %6s %7s %7s %7s %7s\n", part[1], part[2], part[3], runs[id],
			cell("%.0f", gone), cell("%.0f", acked), cell("%.1f", med(id SUBSEP "lag")),
			cell("%.3f", med(id SUBSEP "calls")), cell("%.0f", med(id SUBSEP "peak")),
			cell("%.2f", ratio(gone, med(group SUBSEP "qemu" SUBSEP "gone"))),
			cell("%.2f", ratio(gone, med(group SUBSEP "qemu-best" SUBSEP "gone"))),
			cell("%.2f", ratio(gone, med("limit" SUBSEP part[1]))),
			cell("%.2f", ratio(acked, med(group SUBSEP "aerostat-none" SUBSEP "acked")))
	}
	print ""
	for (t = 1; t <= 2; t++) {
		thp = t == 1 ? "off" : "on"
		if (med("limit" SUBSEP thp) != "")
			printf "limit, thp %s: %.0f MiB/s by one madvise over everything\n", thp, med("limit" SUBSEP thp)
	}
	if (failed) printf "%d runs failed, see native.log\n", failed
	if (bad) printf "%d runs came back with data that is not the guest's\n", bad
	exit failed || bad
}
