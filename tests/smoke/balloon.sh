# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# One stock guest of SIZE MiB and its balloon: down, up, under load, through a driver reload, a reboot
# and an out-of-memory, with every page the guest keeps verified. It reports no free memory, which would go to the host
# before the balloon gets it: reporting.sh is about that.
. ./lib.sh

most=$((SIZE - 224))      # MiB that the guest can touch
half=$((SIZE / 2))
some=$((SIZE * 4 / 10))
few=$((SIZE * 3 / 10))
stat_field() { # KEY: a number of `stat --json`; -1 when there is none
	stat_value=$("$AEROSTAT" stat -n v --json | sed -n "s/^ *\"$1\": \(-\{0,1\}[0-9]*\),\{0,1\}$/\1/p" | head -n 1)
	echo "${stat_value:--1}"
}
mib_of() { echo $(($(stat_field "$1") / 1048576)); }
balloon() { "$AEROSTAT" balloon -n v "$@"; }

vm_start v -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m "$SIZE" -c "$CPUS" --balloon=deflate-on-oom=on,reporting=off --reclaim "$RECLAIM" \
	-p "console=ttyS0 quiet"
vm_ready 120 || { not_ok ready "no guest"; finish; }

# The main thing.
check "touch $most MiB" guest touch "$most"
check "verify them" guest verify
check "free them" guest free
before=$(rss_mib "$(vm_pid)")
check_ge "resident MiB after the touch" "$before" "$most"
check "inflate $half MiB" balloon --inflate "$half" --wait
after=$(rss_mib "$(vm_pid)")
check_ge "resident memory has fallen by MiB" $((before - after)) $((half - 12))
check_eq "the tracker holds MiB" "$(mib_of ballooned_bytes)" "$half"
check_eq "the guest says MiB" "$(mib_of actual_bytes)" "$half"
check_le "the monitor's own KiB" $(($(stat_field overhead_bytes) / 1024)) 4096
fill_and_verify "balloon full" $((most / 4))
check "touch $((SIZE / 10)) MiB and keep them" guest touch $((SIZE / 10))
check "deflate $half MiB" balloon --deflate "$half" --wait
check_eq "the tracker holds MiB" "$(mib_of ballooned_bytes)" 0
check "what was held is right after the deflate" guest verify
check "free it" guest free
fill_and_verify "balloon empty" $((most - 100))
check_eq "nothing odd: stray deflates" "$(stat_field stray_deflates)" 0
check_eq "nothing odd: double inflates" "$(stat_field double_inflates)" 0
check_eq "nothing odd: failed discards" "$(stat_field discard_errors)" 0

# Statistics: every tag of the kernel, none unknown.
statistics=$("$AEROSTAT" stat -n v -m --json)
case $KERNEL in 6.1) tags=10 ;; small) tags=14 ;; *) tags=16 ;; esac # small: no hugetlbfs
check_eq "statistics tags" "$(echo "$statistics" | sed -n '/"statistics"/,$p' | grep "^ *\"[a-z-]*\": [0-9]*,\{0,1\}$" | grep -vc \"seq\")" "$tags"
check_eq "unknown tags" "$(stat_field unknown_tags)" 0

# Inflating and deflating beside a guest that allocates, writes and verifies.
check "start a load" guest busy on
check "inflate under load" balloon --target "$few" --wait --timeout 120
check "deflate under load" balloon --target 0 --wait --timeout 120
check "the load saw no wrong byte" guest busy off

# The same with a target that turns back at once: the driver then gives pages back that it took a moment ago, whose
# discard is pending or under way, and the load writes to them. An answer before that discard is over loses what it wrote.
for bout in 1 2 3; do
	check "bout $bout: start a load" guest busy on
	flip=0
	while [ $flip -lt 25 ]; do
		balloon --target "$few" >/dev/null
		balloon --target 0 >/dev/null
		flip=$((flip + 1))
	done
	check "bout $bout: deflate" balloon --target 0 --wait --timeout 120
	check "bout $bout: the load saw no wrong byte" guest busy off
done
check_eq "the tracker holds MiB" "$(mib_of ballooned_bytes)" 0
check_eq "nothing odd: stray deflates" "$(stat_field stray_deflates)" 0
check_eq "nothing odd: double inflates" "$(stat_field double_inflates)" 0

# Pause in the middle of an inflate.
check "ask for $some MiB" balloon --target "$some"
check "pause" "$AEROSTAT" pause -n v
here=$(stat_field ballooned_bytes)
sleep 1
check_eq "nothing moves while paused" "$(stat_field ballooned_bytes)" "$here"
check "resume" "$AEROSTAT" resume -n v
check "the inflate goes on" balloon --target "$some" --wait

# The driver goes and comes back with the balloon full.
if [ "$KERNEL" != small ]; then # which has it built in
	check "unload the driver" guest rmmod virtio_balloon
	check_eq "no driver, nothing is ballooned" "$(mib_of ballooned_bytes)" 0
	check_fails "a command without a driver fails" balloon --inflate 1
	check_eq "and says so" "$(balloon --inflate 1 2>&1 | grep -c 'no balloon driver')" 1
	check "load it again" guest insmod virtio_balloon
	check "it takes what was asked for before" balloon --target "$some" --wait
	fill_and_verify "driver reloaded" $((most * 3 / 8))
fi

# Reboot with the balloon full: the new kernel owns everything, then gives again.
check "reboot" guest reboot
vm_ready 120 2 || not_ok "ready again" "$(tail -n 1 "$(vm_log)")"
check_eq "resets" "$(stat_field resets)" 1
check "the new driver takes $some MiB" balloon --target "$some" --wait
fill_and_verify "after the reboot" $((most * 3 / 8))

# Out of memory: the driver gives back, the target follows, and nobody fights.
check "the guest runs out of memory" guest oom $((SIZE * 7 / 10))
check_ge "deflated for lack of memory, times" "$(stat_field oom_deflates)" 1
sleep 1
low=$(stat_field target_bytes)
check_le "the target followed, MiB" $((low / 1048576)) $((some - 1))
sleep 1
check_eq "and stays" "$(stat_field target_bytes)" "$low"
fill_and_verify "after the out-of-memory" $((most * 3 / 8))

check_eq "no violation of the protocol" "$(stat_field violations)" 0
check "stop" vm_stop 60
check_eq "exit status" "$(vm_exit 30)" 0
finish
