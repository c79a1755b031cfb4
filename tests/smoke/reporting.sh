# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Free page reporting: a stock guest of SIZE MiB gives its free memory to the host by itself, and every word it writes
# there later is right. Beside the balloon, through a pause, a driver reload and a reboot; with init_on_free, and
# where the kernel can with page_poison; and what turns it off.
. ./lib.sh

stat_field() { # KEY: a number of `stat --json`; -1 when there is none
	stat_value=$("$AEROSTAT" stat -n v --json | sed -n "s/^ *\"$1\": \(-\{0,1\}[0-9]*\),\{0,1\}$/\1/p" | head -n 1)
	echo "${stat_value:--1}"
}
report_mib() { # KEY: of "reporting"
	echo $(($("$AEROSTAT" stat -n v --json | sed -n "/\"reporting\": {/,/}/s/^ *\"$1_bytes\": \([0-9]*\),\{0,1\}$/\1/p") / 1048576))
}
feature() { echo $(($(stat_field features) >> $1 & 1)); }
balloon() { "$AEROSTAT" balloon -n v "$@"; }
rss() { rss_mib "$(vm_pid)"; }
guest_ms() { field uptime_ms "$(guest uptime)"; }
# Waits until COMMAND succeeds, for 30 s of the guest's time: an emulated host is slower than the clock on the wall.
within_30s() {
	late=$(($(guest_ms) + 30000))
	until "$@"; do
		[ "$(guest_ms)" -lt "$late" ] || return 1
		sleep 0.2
	done
}
resident_is_below() { [ "$(rss)" -lt "$1" ]; }
reported_is_above() { [ "$(report_mib reported)" -gt "$1" ]; }

start() { # MIB BALLOON_KEYS PARAMS
	much=$(($1 - 224))	# MiB that the guest can touch
	most=$((much - 100)) # and of these must be reported
	vm_start v -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m "$1" -c "${CPUS:-1}" "--balloon=$2" \
		--reclaim "$RECLAIM" -p "console=ttyS0 quiet $3"
	vm_ready 180 || {
		not_ok "ready" "$(tail -n 1 "$(vm_log)")"
		finish
	}
}
touch_and_free() { # NAME
	check "$1: touch $much MiB" guest touch "$much"
	full=$(rss)
	check_ge "$1: MiB resident then" "$full" "$much"
	check "$1: free them" guest free
}
falls() { # NAME
	within_30s resident_is_below $((full - most))
	check_ge "$1: resident memory has fallen by MiB" $((full - $(rss))) "$most"
}
stays() { # NAME
	check_le "$1: resident memory has fallen by MiB" $((full - $(rss))) 50
}
quit() { # NAME
	check_eq "$1: no violation of the protocol" "$(stat_field violations)" 0
	check_eq "$1: failed discards" "$(stat_field discard_errors)" 0
	check_eq "$1: ballooned pages among the reported" "$(stat_field released_bytes)" 0
	check "$1: quit" "$AEROSTAT" stop -n v --force
	check_eq "$1: exit status" "$(vm_exit 30)" 0
}

# ---- by itself ----

start "$SIZE" stats=on ''
check_eq "reporting is negotiated" "$(feature 5)" 1
touch_and_free plain
falls plain
check_eq "plain: nothing is ballooned" "$(stat_field ballooned_bytes)" 0
check_ge "plain: MiB reported that went" "$(report_mib discarded)" "$most"
fill_and_verify plain "$most"
full=$(rss)
falls "plain, freed again"

# Beside the balloon, and beside a guest that allocates, writes and verifies.
few=$((SIZE * 3 / 10))
check "inflate $few MiB" balloon --inflate "$few" --wait
fill_and_verify "balloon full" $((much / 2))
check "deflate" balloon --target 0 --wait
check "start a load" guest busy on
check "inflate under load" balloon --target "$few" --wait --timeout 120
check "deflate under load" balloon --target 0 --wait --timeout 120
sleep 3
check "the load saw no wrong byte" guest busy off
check_eq "stray deflates" "$(stat_field stray_deflates)" 0
check_eq "double inflates" "$(stat_field double_inflates)" 0

quit plain

# What is paused stands still.
start 512 stats=on ''
touch_and_free pause
check "pause" "$AEROSTAT" pause -n v
here=$(report_mib reported)
still=$(rss)
sleep 4
check_eq "pause: MiB reported then and now" "$(report_mib reported)" "$here"
check_eq "pause: MiB resident then and now" "$(rss)" "$still"
check "resume" "$AEROSTAT" resume -n v
falls pause

# A driver that comes back, and a kernel that does.
if [ "$KERNEL" != small ]; then # which has it built in
	check "unload the driver" guest rmmod virtio_balloon
	touch_and_free "no driver"
	check_ge "no driver: MiB resident" "$(rss)" "$much"
	check "load it again" guest insmod virtio_balloon
	falls "driver reloaded"
fi
check "reboot" guest reboot
vm_ready 180 2 || not_ok "ready again" "$(tail -n 1 "$(vm_log)")"
touch_and_free rebooted
falls rebooted
fill_and_verify rebooted "$most"
quit rebooted

# ---- what the guest fills its free pages with ----

start 512 stats=off init_on_free=1 # and so the queue has another number
check_eq "init_on_free: reporting is negotiated" "$(feature 5)" 1
check_eq "init_on_free: and poison" "$(feature 4)" 1
check_eq "init_on_free: it fills pages with" "$(stat_field poison)" 0
touch_and_free init_on_free
falls init_on_free
fill_and_verify init_on_free "$most"
quit init_on_free

start 512 poison=off init_on_free=1
check_eq "no poison: Linux drops reporting" "$(feature 5)" 0
quit "no poison"

if has_page_poison; then
	start 512 stats=on page_poison=on
	check_eq "page_poison: it fills pages with" "$(stat_field poison)" $((0xaaaaaaaa))
	touch_and_free page_poison
	within_30s reported_is_above "$most"
	check_ge "page_poison: MiB reported" "$(report_mib reported)" "$most"
	check_ge "page_poison: MiB kept" "$(report_mib skipped_poison)" "$most"
	check_eq "page_poison: MiB that went" "$(report_mib discarded)" 0
	stays page_poison
	fill_and_verify page_poison 200 # where the kernel looks whether its poison is still there
	check_eq "page_poison: pages the kernel found wrong" "$(field matches "$(guest dmesg-grep 'pagealloc: ')")" 0
	quit page_poison
fi

# ---- less of it ----

start 512 reporting-rate=16M ''
touch_and_free rate
within_30s reported_is_above "$most"
check_le "rate: MiB that went, of 16 a second" "$(report_mib discarded)" $(($(stat_field uptime_ms) * 16 / 1000 + 32))
check_ge "rate: MiB that were skipped" "$(report_mib skipped_rate)" 50
quit rate

start 512 reporting-min=64M ''
touch_and_free min
within_30s reported_is_above "$most"
check_ge "min: MiB skipped" "$(report_mib skipped_min)" "$most"
check_eq "min: MiB that went" "$(report_mib discarded)" 0
stays min
quit min

start 512 reporting=off ''
check_eq "off: reporting is negotiated" "$(feature 5)" 0
touch_and_free off
check "off: a while" guest sleep 8000
stays off
quit off
finish
