# SPDX-License-Identifier: Apache-2.0
# What the tables of the benchmarks are made with: fields of a line of JSON, medians, cells.
function number(key) { return match($0, "\"" key "\": -?[0-9.]+") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) : "" }
function text(key) { match($0, "\"" key "\": \"[^\"]*\""); return substr($0, RSTART + length(key) + 5, RLENGTH - length(key) - 6) }
function median(key, n,    i, j, t, v) {
	if (!n) return ""
	for (i = 1; i <= n; i++) v[i] = value[key, i]
	for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function add(key, v) { if (v != "") value[key, ++count[key]] = v }
function med(key) { return median(key, count[key]) }
function cell(format, v) { return v == "" ? "-" : sprintf(format, v) }
function ratio(a, b) { return a == "" || !b ? "" : a / b }
