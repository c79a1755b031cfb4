# SPDX-License-Identifier: Apache-2.0
# Medians of boot.jsonl, and the ratio to the first monitor of each kernel.
function number(key) { return match($0, "\"" key "\": [0-9.]+") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) : "" }
function text(key) { match($0, "\"" key "\": \"[^\"]*\""); return substr($0, RSTART + length(key) + 5, RLENGTH - length(key) - 6) }
function median(key, n,    i, j, t, v) {
	for (i = 1; i <= n; i++) v[i] = value[key, i]
	for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
/"failed"/ { failed++; next }
{
	id = text("kernel") SUBSEP text("monitor")
	if (!(id in runs)) order[++ids] = id
	n = ++runs[id]
	value[id, "ms", n] = number("ms")
	value[id, "own", n] = number("own_kib")
}
END {
	printf "%-8s %-14s %5s %16s %8s %18s\n", "kernel", "monitor", "runs", "exec to init ms", "ratio", "monitor's own MiB"
	for (i = 1; i <= ids; i++) {
		split(order[i], part, SUBSEP)
		ms = median(order[i] SUBSEP "ms", runs[order[i]])
		if (part[1] != kernel) { kernel = part[1]; base = ms }
		printf "%-8s %-14s %5d %16.0f %8.2f %18.1f\n", part[1], part[2], runs[order[i]], ms, ms / base,
			median(order[i] SUBSEP "own", runs[order[i]]) / 1024
	}
	if (failed) { printf "%d runs failed\n", failed; exit 1 }
}
