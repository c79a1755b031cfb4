# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For the scripts of cases that measure a stock guest, where KVM is; see tests/bench/run. From there: IMAGES, KERNEL,
# ROUND, GUEST_PARAMS. A script sets case and monitor, which name its result.
image=$IMAGES/$KERNEL
params="console=ttyS0 quiet $GUEST_PARAMS"
tracing=/sys/kernel/tracing
sockets=/tmp/sockets
mkdir -m 700 $sockets
export AEROSTAT_RUNTIME_DIR=$sockets
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs tracing $tracing

# The sum of the times between two events of a thread, in events/synthetic/NAME/hist.
time_between() { # NAME FROM TO: SYSTEM/EVENT
	echo "$1 u64 ns" >>$tracing/synthetic_events
	echo 'hist:keys=common_pid:t=common_timestamp' >"$tracing/events/$2/trigger"
	# shellcheck disable=SC2016 # $t and $d are the trigger's
	echo 'hist:keys=common_pid:d=common_timestamp-$t:onmatch('"$(echo "$2" | tr / .)).trace($1,"'$d)' \
		>"$tracing/events/$3/trigger"
	echo 'hist:keys=common_pid:vals=ns' >"$tracing/events/synthetic/$1/trigger"
}

# The scheduler's own account of the guest's time is by ticks, and an emulated host loses ticks.
time_between guest_time kvm/kvm_entry kvm/kvm_exit

# One line of JSON with what the driver, such as inflate or report, printed.
measure() { # DRIVER OPTION... MONITOR...
	sample=$("$@" 2>>/tmp/measure.err) || sample='{"failed": true}'
	# shellcheck disable=SC2154 # the script's
	echo "{\"case\": \"$case\", \"monitor\": \"$monitor\", \"round\": $ROUND, \"sample\": $sample}"
	[ ! -s /tmp/measure.err ] || sed 's/^/# /' /tmp/measure.err
	: >/tmp/measure.err
}

# Lines for sh -c that become a monitor, which makes $sockets/NAME.sock.
aerostat_line() { # NAME RAM BALLOON_KEYS RECLAIM
	echo "exec aerostat run -k $image.vmlinuz -i $image.initrd -m $2 --name $1 --balloon=$3 --reclaim $4 -p '$params'"
}

qemu_line() { # NAME RAM [BALLOON_KEYS [OPTIONS]]: keys begin with a comma
	echo "exec qemu-system-x86_64 $4 -L /qemu -enable-kvm -cpu host -M microvm,acpi=on -nodefaults -no-user-config" \
		"-display none -no-reboot -serial stdio -m $2 -qmp unix:$sockets/$1.sock,server=on,wait=off" \
		"-global virtio-mmio.force-legacy=false -device virtio-balloon-device$3" \
		"-kernel $image.vmlinuz -initrd $image.initrd -append '$params'"
}
