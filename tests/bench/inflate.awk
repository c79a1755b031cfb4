# SPDX-License-Identifier: Apache-2.0
# Medians of inflate.jsonl; needs lib.awk.
/"failed"/ { failed++; next }
{
	c = text("case")
	monitor = text("monitor")
	id = c SUBSEP monitor
	if (!(id in runs)) order[c, ++ids[c]] = monitor
	runs[id]++
	mib = number("inflate_mib")
	gib = mib / 1024
	ram[c] = number("ram_mib")
	touched[c] = number("touch_mib")
	size[c] = mib
	add_inflate()
	if (c == "profile") add_profile()
	if (number("deflate_ms") != "") add_deflate()
}
function put(name, v) { add(id SUBSEP name, v) }
function per(key, unit) { return number(key) == "" ? "" : number(key) / unit }
function add_inflate() {
	put("actual", mib * 1000 / number("inflate_ms"))
	if (number("inflate_gone_ms") != "") put("gone", mib * 1000 / number("inflate_gone_ms"))
	put("cpu", (number("inflate_user_s") + number("inflate_sys_s")) / gib)
	put("host", per("inflate_host_s", gib))
	put("guest", per("inflate_guest_s", gib))
	put("exits", per("inflate_exits", mib))
	put("mmio", per("inflate_mmio", mib))
	put("irqs", per("inflate_irqs", mib))
	put("messages", per("inflate_messages", mib))
	put("discards", per("inflate_discards", mib))
}
function add_profile(    all) {
	all = number("inflate_ms") / 1000
	put("all_ms", all * 1000)
	put("tell", number("tell_s") / all)
	put("user", number("inflate_user_s") / all)
	put("madvise", per("inflate_madvise_s", all))
	put("calls", per("inflate_madvise_calls", mib))
}
function add_deflate() {
	put("deflate", mib * 1000 / number("deflate_ms"))
	put("deflate_cpu", (number("deflate_user_s") + number("deflate_sys_s")) / gib)
	if (number("warm_touch_ms") == "") return
	put("cold_touch", touched[c] * 1000 / number("cold_touch_ms"))
	put("warm_touch", touched[c] * 1000 / number("warm_touch_ms"))
	put("back_touch", (number("back_touch_ms") - number("warm_touch_ms")) * 1000 / (mib * 256))
	if (number("load_alone") == "") return
	put("load_alone", number("load_alone"))
	put("load_beside", number("load_beside"))
	put("load_ms", number("load_inflate_ms"))
	put("lost_ms", number("load_inflate_ms") * (1 - number("load_beside") / number("load_alone")))
}
function m(c, monitor, name) { return med(c SUBSEP monitor SUBSEP name) }
function best(c, monitor) { return m(c, monitor, "gone") != "" ? m(c, monitor, "gone") : m(c, monitor, "actual") }
function per_mib_calls(c, monitor) {
	return m(c, monitor, "discards") != "" ? m(c, monitor, "discards") : m("profile", monitor, "calls")
}
function inflate_table(c,    i, mon) {
	printf "%-17s %4s %7s %7s %7s %7s %9s %7s %9s %9s %9s %9s %9s %10s\n", "monitor", "runs", "gone", "actual", "/qemu",
		"/none", "CPU s/GiB", "/qemu", "host/GiB", "exits/MiB", "mmio/MiB", "irqs/MiB", "msgs/MiB", "discs/MiB"
	for (i = 1; i <= ids[c]; i++) {
		mon = order[c, i]
		printf "%-17s %4d %7s %7s %7s %7s %9s %7s %9s %9s %9s %9s %9s %10s\n", mon, runs[c, mon],
			cell("%.0f", m(c, mon, "gone")), cell("%.0f", m(c, mon, "actual")),
			cell("%.2f", ratio(best(c, mon), best(c, "qemu"))),
			cell("%.2f", ratio(best(c, mon), best(c, "aerostat-none"))),
			cell("%.2f", m(c, mon, "cpu")), cell("%.2f", ratio(m(c, mon, "cpu"), m(c, "qemu", "cpu"))),
			cell("%.2f", m(c, mon, "host")), cell("%.1f", m(c, mon, "exits")), cell("%.1f", m(c, mon, "mmio")),
			cell("%.1f", m(c, mon, "irqs")), cell("%.2f", m(c, mon, "messages")), cell("%.2f", per_mib_calls(c, mon))
	}
	print ""
}
function deflate_table(c,    i, mon) {
	printf "%-17s %8s %7s %9s %7s %8s %8s %9s %8s %7s %7s %8s\n", "monitor", "deflate", "/qemu", "CPU s/GiB", "cold",
		"warm", "us/page", "load", "beside", "%", "ms", "lost ms"
	for (i = 1; i <= ids[c]; i++) {
		mon = order[c, i]
		printf "%-17s %8s %7s %9s %7s %8s %8s %9s %8s %7s %7s %8s\n", mon, cell("%.0f", m(c, mon, "deflate")),
			cell("%.2f", ratio(m(c, mon, "deflate"), m(c, "qemu", "deflate"))), cell("%.2f", m(c, mon, "deflate_cpu")),
			cell("%.0f", m(c, mon, "cold_touch")), cell("%.0f", m(c, mon, "warm_touch")),
			cell("%.1f", m(c, mon, "back_touch")), cell("%.0f", m(c, mon, "load_alone")),
			cell("%.0f", m(c, mon, "load_beside")),
			cell("%.0f", ratio(m(c, mon, "load_beside"), m(c, mon, "load_alone") / 100)),
			cell("%.0f", m(c, mon, "load_ms")), cell("%.0f", m(c, mon, "lost_ms"))
	}
	print ""
}
function breakdown_table(c,    i, mon, tell, madvise, user, beside) {
	printf "%-17s %7s %9s %7s %10s %8s\n", "monitor", "ms", "allocate", "send", "translate", "madvise"
	printf "%-17s %7d %8.1f%% %6.1f%% %9.1f%% %7.1f%%\n", "2017", 4126, 6.5, 68.3, 6.1, 19
	for (i = 1; i <= ids[c]; i++) {
		mon = order[c, i]
		tell = m(c, mon, "tell")
		madvise = m(c, mon, "madvise")
		user = m(c, mon, "user")
		if (user < 0) user = 0 # by ticks: nearly nothing may come out as less
		beside = mon ~ /uring|thread/
		printf "%-17s %7s %8.1f%% %6.1f%% %9.1f%% %7s\n", mon, cell("%.0f", m(c, mon, "all_ms")), 100 * (1 - tell),
			100 * (tell - user - (beside ? 0 : madvise)), 100 * user,
			(beside ? "+" : "") cell("%.1f%%", madvise == "" ? "" : 100 * madvise)
	}
	print ""
}
END {
	if (ids["touched"]) {
		printf "Inflate by %d MiB; guest of %d MiB, which had written to %d and freed them\n", size["touched"], ram["touched"],
			touched["touched"]
		inflate_table("touched")
	}
	if (ids["idle"]) {
		printf "Inflate by %d MiB; idle guest of %d MiB, which touches what it gives only now, as it zeroes it\n",
			size["idle"], ram["idle"]
		inflate_table("idle")
		print "  gone: MiB/s until the monitor's resident memory has fallen by it; actual: until the guest says so. /qemu,"
		print "  /none: of gone, or of actual where nothing goes. CPU: the monitor's seconds, the guest's own time left out;"
		print "  host: of all of the host, same. exits, mmio, irqs: KVM's count. discs: calls that discard; QEMU's from the profile"
		print ""
	}
	if (ids["touched"]) {
		printf "Deflate by %d MiB, then the guest writes to %d MiB again; a load in the guest while its balloon inflates\n",
			size["touched"], touched["touched"]
		deflate_table("touched")
		print "  deflate: MiB/s. cold, warm: MiB/s of the guest's writes to new memory, and to memory that the host has given;"
		print "  us/page: what each page that was ballooned costs more than a warm one. load, beside: MiB/s of the load alone,"
		print "  and while it inflates; lost: the load's time that this inflate, of so many ms, took"
		print ""
	}
	if (ids["profile"]) {
		print "Where the time of an inflate goes, under probes. allocate: all but the driver's tell_host(), in the guest;"
		print "translate: the monitor's user mode, by the scheduler's ticks; madvise: in the host's do_madvise(), +: on other"
		print "threads meanwhile; send: the rest of tell_host(), so exits, interrupts, wake-ups, waits. 2017: QEMU, 7 of 8 GiB"
		breakdown_table("profile")
	}
	if (failed) { printf "%d runs failed\n", failed; exit 1 }
}
