# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Trims that can't begin, and sessions of free page hints that end otherwise: each fails at once, or soon, with a reason,
# or comes to its end, and the guest gets its memory back.
# shellcheck disable=SC2154 # plenty, of trimlib.sh
. ./trimlib.sh

# Guests that clear pages when they allocate them take a while to hint: long enough for something else to happen.
in_the_middle() { # NAME
	check "$1: begin a trim" balloon --trim
	check "$1: the guest hints" wait_until 60 hints_came
}

# ---- what is refused ----

start 144 hinting=off,reporting=off ''
check_eq "hinting=off: hints are negotiated" "$(feature 3)" 0
says "hinting=off" "hinting=off" balloon --trim
quit hinting=off

start 160 stats=off,reporting=off '' # the queue has another number
check_eq "hints are negotiated" "$(feature 3)" 1
check "pause" "$AEROSTAT" pause -n v
says "paused" "paused" balloon --trim --wait
check "resume" "$AEROSTAT" resume -n v
if [ "$KERNEL" != small ]; then # which has it built in
	check "unload the driver" guest rmmod virtio_balloon
	says "no driver" "no balloon driver" balloon --trim --wait
	check "load it again" guest insmod virtio_balloon
	well "driver reloaded"

	# ---- the driver goes away, the kernel goes away ----
	in_the_middle unload
	check "unload the driver" guest rmmod virtio_balloon
	check "unload: it is over" wait_until 120 trim_is_over
	check "unload: it says why, or is done" test -n "$(of trim reason)$(of trim state | grep "done")"
	check "unload: the guest has its memory again" wait_until 60 free_is_above "$plenty"
	check "load it again" guest insmod virtio_balloon
	well unload
fi
in_the_middle reboot
check "reboot" guest reboot
vm_ready 180 2 || not_ok "ready again" "$(tail -n 1 "$(vm_log)")"
over reboot
check_eq "reboot: the trim" "$(of trim state)" failed
well reboot

# ---- somebody gives up ----

says "time-out" "not done after" balloon --trim --wait --timeout 1
check_eq "time-out: the trim" "$(of trim state)" cancelled
check "time-out: the guest holds nothing back" wait_until 60 nothing_is_held
check "time-out: it has its memory again" wait_until 60 free_is_above "$plenty"
balloon --trim --wait --timeout 1 >/dev/null 2>&1 # and again at once, while it may still hold something
well "after time-outs"
quit usual

# ---- the guest ends, the monitor ends ----

start 160 reporting=off ''
in_the_middle "power-off"
guest poweroff >/dev/null
check_eq "power-off: exit status" "$(vm_exit 60)" 0
start 160 reporting=off ''
in_the_middle "stop"
check "stop: quit" "$AEROSTAT" stop -n v --force
check_eq "stop: exit status" "$(vm_exit 30)" 0
start 160 reporting=off ''
in_the_middle "kill"
kill -9 "$(vm_pid)"
check_eq "kill: exit status" "$(vm_exit 30)" 137

# ---- a kernel that starts another ----

if [ "$KERNEL" != small ]; then # which can't
	initrd_for_kexec /tmp/again.initrd
	export INITRD=/tmp/again.initrd
	start 384 reporting=off ''
	unset INITRD
	kexec_load kexec || finish
	in_the_middle kexec
	echo "kexec now" 1<>"$SMOKE_DIR/v.in"
	if vm_ready 180 2; then
		over kexec
		look_at_free
		well kexec
		quit kexec
	else
		not_ok "kexec: ready again" "$(tail -n 1 "$(vm_log)")"
		vm_kill
	fi
fi
finish
