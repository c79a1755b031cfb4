# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A guest starts another kernel by kexec while its balloon is being inflated. New Linux kernels, and Debian's 6.1, reset
# virtio devices before (virtio_dev_shutdown() in drivers/virtio/virtio.c). One that doesn't runs its new kernel in
# memory that is still in the balloon, until the new driver resets the device; the manual says what that means.
. ./lib.sh

size=1024
target=700
stat_field() { "$AEROSTAT" stat -n "$VM" --json | sed -n "s/^ *\"$1\": \(-\{0,1\}[0-9]*\),\{0,1\}$/\1/p" | head -n 1; }
mib_of() { echo $(($(stat_field "$1") / 1048576)); }
balloon() { "$AEROSTAT" balloon -n "$VM" "$@"; }
holds() { [ "$(mib_of ballooned_bytes)" -ge "$1" ]; }
settled() { [ "$(mib_of pending_bytes)" -eq 0 ] && [ "$(stat_field discarding_bytes)" -eq 0 ]; }

initrd_for_kexec /tmp/again.initrd

start() { # NAME RECLAIM
	vm_start "$1" -k "$IMAGES/$KERNEL.vmlinuz" -i /tmp/again.initrd -m "$size" -c "${CPUS:-1}" --balloon \
		--reclaim "$2" -p "console=ttyS0 quiet"
	vm_ready 120 || { not_ok "$1: ready" "no guest"; return 1; }
	check "$1: touch 700 MiB" guest touch 700
	check "$1: free them" guest free
	kexec_load "$1"
}
# All memory is the new kernel's: it fills what it has and finds its own words.
comes_up() { # WHEN
	if ! vm_ready 180 2; then
		not_ok "$1: the new kernel is ready" "$(tail -n 1 "$(vm_log)")"
		vm_kill
		return
	fi
	ok "$1: the new kernel is ready"
	check "$1: the old target goes on" balloon --target $target --wait --timeout 120
	check_eq "$1: the tracker holds MiB" "$(mib_of ballooned_bytes)" $target
	check_eq "$1: and the guest says" "$(mib_of actual_bytes)" $target
	check "$1: deflate" balloon --target 0 --wait
	filled=$(guest fill)
	check_ge "$1: the guest fills what it has, MiB" "$(field filled_mib "$filled")" 700
	check "$1: and every word is right" guest verify
	check_eq "$1: stray deflates" "$(stat_field stray_deflates)" 0
	check_eq "$1: double inflates" "$(stat_field double_inflates)" 0
	check_eq "$1: violations" "$(stat_field violations)" 0
	check "$1: quit" "$AEROSTAT" stop -n "$VM" --force
}

kexec_now() { # WHEN
	held=$(mib_of ballooned_bytes)
	echo "kexec now" 1<>"$SMOKE_DIR/$VM.in"
	check_ge "$1: MiB held before the kexec" "$held" 50
	check "$1: the kexec" wait_until 20 console_grew 'event: kexec' 0
	after=$(mib_of ballooned_bytes)
	check_le "$1: MiB held after it" "$after" $target
}

# Whatever was acknowledged is gone from the host already: any moment will do.
if start sync sync; then
	check "sync: ask for $target MiB" balloon --target $target
	wait_until 60 holds 50
	kexec_now sync
	comes_up sync
fi

# With a thread the pages of the last moments are still to be discarded. A reset of the device waits for that; without
# one, they would be discarded under the new kernel, and it is safe only when nothing is left.
if start thread thread; then
	check "thread: ask for $target MiB" balloon --target $target
	wait_until 60 holds 50
	if [ "$after" -ne 0 ]; then
		skip "thread: kexec in the middle of an inflate" "this kernel doesn't reset its devices"
		check "thread: the rest of it" balloon --target $target --wait --timeout 120
		check "thread: nothing is left to be discarded" wait_until 20 settled
	fi
	kexec_now thread
	comes_up thread
fi
finish
