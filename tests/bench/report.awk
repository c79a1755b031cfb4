# SPDX-License-Identifier: Apache-2.0
# Medians of report.jsonl and trim.jsonl; needs lib.awk. Ratios of with and without reporting are made round by round.
/"failed"/ { failed++; next }
text("case") == "churn" {
	churned = number("churn_mib")
	split("aerostat-on aerostat-off qemu-on qemu-off", names, " ")
	for (i = 1; i <= 4; i++) add_churn(names[i])
	next
}
{
	c = text("case")
	monitor = text("monitor")
	id = c SUBSEP monitor
	runs[id]++
	touched = number("touch_mib")
	gone = touched * 7 / 8
	put("cold", touched * 1000 / number("cold_touch_ms"))
	add_back()
	if (number("trim_discarded_bytes") != "") add_trim()
}
function put(name, v) { add(id SUBSEP name, v) }
function add_back(    gib) {
	gib = (fell() > gone ? fell() : gone) / 1024
	put("back", number("back_ms"))
	put("guest_ms", number("back_guest_ms"))
	put("speed", gone * 1000 / number("back_ms"))
	put("cpu", (number("back_user_s") + number("back_sys_s")) / gib)
	put("host", number("back_host_s") / gib)
	put("guest", number("back_guest_s") / gib)
}
# Resident memory, MiB.
function fell(    v) {
	match($0, /"rss_kib": \[[0-9]+, [0-9]+/)
	split(substr($0, RSTART + 12, RLENGTH - 12), v, ", ")
	return (v[1] - v[2]) / 1024
}
function add_trim() {
	put("command", number("command_ms"))
	put("discarded", number("trim_discarded_bytes") / 1048576)
	if (number("trim_elapsed_ms") > 0) put("own_speed", number("trim_discarded_bytes") / 1048.576 / number("trim_elapsed_ms"))
	put("pauses", number("trim_pauses"))
	put("paused", number("trim_pause_us") / 1000)
	put("longest", number("trim_pause_max_us") / 1000)
}
function add_churn(name,    mib, off) {
	mib = number(name "_mib")
	if (mib == "") return
	id = "churn" SUBSEP name
	runs[id]++
	put("speed", mib * 1000 / number(name "_ms"))
	put("back", number(name "_faults") / 2.56 / mib)
	put("cpu", (number(name "_user_s") + number(name "_sys_s")) * 1024 / mib)
	off = name
	if (sub(/-on/, "-off", off) && number(off "_mib") != "")
		put("ratio", mib / number(name "_ms") / (number(off "_mib") / number(off "_ms")))
}
function m(c, monitor, name) { return med(c SUBSEP monitor SUBSEP name) }
function report_table(    i, mon) {
	printf "%-14s %4s %8s %8s %7s %9s %7s %9s %9s %8s\n", "monitor", "runs", "gone ms", "guest ms", "MiB/s", "CPU s/GiB", "/qemu",
		"host/GiB", "guest/GiB", "cold"
	for (i = 1; i <= 2; i++) {
		mon = i == 1 ? "aerostat" : "qemu"
		if (!runs["report", mon]) continue
		printf "%-14s %4d %8s %8s %7s %9s %7s %9s %9s %8s\n", mon, runs["report", mon],
			cell("%.0f", m("report", mon, "back")), cell("%.0f", m("report", mon, "guest_ms")),
			cell("%.0f", m("report", mon, "speed")), cell("%.2f", m("report", mon, "cpu")),
			cell("%.2f", ratio(m("report", mon, "cpu"), m("report", "qemu", "cpu"))),
			cell("%.2f", m("report", mon, "host")), cell("%.2f", m("report", mon, "guest")),
			cell("%.0f", m("report", mon, "cold"))
	}
	print ""
}
function churn_table(    i, speed) {
	printf "%-14s %4s %9s %7s %7s %7s %10s\n", "monitor", "runs", "faults/s", "MiB/s", "on/off", "% back", "CPU s/GiB"
	for (i = 1; i <= 4; i++) {
		if (!runs["churn", names[i]]) continue
		speed = m("churn", names[i], "speed")
		printf "%-14s %4d %9.0f %7.0f %7s %7.1f %10.2f\n", names[i], runs["churn", names[i]], speed * 256, speed,
			cell("%.2f", m("churn", names[i], "ratio")), m("churn", names[i], "back"), m("churn", names[i], "cpu")
	}
	print ""
}
function trim_table(    i, c, name) {
	printf "%-16s %4s %8s %8s %10s %9s %8s %7s %10s %10s %9s %9s\n", "command line", "runs", "gone ms", "MiB/s", "command ms",
		"discarded", "MiB/s", "pauses", "longest ms", "in all ms", "CPU s/GiB", "guest/GiB"
	for (i = 1; i <= 2; i++) {
		c = i == 1 ? "trim" : "trim-noinit"
		if (!runs[c, "aerostat"]) continue
		name = i == 1 ? "as it comes" : "init_on_alloc=0"
		printf "%-16s %4d %8s %8s %10s %9s %8s %7s %10s %10s %9s %9s\n", name, runs[c, "aerostat"],
			cell("%.0f", m(c, "aerostat", "back")), cell("%.0f", m(c, "aerostat", "speed")),
			cell("%.0f", m(c, "aerostat", "command")), cell("%.0f", m(c, "aerostat", "discarded")),
			cell("%.0f", m(c, "aerostat", "own_speed")), cell("%.0f", m(c, "aerostat", "pauses")),
			cell("%.2f", m(c, "aerostat", "longest")), cell("%.2f", m(c, "aerostat", "paused")),
			cell("%.2f", m(c, "aerostat", "cpu")), cell("%.2f", m(c, "aerostat", "guest"))
	}
	print ""
}
END {
	if (runs["report", "aerostat"]) {
		printf "Free page reporting: the guest has written to %d MiB and freed them; until %d have gone\n", touched, gone
		report_table()
		print "  guest ms: by the guest's clock; CPU: the monitor's seconds, the guest's own left out; host: of all of the host,"
		print "  same; guest: the guest's own; cold: MiB/s of the guest's writes, to memory that the host gave it only then"
		print ""
	}
	if (churned) {
		printf "Page faults and nothing else: the guest takes %d MiB, writes a word to each page, frees them, and again; with\n", churned
		print "reporting and without, all monitors by turns"
		churn_table()
		print "  on/off: with reporting to without, median of the rounds' ratios; back: of what it touched, what had gone and"
		print "  had to come back; CPU: as above, for each GiB touched"
	}
	if (runs["trim", "aerostat"] || runs["trim-noinit", "aerostat"]) {
		printf "Trim: the guest has written to %d MiB and freed them, reporting is off; until %d have gone\n", touched, gone
		trim_table()
		print "  gone, command: from the command's start until that much is gone, and until the command returns; discarded: MiB,"
		print "  and a second, by the monitor's own clock; longest, in all: pauses of the guest; CPU, guest: seconds for a GiB"
	}
	if (failed) { printf "%d runs failed\n", failed; exit 1 }
}
