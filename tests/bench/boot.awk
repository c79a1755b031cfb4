# SPDX-License-Identifier: Apache-2.0
# Medians of boot.jsonl, and the ratio to the first monitor of each kernel. Needs lib.awk.
/"failed"/ { failed++; next }
{
	id = text("kernel") SUBSEP text("monitor")
	if (!(id in runs)) order[++ids] = id
	runs[id]++
	add(id SUBSEP "ms", number("ms"))
	add(id SUBSEP "own", number("own_kib"))
}
END {
	printf "%-8s %-14s %5s %16s %8s %18s\n", "kernel", "monitor", "runs", "exec to init ms", "ratio", "monitor's own MiB"
	for (i = 1; i <= ids; i++) {
		split(order[i], part, SUBSEP)
		ms = med(order[i] SUBSEP "ms")
		if (part[1] != kernel) { kernel = part[1]; base = ms }
		printf "%-8s %-14s %5d %16.0f %8.2f %18.1f\n", part[1], part[2], runs[order[i]], ms, ms / base,
			med(order[i] SUBSEP "own") / 1024
	}
	if (failed) { printf "%d runs failed\n", failed; exit 1 }
}
