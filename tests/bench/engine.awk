# SPDX-License-Identifier: Apache-2.0
# Medians of engine.jsonl; with lib.awk. Three tables of the tracker alone, sizes side by side:
#   ns per page   to mark it (inflate), to take it for a discard, to unmark it (deflate), by the order in which pages come
#   ns per find   of the next run, from anywhere, with work in one block, in every second, in all: whole blocks (ready),
#                 or three pages in each (partial)
#   MiB           that the tracker says it needs, and what is really resident when created and when all is marked
# And one of the engine with memory behind it, by stream, transparent huge pages and rate (MiB/s at which messages come,
# 0: as fast as they are taken):
#   gone        MiB/s until everything went back to the host, from the first message on
#   acked       MiB/s by acknowledgements
#   lag         ms from the last acknowledgement until all was gone
#   calls/MiB   system calls and ring requests for discards
#   KiB/run     average discard
#   peak        MiB of the longest backlog; full: times that a message found it full
#   slowest     us that the slowest message took
#   given       MiB/s of the deflate that follows
#   /none       acked, of a backend that discards nothing
function add_size(id, key) {
	add(id SUBSEP number("gib") SUBSEP key, number(key))
}
function sizes(id, key, format,    k, line) {
	for (k = 1; k <= ngibs; k++) line = line sprintf(" %8s", cell(format, med(id SUBSEP gibs[k] SUBSEP key)))
	return line
}
function head(word,    k, line) {
	for (k = 1; k <= ngibs; k++) line = line sprintf(" %8s", gibs[k] " GiB")
	printf "%-24s%s\n", word, line
}
function note(list, id) {
	if ((list, id) in seen) return
	seen[list, id] = 1
	entry[list, ++entries[list]] = id
}
function speed(key) { return number(key) == "" ? "" : number("mib") * 1000 / number(key) }
/"failed"/ { failed++; next }
text("case") != "replay" && !(number("gib") in known) { known[number("gib")] = 1; gibs[++ngibs] = number("gib") }
text("case") == "mark" {
	note("mark", text("order"))
	add_size("inflate" SUBSEP text("order"), "inflate_ns")
	add_size("take" SUBSEP text("order"), "take_ns")
	add_size("deflate" SUBSEP text("order"), "deflate_ns")
	next
}
text("case") == "find" {
	note("find", text("fill"))
	add_size(text("fill"), "ready_ns")
	add_size(text("fill"), "partial_ns")
	next
}
text("case") == "memory" {
	add_size("memory", "allowed_mib")
	add_size("memory", "footprint_mib")
	add_size("memory", "created_mib")
	add_size("memory", "marked_mib")
	next
}
{
	group = text("stream") SUBSEP text("thp") SUBSEP number("rate")
	id = group SUBSEP text("backend")
	note("replay", id)
	runs[id]++
	add(id SUBSEP "acked", speed("acked_ms"))
	add(id SUBSEP "gone", speed("gone_ms"))
	if (number("gone_ms") != "") {
		add(id SUBSEP "lag", number("gone_ms") - number("acked_ms"))
		add(id SUBSEP "calls", number("calls") / number("mib"))
	}
	add(id SUBSEP "run", number("run_kib"))
	add(id SUBSEP "peak", number("peak_mib"))
	add(id SUBSEP "full", number("full_waits"))
	add(id SUBSEP "slowest", number("slowest_us"))
	add(id SUBSEP "given", speed("given_ms"))
}
END {
	head("ns per page")
	for (i = 1; i <= entries["mark"]; i++) {
		o = entry["mark", i]
		printf "%-24s%s\n", "inflate, " o, sizes("inflate" SUBSEP o, "inflate_ns", "%.1f")
		printf "%-24s%s\n", "take, " o, sizes("take" SUBSEP o, "take_ns", "%.2f")
		printf "%-24s%s\n", "deflate, " o, sizes("deflate" SUBSEP o, "deflate_ns", "%.1f")
	}
	print ""
	head("ns per find")
	for (i = 1; i <= entries["find"]; i++) {
		printf "%-24s%s\n", "ready, " entry["find", i], sizes(entry["find", i], "ready_ns", "%.0f")
		printf "%-24s%s\n", "partial, " entry["find", i], sizes(entry["find", i], "partial_ns", "%.0f")
	}
	print ""
	head("MiB")
	printf "%-24s%s\n", "64 per TiB", sizes("memory", "allowed_mib", "%.2f")
	printf "%-24s%s\n", "footprint", sizes("memory", "footprint_mib", "%.2f")
	printf "%-24s%s\n", "resident, created", sizes("memory", "created_mib", "%.2f")
	printf "%-24s%s\n", "resident, all marked", sizes("memory", "marked_mib", "%.2f")
	print ""
	printf "%-10s %-4s %6s %-8s %4s %8s %8s %8s %10s %9s %7s %5s %9s %8s %6s\n", "stream", "thp", "rate", "backend", "runs",
		"gone", "acked", "lag ms", "calls/MiB", "KiB/run", "peak", "full", "slowest", "given", "/none"
	for (i = 1; i <= entries["replay"]; i++) {
		id = entry["replay", i]
		split(id, part, SUBSEP)
		group = part[1] SUBSEP part[2] SUBSEP part[3]
		if (group != last && i > 1) print ""
		last = group
		printf "%-10s %-4s %6d %-8s %4d %8s %8s %8s %10s %9s %7s %5s %9s %8s %6s\n", part[1], part[2], part[3], part[4], runs[id],
			cell("%.0f", med(id SUBSEP "gone")), cell("%.0f", med(id SUBSEP "acked")),
			cell("%.1f", med(id SUBSEP "lag")), cell("%.3f", med(id SUBSEP "calls")),
			cell("%.0f", med(id SUBSEP "run")), cell("%.0f", med(id SUBSEP "peak")),
			cell("%.0f", med(id SUBSEP "full")), cell("%.0f", med(id SUBSEP "slowest")),
			cell("%.0f", med(id SUBSEP "given")),
			cell("%.2f", ratio(med(id SUBSEP "acked"), med(group SUBSEP "none" SUBSEP "acked")))
	}
	if (failed) printf "\n%d runs failed, see engine.jsonl\n", failed
	exit failed > 0
}
