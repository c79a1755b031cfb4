# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The ends of a VM: every way it can stop leaves its exit status, nothing else, and a name that can be
# used again. And what a user gets to read when a VM isn't there, or isn't as expected.
. ./lib.sh

export AEROSTAT IMAGES KERNEL
run_dir=/run/aerostat
start() { # NAME OPTION...
	name=$1
	shift
	vm_start "$name" -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m 256M -p "console=ttyS0 quiet $PARAMS" "$@"
}
ready() { check "$1: ready" vm_ready 120; }
gone() { # WHEN: no process, no VM, and no socket that a list would still show
	check_eq "$1: no process is left" "$(pidof aerostat)" ""
	check_eq "$1: no VM is listed" "$("$AEROSTAT" list --json | tr -d ' \n')" "[]"
	check_eq "$1: no socket is left" "$(find "$run_dir" -name '*.sock' | wc -l)" 0
}
says() { # NAME PATTERN COMMAND...: fails at once with one line that matches
	says_name=$1
	says_pattern=$2
	shift 2
	says_start=$(date +%s)
	says_out=$("$@" 2>&1)
	check_eq "$says_name: exit status" $? 1
	check_eq "$says_name: one line" "$(echo "$says_out" | grep -c .)" 1
	check_eq "$says_name: it says '$says_pattern'" "$(echo "$says_out" | grep -c "$says_pattern")" 1
	check_le "$says_name: seconds" $(($(date +%s) - says_start)) 5
}

PARAMS=
start plain -c 2
ready plain
says "VM without a balloon" "no balloon" "$AEROSTAT" balloon -n plain --inflate 1
says "unknown VM" "nobody" "$AEROSTAT" balloon -n nobody --inflate 1
says "a name that is taken" "plain" "$AEROSTAT" run -k "$IMAGES/$KERNEL.vmlinuz" --name plain
check "the guest powers off" guest poweroff
check_eq "power-off: exit status" "$(vm_exit 60)" 0
gone "power-off"

# Quit in the middle of an inflate, and while paused.
start q --balloon
ready q
check "quit: ask for 128 MiB" "$AEROSTAT" balloon -n q --inflate 128
check "quit: in the middle of it" "$AEROSTAT" stop -n q --force
check_eq "quit: exit status" "$(vm_exit 30)" 0
start q --balloon
ready "q again"
check "pause" "$AEROSTAT" pause -n q
! has_power_button || says "stop of a paused VM" "paused" "$AEROSTAT" stop -n q
check "quit while paused" "$AEROSTAT" stop -n q --force
check_eq "quit while paused: exit status" "$(vm_exit 30)" 0
gone "quit"

# Every signal that ends a process, at its default or at ours. The name is free at once.
for signal in HUP INT QUIT TERM KILL SEGV ABRT BUS USR2; do
	start s --balloon
	if [ "$signal" = TERM ]; then # one with a balloon at work
		ready "before $signal"
		check "ask for 128 MiB" "$AEROSTAT" balloon -n s --inflate 128
	else
		wait_until 20 test -S "$run_dir/s.sock"
	fi
	kill "-$signal" "$(vm_pid)"
	case $signal in
	HUP) want=129 ;; INT) want=130 ;; QUIT) want=131 ;; KILL) want=137 ;; TERM) want=143 ;;
	ABRT) want=134 ;; BUS) want=135 ;; SEGV) want=139 ;; USR2) want=140 ;;
	esac
	check_eq "$signal: exit status" "$(vm_exit 30)" "$want"
	gone "$signal"
done

# SIGUSR1 is how vCPUs are kicked: from outside it does nothing.
start u
ready u
kill -USR1 "$(vm_pid)"
check "a stray kick changes nothing" guest uptime
has_power_button || says "stop without a power button" "no power button" "$AEROSTAT" stop -n u
check "stop" vm_stop 60
check_eq "stop: exit status" "$(vm_exit 30)" 0

# A guest that resets by a triple fault, as only x86-64 can, has ended: a report and a status of its own.
if [ "$ARCH" = x86_64 ]; then
	PARAMS="reboot=t"
	start t
	ready t
	guest reboot >/dev/null
	check_eq "triple fault: exit status" "$(vm_exit 60)" 3
	check_eq "triple fault: the report names it" "$(grep -ci 'triple fault' "$(vm_log)" | sed 's/[1-9][0-9]*/yes/')" yes
	check_eq "triple fault: the report has registers" "$(grep -ci 'rip' "$(vm_log)" | sed 's/[1-9][0-9]*/yes/')" yes
	gone "triple fault"
fi

# A terminal is given back whatever ends the monitor.
PARAMS=
for signal in 1 2 9 11 15; do
	check "terminal: raw, and given back after signal $signal" \
		"$PTY" "$signal" "$AEROSTAT" run -k "$IMAGES/$KERNEL.vmlinuz" --name tty
done
gone "terminal"

# A reader of the console that stops reading does not stop the guest.
mkfifo /tmp/slow.in /tmp/slow.out
sleep 600 <>/tmp/slow.out &
"$AEROSTAT" run -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m 256M --name slow --balloon \
	-p "console=ttyS0 ignore_loglevel initcall_debug" <>/tmp/slow.in >/tmp/slow.out 2>/dev/null &
check "a console nobody reads: the guest boots all the same" \
	wait_until 120 sh -c "\"$AEROSTAT\" stat -n slow --json | grep -q '\"driver\": true'"
i=0
while [ $i -lt 200 ]; do
	echo "cat /proc/kallsyms" >/tmp/slow.in
	i=$((i + 1))
done
has_dropped() { ! "$AEROSTAT" stat -n slow --json | grep -q '"console_dropped_bytes": 0'; }
check "what nobody reads is dropped in the end" wait_until 60 has_dropped
check "and the guest works on" "$AEROSTAT" balloon -n slow --inflate 16 --wait
check "stop it" "$AEROSTAT" stop -n slow --force
finish
