# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What a stock Debian guest frees, and the host gets back without a balloon: by free page reporting, or by a trim. RUNS is
# a list of CASE:MONITOR, each made once, in that order; one line of JSON a run. Runs where KVM is, see tests/bench/run.
#
# Cases:  report       RAM MiB, TOUCH of them written to and freed: how long until the host has them back
#         trim         the same without reporting, but for one trim
#         trim-noinit  with init_on_alloc=0: a guest that takes pages to give them away doesn't zero them first
#         churn        page faults only, CHURN MiB at a time, with reporting and without, in turn (tests/bench/churn.c)
#
# Monitors: aerostat, qemu; for churn their names joined, all of them run at once
. /lib.sh

churn_all() {
	set -- -q $sockets -c "$CHURN" -s "$CHURN_SECONDS" -n "$CHURN_TURNS"
	set -- "$@" aerostat-on "$(aerostat_line aerostat-on "$RAM" reporting=on auto)"
	set -- "$@" aerostat-off "$(aerostat_line aerostat-off "$RAM" reporting=off auto)"
	case $monitor in
	*qemu)
		set -- "$@" qemu-on "$(qemu_line qemu-on "$RAM" ,free-page-reporting=on)"
		set -- "$@" qemu-off "$(qemu_line qemu-off "$RAM")"
		;;
	esac
	measure churn "$@"
}

for run in $RUNS; do
	case=${run%%:*}
	monitor=${run#*:}
	params="console=ttyS0 quiet $GUEST_PARAMS"
	set -- report -q $sockets/bench.sock -t "$TOUCH"
	case $run in
	report:aerostat) measure "$@" sh -c "$(aerostat_line bench "$RAM" reporting=on auto)" ;;
	report:qemu) measure "$@" sh -c "$(qemu_line bench "$RAM" ,free-page-reporting=on)" ;;
	trim*)
		[ "$case" != trim-noinit ] || params="$params init_on_alloc=0"
		measure "$@" -x "aerostat balloon --trim --wait --timeout 300 -n bench" \
			sh -c "$(aerostat_line bench "$RAM" reporting=off auto)"
		;;
	churn:*) churn_all ;;
	esac
done
