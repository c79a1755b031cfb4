# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For the smoke tests: virtual machines driven over their consoles, and checks. Runs on busybox sh.
#
#   . ./lib.sh
#   vm_start one -k vmlinuz -i initrd -m 512M -c 1 --balloon
#   vm_ready 60 || finish                       # waits for the guest's "guest: ready"
#   check "touch" guest touch 100               # "ok 1 - touch", or "not ok 1 - touch: what it printed"
#   free=$(field MemFree "$(guest meminfo)")
#   check_ge "free memory in KiB" "$free" 100000
#   check "power off" guest poweroff
#   check_eq "exit status" "$(vm_exit 30)" 0
#   finish                                      # exits 1 when a check failed
#
# AEROSTAT is the monitor (default: aerostat), ARCH its architecture (default: x86_64), SMOKE_DIR the folder of logs (default: /tmp/smoke), REPLY_SECONDS how
# long a guest may take to answer (default: 120). vm_* and guest speak to the machine started or selected last, $VM.

AEROSTAT=${AEROSTAT:-aerostat}
ARCH=${ARCH:-x86_64}
SMOKE_DIR=${SMOKE_DIR:-/tmp/smoke}
REPLY_SECONDS=${REPLY_SECONDS:-120}
VM=
checks=0
failures=0
mkdir -p "$SMOKE_DIR"

# --- virtual machines ------------------------------------------------------------------------------------------------

vm_log() { echo "$SMOKE_DIR/$VM.log"; }

# Process number of the monitor.
vm_pid() { cat "$SMOKE_DIR/$VM.pid"; }

vm_running() { [ ! -e "$SMOKE_DIR/$VM.status" ]; }

vm_select() { VM=$1; }

# vm_start NAME OPTION...: `aerostat run --name NAME OPTION...` in the background. Its console goes to a log; its
# input is a fifo that it holds open for writing itself, so it never sees the end of it.
vm_start() {
	VM=$1
	shift
	rm -f "$SMOKE_DIR/$VM".*
	mkfifo "$SMOKE_DIR/$VM.in"
	: >"$SMOKE_DIR/$VM.log"
	# shellcheck disable=SC2094,SC2016 # one fifo on purpose; the inner shell's variables
	(
		status=0
		sh -c 'echo $$ >"$0"; exec "$@"' "$SMOKE_DIR/$VM.pid" "$AEROSTAT" run --name "$VM" "$@" \
			<>"$SMOKE_DIR/$VM.in" >"$SMOKE_DIR/$VM.log" 2>&1 || status=$?
		echo "$status" >"$SMOKE_DIR/$VM.status"
	) &
	wait_until 10 test -s "$SMOKE_DIR/$VM.pid"
}

# vm_exit SECONDS: waits for the monitor's end and prints its exit status; kills it and prints "timeout" when late.
vm_exit() {
	if wait_until "$1" test -s "$SMOKE_DIR/$VM.status"; then
		cat "$SMOKE_DIR/$VM.status"
	else
		vm_kill
		echo timeout
	fi
}

# Of the machines only x86-64's has a power button.
has_power_button() { [ "$ARCH" = x86_64 ]; }

# Debian's cloud kernels, which those for riscv64 are not, can't poison pages.
has_page_poison() { [ "$ARCH" = riscv64 ] || [ "$KERNEL" = small ]; }

# MiB that riscv64's kernels have in a table of all the sections of memory that 56 bits can address (sparse_init); those
# of the others are small.
table_mib=0
[ "$ARCH" != riscv64 ] || table_mib=32

# vm_stop SECONDS: asks the guest to power off: by the power button, else on its console.
vm_stop() {
	if has_power_button; then
		"$AEROSTAT" stop -n "$VM" --timeout "$1"
	else
		guest poweroff
	fi
}

vm_kill() {
	kill -9 "$(vm_pid)" 2>/dev/null
	wait_until 10 test -s "$SMOKE_DIR/$VM.status"
}

# The console's complete lines, read once: a line that is still being written is left out.
console_lines() { { cat "$(vm_log)" && echo; } | sed '$d' | tr -d '\r'; }

# How many of them match a pattern. What the kernel said without a newline may stand in front of init's words.
console_count() { console_lines | grep -c "$1"; }

console_grew() { # PATTERN COUNT: more than COUNT lines, or nothing more to come
	[ "$(console_count "$1")" -gt "$2" ] || ! vm_running
}

# vm_ready SECONDS [BOOTS]: waits until init said "guest: ready" (BOOTS times: after a reboot, 2).
vm_ready() {
	wait_until "$1" console_grew 'guest: ready' $((${2:-1} - 1)) &&
		[ "$(console_count 'guest: ready')" -ge "${2:-1}" ] && return 0
	echo "$VM is not ready: $(tail -n 1 "$(vm_log)")"
	return 1
}

reply_pattern='guest: \(ok\|fail\)'

# guest COMMAND...: sends a line to the guest's init and prints its answer without "guest: ".
# 0: ok, 1: fail, 2: no answer.
guest() {
	replies=$(console_count "$reply_pattern")
	vm_running && echo "$*" 1<>"$SMOKE_DIR/$VM.in"
	wait_until "$REPLY_SECONDS" console_grew "$reply_pattern" "$replies"
	reply=$(console_lines | grep "$reply_pattern" | sed -n "$((replies + 1))s/.*guest: //p")
	if [ -z "$reply" ]; then
		echo "no answer to '$*'"
		return 2
	fi
	echo "$reply"
	case $reply in ok*) return 0 ;; *) return 1 ;; esac
}

# --- helpers ---------------------------------------------------------------------------------------------------------

# wait_until SECONDS COMMAND...: tries five times a second until COMMAND succeeds. 1: it never did.
wait_until() {
	# The end is a parameter, as those are a function's own: COMMAND may wait, too.
	set -- $(($(date +%s) + $1)) "$@"
	until behind_two "$@"; do
		[ "$(date +%s)" -lt "$1" ] || return 1
		sleep 0.2
	done
}
behind_two() {
	shift 2
	"$@"
}

# field KEY TEXT: the value in "... KEY=VALUE ...".
field() { echo "$2" | sed -n "s/.*\<$1=\([^ ]*\).*/\1/p"; }

# fill_and_verify NAME LEAST_MIB: the guest uses all that it has, which is at least this.
fill_and_verify() {
	filled=$(guest fill)
	check_ge "$1: the guest fills what it has, MiB" "$(field filled_mib "$filled")" "$2"
	check "$1: and every word is right" guest verify
	check "$1: and frees it" guest free
}

# Resident memory of a process in MiB.
rss_mib() { awk '/^VmRSS:/ { print int($2 / 1024); n++ } END { if (!n) print -1 }' "/proc/$1/status"; }

# --- checks ----------------------------------------------------------------------------------------------------------

ok() {
	checks=$((checks + 1))
	echo "ok $checks - $1"
}

not_ok() { # NAME DETAIL
	checks=$((checks + 1))
	failures=$((failures + 1))
	echo "not ok $checks - $1: $2"
}

skip() { # NAME REASON
	checks=$((checks + 1))
	echo "ok $checks - $1 # SKIP $2"
}

# check NAME COMMAND...: the command succeeds. check_fails: it does not.
check() {
	check_name=$1
	shift
	if check_out=$("$@" 2>&1); then ok "$check_name"; else not_ok "$check_name" "${check_out:-status $?}"; fi
}

check_fails() {
	check_name=$1
	shift
	if check_out=$("$@" 2>&1); then not_ok "$check_name" "succeeded: $check_out"; else ok "$check_name"; fi
}

check_eq() { # NAME GOT WANTED
	if [ "$2" = "$3" ]; then ok "$1 ($2)"; else not_ok "$1" "is '$2', expected '$3'"; fi
}

check_le() { # NAME GOT MOST
	if [ "$2" -le "$3" ] 2>/dev/null; then ok "$1 ($2)"; else not_ok "$1" "is '$2', expected at most $3"; fi
}

check_ge() { # NAME GOT LEAST
	if [ "$2" -ge "$3" ] 2>/dev/null; then ok "$1 ($2)"; else not_ok "$1" "is '$2', expected at least $3"; fi
}

# For a guest that starts its kernel once more: an initial RAM disk that has what it takes.
initrd_for_kexec() { # FILE
	mkdir -p /tmp/again/kexec
	cp "$IMAGES/$KERNEL.vmlinuz" /tmp/again/kexec/kernel
	cp "$IMAGES/$KERNEL.initrd" /tmp/again/kexec/initrd
	cp "$IMAGES/$KERNEL.initrd" "$1"
	(cd /tmp/again && find kexec | cpio -o -H newc) >>"$1" 2>/dev/null
}

# kexec_load NAME: the guest loads it, or 1. Of a kernel that can't, there is nothing more to test: a skip, and the end.
kexec_load() {
	if kexec_said=$(guest kexec load); then
		ok "$1: load a kernel"
		return 0
	fi
	case $kexec_said in
	*"Function not implemented"*)
		skip "$1: kexec" "this kernel has no kexec_file_load (CONFIG_KEXEC_FILE)"
		finish
		;;
	*) not_ok "$1: load a kernel" "$kexec_said" ;;
	esac
	return 1
}

# Prints the plan, ends machines that still run, shows the console tails when a check failed, and exits.
finish() {
	[ "$checks" -gt 0 ] || not_ok "checks" "none was made"
	for finish_pid in "$SMOKE_DIR"/*.pid; do
		VM=$(basename "$finish_pid" .pid)
		[ -e "$finish_pid" ] || continue
		[ "$failures" -eq 0 ] || tail -n 15 "$(vm_log)" | tr -d '\r' | sed "s/^/# $VM: /"
		! vm_running || vm_kill
	done
	echo "1..$checks"
	[ "$failures" -eq 0 ]
	exit
}
