# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Inflating and deflating the balloon of a stock Debian guest. RUNS is a list of CASE:MONITOR, each made once, in that
# order; one line of JSON a run. Runs where KVM is, see tests/bench/run.
#
# Cases:  touched  RAM MiB, TOUCH of them written to and freed, INFLATE of them taken. Then what follows: deflate, the
#                  first touch of what came back, a load in the guest beside an inflate
#         idle     a guest of BIG_RAM MiB that has touched nothing, BIG_INFLATE taken
#         profile  the inflate of "touched" under probes, in the guest (tell_host) and here (do_madvise)
#
# Debian's kernels zero each page that is allocated (init_on_alloc), those for the balloon too: an idle guest touches
# all that it gives. GUEST_PARAMS="init_on_alloc=0" shows what that costs.
#
# Monitors: aerostat-KIND for each way to discard; qemu; qemu-best, whose vCPU handles the queue itself
image=$IMAGES/$KERNEL
params="console=ttyS0 quiet $GUEST_PARAMS"
tracing=/sys/kernel/tracing
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs tracing $tracing
# More memory is promised to an idle guest of 8 GiB than this host has to have.
echo 1 >/proc/sys/vm/overcommit_memory

# The sum of the times between two events of a thread, in events/synthetic/NAME/hist.
time_between() { # NAME FROM TO: SYSTEM/EVENT
	echo "$1 u64 ns" >>$tracing/synthetic_events
	echo 'hist:keys=common_pid:t=common_timestamp' >"$tracing/events/$2/trigger"
	# shellcheck disable=SC2016 # $t and $d are the trigger's
	echo 'hist:keys=common_pid:d=common_timestamp-$t:onmatch('"$(echo "$2" | tr / .)).trace($1,"'$d)' \
		>"$tracing/events/$3/trigger"
	echo 'hist:keys=common_pid:vals=ns' >"$tracing/events/synthetic/$1/trigger"
}

# Every call of do_madvise(), whether it comes by a system call or from io_uring.
time_discards() {
	{
		echo 'p:bench/discard do_madvise'
		echo 'r:bench/discarded do_madvise'
	} >>$tracing/kprobe_events
	time_between discard_time bench/discard bench/discarded
}

measure() { # OPTION... -- MONITOR...: the driver's, then the command
	sample=$(inflate "$@" 2>>/tmp/inflate.err) || sample='{"failed": true}'
	echo "{\"case\": \"$case\", \"monitor\": \"$monitor\", \"round\": $ROUND, \"sample\": $sample}"
	[ ! -s /tmp/inflate.err ] || sed 's/^/# /' /tmp/inflate.err
	: >/tmp/inflate.err
}

start() { # RAM OPTION...
	ram=$1
	shift
	case $monitor in
	aerostat-none) set -- -n "$@" ;;
	esac
	case $monitor in
	aerostat-*)
		measure -q /run/aerostat/bench.sock -r "$ram" "$@" aerostat run -k "$image.vmlinuz" -i "$image.initrd" \
			-m "$ram" --name bench --balloon=reporting=off --reclaim "${monitor#aerostat-}" -p "$params"
		return
		;;
	qemu-best) set -- "$@" qemu-system-x86_64 -global virtio-mmio.ioeventfd=off ;;
	*) set -- "$@" qemu-system-x86_64 ;;
	esac
	measure -q /tmp/qmp.sock -r "$ram" "$@" -L /qemu -enable-kvm -cpu host -M microvm,acpi=on -nodefaults \
		-no-user-config -display none -no-reboot -serial stdio -m "$ram" \
		-qmp unix:/tmp/qmp.sock,server=on,wait=off \
		-global virtio-mmio.force-legacy=false -device virtio-balloon-device \
		-kernel "$image.vmlinuz" -initrd "$image.initrd" -append "$params"
}

# The scheduler's own account of the guest's time is by ticks, and an emulated host loses ticks.
time_between guest_time kvm/kvm_entry kvm/kvm_exit

for run in $RUNS; do
	case=${run%%:*}
	monitor=${run#*:}
	case $case in
	touched) start "$RAM" -t "$TOUCH" -i "$INFLATE" -l ;;
	idle) start "$BIG_RAM" -i "$BIG_INFLATE" ;;
	profile)
		[ -e $tracing/events/bench ] || time_discards
		start "$RAM" -t "$TOUCH" -i "$INFLATE" -p
		;;
	esac
done
