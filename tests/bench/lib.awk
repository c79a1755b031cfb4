# SPDX-License-Identifier: Apache-2.0
# For tables of results, one JSON object a line: awk -f lib.awk -f TABLE.awk RESULTS
#   text(KEY), number(KEY)     of the current line; "" when there is none, or null
#   add(ID, V)                 one value of a series, "" is left out; med(ID): its median, "" of nothing
#   ratio(A, B)                "" when one is missing;  cell(FORMAT, V): "-" then
function number(key) { return match($0, "\"" key "\": -?[0-9.]+(e[-+]?[0-9]+)?") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) : "" }
function text(key) { return match($0, "\"" key "\": \"[^\"]*\"") ? substr($0, RSTART + length(key) + 5, RLENGTH - length(key) - 6) : "" }
function add(id, v) { if (v != "") value[id, ++count[id]] = v + 0 }
function med(id,    n, i, j, t, v) {
	n = count[id]
	if (!n) return ""
	for (i = 1; i <= n; i++) v[i] = value[id, i]
	for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function ratio(a, b) { return a == "" || b == "" || !b ? "" : a / b }
function cell(format, v) { return v == "" ? "-" : sprintf(format, v) }
