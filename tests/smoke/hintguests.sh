# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Trims of guests that are set up otherwise: what they fill their free pages with, how they report, memory that is taken
# offline; and a guest that is trimmed, reports and has a balloon that moves, all at once, beside a load.
. ./trimlib.sh

# ---- what the guest fills its free pages with ----

start 160 reporting=off init_on_free=1
check_eq "init_on_free: poison is negotiated" "$(feature 4)" 1
well init_on_free
quit init_on_free
start 160 reporting=off,poison=off init_on_free=1
check_eq "no poison: hints are negotiated all the same" "$(feature 3)" 1
well "no poison"
quit "no poison"
if has_page_poison; then
	start 256 reporting=off page_poison=on
	check_eq "page_poison: it fills pages with" "$(stat_field poison)" $((0xaaaaaaaa))
	says "page_poison" "keep what they hold" balloon --trim --wait
	check "page_poison: touch 100 MiB" guest touch 100
	check "page_poison: free them" guest free # where the kernel looks whether its poison is still there
	check "page_poison: touch them again" guest touch 100
	check_eq "page_poison: pages the kernel found wrong" "$(field matches "$(guest dmesg-grep 'pagealloc: ')")" 0
	quit page_poison
fi

# ---- memory that is taken offline ----

# Blocks of 128 MiB; movablecore, so that nothing the kernel can't move is in the last ones; nokaslr, nor the kernel.
start $((768 - table_mib)) reporting=off 'movablecore=384M init_on_alloc=0 nokaslr'
memory=/sys/devices/system/memory
case $ARCH in arm64) first=8 ;; riscv64) first=16 ;; *) first=0 ;; esac # where memory begins
offline() { # one of three; block is its number
	for block in $((first + 5)) $((first + 4)) $((first + 3)); do
		! guest write "$memory/memory$block/state" offline >/dev/null || return 0
	done
	return 1
}
# The driver takes no free pages from the movable zone, which has half of the memory.
look_at_half() {
	look_at_free
	worth=$((worth / 2))
}
free_before=$(free_mib)
# A page that is in use at the moment is in the way; a little later it isn't.
patience=20
[ "$ARCH" != arm64 ] || patience=1
if wait_until $patience offline; then
	ok "offline: a block of 128 MiB went ($block)"
	check_le "offline: MiB free then" "$(free_mib)" $((free_before - 100))
	look_at_half
	well offline
	check "begin a trim" balloon --trim
	guest write "$memory/memory$block/state" online >/dev/null
	over "online meanwhile"
	check "online: MiB free again" wait_until 60 free_is_above $((free_before - 50))
	look_at_half
	well online
elif [ "$ARCH" = arm64 ]; then
	skip "offline: a block of 128 MiB goes" "Linux on arm64 lets no memory go that was there at boot"
else
	not_ok "offline: a block of 128 MiB goes" "none of three"
fi
quit offline

# ---- trim, reporting and the balloon, all at once, beside a load ----

start 256 reporting=on,stats=on 'page_reporting.page_reporting_order=4'
check_eq "all: reporting is negotiated" "$(feature 5)" 1
check_eq "all: and hints" "$(feature 3)" 1
check "all: start a load" guest busy on
bout=0
while [ $bout -lt 8 ] && all_out=$(balloon --trim 2>&1) && balloon --target 60 >/dev/null; do
	bout=$((bout + 1))
	wait_until 120 trim_is_over
	all_out="$(of trim state) $(of trim reason)"
	[ "$all_out" = "done " ] || break
	balloon --target 0 >/dev/null
	all_out=$(trim 2>&1) || break
done
check_eq "all: bouts${all_out:+, the last: $all_out}" "$bout" 8
check "all: the load saw no wrong byte" guest busy off
check "all: deflate" balloon --target 0 --wait --timeout 60
check_eq "all: stray deflates" "$(stat_field stray_deflates)" 0
check_eq "all: double inflates" "$(stat_field double_inflates)" 0
check_eq "all: ballooned pages among the reported" "$(stat_field released_bytes)" 0
look_at_free
well all
quit all
finish
