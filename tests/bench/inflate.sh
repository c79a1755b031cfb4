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
. /lib.sh

# More memory is promised to an idle guest of 8 GiB than this host has to have.
echo 1 >/proc/sys/vm/overcommit_memory

# Every call of do_madvise(), whether it comes by a system call or from io_uring.
time_discards() {
	{
		echo 'p:bench/discard do_madvise'
		echo 'r:bench/discarded do_madvise'
	} >>$tracing/kprobe_events
	time_between discard_time bench/discard bench/discarded
}

start() { # RAM OPTION...
	case $monitor in
	aerostat-none) line=$(aerostat_line bench "$1" reporting=off none) && set -- "$@" -n ;;
	aerostat-*) line=$(aerostat_line bench "$1" reporting=off "${monitor#aerostat-}") ;;
	qemu-best) line=$(qemu_line bench "$1" '' '-global virtio-mmio.ioeventfd=off') ;;
	*) line=$(qemu_line bench "$1") ;;
	esac
	measure inflate -q $sockets/bench.sock -r "$@" sh -c "$line"
}

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
