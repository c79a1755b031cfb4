# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A hundred trims beside a load that has all memory go round, fills what it takes and verifies what it gives back: in a
# guest that clears pages when it allocates them, as Debian's do, and thereby writes to all that it hints; and in one
# that doesn't.
. ./trimlib.sh

# The monitor's own words, "v: 67.3 MiB of 76.0 MiB free went to the host ...", tell enough.
under_load() { # NAME TRIMS
	rm -f "$SMOKE_DIR/trims"
	trims=0
	check "$1: start a load" guest sweep on
	while [ $trims -lt "$2" ] && trim >"$SMOKE_DIR/trim" 2>&1; do
		trims=$((trims + 1))
		cat "$SMOKE_DIR/trim" >>"$SMOKE_DIR/trims"
	done
	check_eq "$1: trims, the last: $(cat "$SMOKE_DIR/trim")" "$trims" "$2"
	went=$(awk '{ mib += $2 * ($3 == "MiB") } END { printf "%d", mib }' "$SMOKE_DIR/trims")
	check_ge "$1: MiB that went" "$went" "$2"
	check "$1: the load saw no wrong byte" guest sweep off
	back_and_right "$1" $((plenty - 90))
	check_eq "$1: blocks outside of a session" "$(of hinting late_blocks)" 0
	quit "$1"
}

start 192 reporting=off,hinting=on ''
under_load "pages cleared" 20
start 256 reporting=off,hinting=on init_on_alloc=0
under_load "pages left" 80
finish
