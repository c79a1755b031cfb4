# SPDX-License-Identifier: Apache-2.0
# A plot of native.jsonl or inflate.jsonl: medians as bars, MiB/s, an SVG on standard output. Needs lib.awk.
# Every series is a group (a heading with its bars), a bar and a value; groups of one panel have one scale.
/"failed"|"profile"/ { next }
/"case": "native"/ {
	thp = text("thp")
	if (text("monitor") == "limit") {
		add("limit" SUBSEP thp, number("took_mib") * 1000 / number("took_ms"))
		next
	}
	title = "Inflate at native speed, flat guest of " number("mib") " MiB: MiB/s until the memory is gone"
	group = "pages " text("order") (thp == "on" ? ", transparent huge pages" : "")
	bar(thp, group, text("monitor"), number("pages") / 256, number("gone_ms") != "" ? number("gone_ms") : number("acked_ms"))
}
/"case": "touched"/ {
	title = "Balloon of a stock Debian guest, emulated KVM host: MiB/s"
	mib = number("inflate_mib")
	bar("touched", "inflate " mib " of " number("ram_mib") " MiB, touched, until the memory is gone", text("monitor"), mib,
		number("inflate_gone_ms") != "" ? number("inflate_gone_ms") : number("inflate_ms"))
	bar("deflate", "deflate " mib " MiB", text("monitor"), mib, number("deflate_ms"))
}
/"case": "idle"/ {
	mib = number("inflate_mib")
	bar("idle", "inflate " mib " of " number("ram_mib") " MiB, idle guest", text("monitor"), mib, number("inflate_ms"))
}
function bar(panel, group, monitor, mib, ms) {
	if (!((panel, group) in bars)) groups[panel, ++ngroups[panel]] = group
	if (!((panel, group, monitor) in seen)) {
		seen[panel, group, monitor] = 1
		name[panel, group, ++bars[panel, group]] = monitor
	}
	if (!(panel in known)) { known[panel] = 1; panels[++npanels] = panel }
	add(panel SUBSEP group SUBSEP monitor, mib * 1000 / ms)
}
function thousands(v,    s, out) {
	s = sprintf("%.0f", v)
	for (out = ""; length(s) > 3; s = substr(s, 1, length(s) - 3)) out = "\342\200\257" substr(s, length(s) - 2) out
	return s out
}
function class_of(monitor) { return monitor ~ /none/ ? "limit" : monitor ~ /^aerostat/ ? "own" : "other" }
function label_of(monitor) { return monitor == "aerostat-none" ? "limit: discards nothing" : monitor == "qemu" ? "QEMU" : \
	monitor == "qemu-best" ? "QEMU, ioeventfd off" : substr(monitor, 10) == "" ? monitor : "aerostat, " substr(monitor, 10) }
function line(s) { body = body s "\n" }
function draw_group(panel, group, max) {
	y += 26
	line("<text x='12' y='" y "' class='group'>" group "</text>")
	y += 8
	draw_bars(panel, group, max, 0)
	draw_bars(panel, group, max, 1) # what is not a monitor but a limit comes last
}
function draw_bars(panel, group, max, limit,    i, v, w) {
	for (i = 1; i <= bars[panel, group]; i++) {
		if ((class_of(name[panel, group, i]) == "limit") != limit) continue
		v = med(panel SUBSEP group SUBSEP name[panel, group, i])
		w = v / max * 470
		line(sprintf("<text x='172' y='%d' class='name'>%s</text><rect x='180' y='%d' width='%.1f' height='13' rx='2' class='%s'/><text x='%.1f' y='%d'>%s</text>",
			y + 11, label_of(name[panel, group, i]), y, w < 1 ? 1 : w, class_of(name[panel, group, i]), 186 + w, y + 11, thousands(v)))
		y += 18
	}
}
function draw_panel(panel,    i, j, v, max) {
	for (i = 1; i <= ngroups[panel]; i++) for (j = 1; j <= bars[panel, groups[panel, i]]; j++) {
		v = med(panel SUBSEP groups[panel, i] SUBSEP name[panel, groups[panel, i], j])
		if (v > max) max = v
	}
	for (i = 1; i <= ngroups[panel]; i++) draw_group(panel, groups[panel, i], max)
	if (med("limit" SUBSEP panel) != "") {
		y += 16
		line("<text x='12' y='" y "'>one madvise over everything" (panel == "on" ? ", transparent huge pages" : "") ": " \
			thousands(med("limit" SUBSEP panel)) "</text>")
	}
	y += 10
}
END {
	y = 24
	line("<text x='12' y='24' class='title'>" title "</text>")
	for (p = 1; p <= npanels; p++) draw_panel(panels[p])
	printf "<svg xmlns='http://www.w3.org/2000/svg' width='720' height='%d' viewBox='0 0 720 %d' font-family='system-ui, sans-serif' font-size='12'>\n", y + 8, y + 8
	print "<style>text{fill:#57606a}.title,.group{fill:#24292f;font-weight:600}.title{font-size:14px}.name{text-anchor:end}"
	print ".own{fill:#2f81d7}.other{fill:#d9822b}.limit{fill:#8c959f}"
	print "@media(prefers-color-scheme:dark){text{fill:#9ea7b0}.title,.group{fill:#e6edf3}}</style>"
	printf "%s</svg>\n", body
}
