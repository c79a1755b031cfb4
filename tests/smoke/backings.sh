# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A stock guest of 512 MiB on every kind of host memory: what the balloon takes must be missing from where the host
# counts it, come back, and hold what the guest wrote.
. ./lib.sh

size=512
taken=128
balloon() { "$AEROSTAT" balloon -n "$VM" "$@"; }
stat_text() { "$AEROSTAT" stat -n "$VM" | sed -n "s/^ *$1  *//p"; }
meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }
rollup() { awk -v key="$1:" '$1 == key { print int($2 / 1024) }' "/proc/$(vm_pid)/smaps_rollup"; }
resident_mib() { echo $(($("$AEROSTAT" stat -n "$VM" --json | sed -n 's/^ *"resident_bytes": \([0-9]*\),$/\1/p') / 1048576)); }

# MiB that are free where this kind of memory comes from.
free_mib() { # KIND
	case $1 in
	hugetlb) echo $(($(meminfo HugePages_Free) * 2)) ;;
	memfd) echo $((1048576 - $(meminfo Shmem) / 1024)) ;;
	*) echo $(($(meminfo MemFree) / 1024)) ;;
	esac
}

# A hole in a part of a transparent huge page of shared memory is zeroed, but kept when the kernel can't split it.
audit() { # NAME
	case $1 in
	memfd-thp) skip "$1: the audit finds nothing" "$(balloon --audit 2>&1)" ;;
	*) check "$1: the audit finds nothing" balloon --audit ;;
	esac
}

# Everything about one kind. Not all pages of a balloon make whole huge ones: of a hugetlb page all parts must be
# there, and a transparent one that lost some is kept by the kernel until it is short of memory.
try() { # NAME KIND KEYS LEAST_MIB
	vm_start "$1" -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m "$size$3" -c "$CPUS" --balloon \
		-p "console=ttyS0 quiet"
	vm_ready 120 || {
		not_ok "$1: ready" "no guest"
		return
	}
	check_eq "$1: stat names the backing" "$(stat_text backing | cut -d ' ' -f 1)" "$2"
	"try_$2" "$1"
	check "$1: touch 300 MiB" guest touch 300
	check "$1: free them" guest free
	sleep 1
	before=$(free_mib "$2")
	was=$(resident_mib)
	check "$1: inflate $taken MiB" balloon --inflate "$taken" --wait
	sleep 1
	check_ge "$1: the host has more free, MiB" $(($(free_mib "$2") - before)) "$4"
	check_ge "$1: stat says less is resident, MiB" $((was - $(resident_mib))) "$4"
	audit "$1"
	check "$1: touch 100 MiB beside the balloon" guest touch 100
	audit "$1"
	check "$1: deflate" balloon --target 0 --wait
	check "$1: touch 200 MiB more" guest touch 200
	check "$1: every word is right" guest verify
	check "$1: reboot" guest reboot
	vm_ready 120 2 || not_ok "$1: ready again" "$(tail -n 1 "$(vm_log)")"
	check "$1: touch 300 MiB" guest touch 300
	check "$1: every word is right" guest verify
	check "$1: power off" guest poweroff
	check_eq "$1: exit status" "$(vm_exit 30)" 0
}

try_anon() {
	case $1 in
	*-thp)
		check "$1: touch" guest touch 64
		check_ge "$1: MiB in transparent huge pages" "$(rollup AnonHugePages)" 32
		check "$1: free" guest free
		;;
	*-nothp) check_eq "$1: MiB in transparent huge pages" "$(rollup AnonHugePages)" 0 ;;
	*-prealloc) check_ge "$1: MiB resident from the start" "$(resident_mib)" "$size" ;;
	*-lock) check_ge "$1: KiB locked" "$(awk '/^VmLck:/ { print $2 }' "/proc/$(vm_pid)/status")" $((size * 1024)) ;;
	esac
}

try_memfd() {
	case $1 in
	*-thp)
		check "$1: touch" guest touch 64
		check_ge "$1: MiB in transparent huge pages" "$(rollup ShmemPmdMapped)" 32
		check "$1: free" guest free
		;;
	*) try_anon "$1" ;;
	esac
}

try_hugetlb() {
	check_eq "$1: notes of stat" "$(stat_text note | grep -c 'huge pages')" 2
	check_eq "$1: all pages are its own, free or not" \
		$(($(meminfo HugePages_Total) - $(meminfo HugePages_Free) + $(meminfo HugePages_Rsvd))) $((size / 2))
}

# What the balloon took is taken by someone else, and then the guest wants it back: the manual says how that ends.
try_empty_pool() {
	vm_start hugetlb-empty -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m "$size,backing=hugetlb" \
		-c "$CPUS" --balloon -p "console=ttyS0 quiet"
	vm_ready 120 || not_ok "$VM: ready" "no guest"
	check "$VM: inflate $taken MiB" balloon --inflate "$taken" --wait
	sleep 1
	echo $((size / 2 - $(meminfo HugePages_Free) + $(meminfo HugePages_Rsvd))) >/proc/sys/vm/nr_hugepages
	check "$VM: deflate" balloon --target 0 --wait
	# shellcheck disable=SC2034 # of lib.sh
	REPLY_SECONDS=20
	check_fails "$VM: the guest can't use what isn't there" guest fill
	# shellcheck disable=SC2034
	REPLY_SECONDS=120
	echo $((size / 2)) >/proc/sys/vm/nr_hugepages
	# KVM tries for ever where it can let the guest wait (asynchronous page faults), else it gives up.
	if vm_running; then
		check "$VM: and goes on when the pool has pages" wait_until 60 console_grew 'guest: ok' 0
		check "$VM: every word is right" guest verify
		check "$VM: power off" guest poweroff
		check_eq "$VM: exit status" "$(vm_exit 30)" 0
	else
		check_eq "$VM: exit status" "$(vm_exit 1)" 4
		check_eq "$VM: the reason" "$(grep -c 'page left for it' "$(vm_log)")" 1
	fi
}

# It ends at once with one line that says what is missing.
refused() { # NAME PATTERN KEYS
	vm_start "$1" -k "$IMAGES/$KERNEL.vmlinuz" -m "$size$3" --balloon
	check_eq "$1: is refused" "$(vm_exit 30)" 1
	check_eq "$1: and says why" "$(grep -c "$2" "$(vm_log)") of $(wc -l <"$(vm_log)")" "1 of 1"
}

# An engine that gives nothing to the host: what the balloon holds stays in use, and the audit says so.
try_none() {
	vm_start none -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m "$size" -c "$CPUS" --balloon \
		--reclaim=none -p "console=ttyS0 quiet"
	vm_ready 120 || not_ok "$VM: ready" "no guest"
	check "$VM: touch 300 MiB" guest touch 300
	check "$VM: free them" guest free
	check "$VM: inflate $taken MiB" balloon --inflate "$taken" --wait
	check_fails "$VM: the audit finds it in use" balloon --audit
	check "$VM: power off" guest poweroff
	check_eq "$VM: exit status" "$(vm_exit 30)" 0
}

# Linux counts what it keeps free for each CPU as used: up to its low watermark in all, which is tens of MiB.
[ ! -d /.kvmhost ] || echo 4096 >/proc/sys/vm/min_free_kbytes

try anon anon '' 115
try anon-thp anon ,thp=on 80
try anon-nothp anon ,thp=off 115
try anon-prealloc anon ,prealloc=on,thp=off 115
try anon-lock anon ,lock=on,thp=off 115
try memfd memfd ,backing=memfd 120
try memfd-lock memfd ,backing=memfd,lock=on,prealloc=on 120
try_none

# What follows changes settings of the host: not for one that isn't ours.
if [ -d /.kvmhost ]; then
	thp=/sys/kernel/mm/transparent_hugepage
	echo never >$thp/shmem_enabled
	refused memfd-nothp 'thp=on: this host gives no transparent huge pages to shared memory' ,backing=memfd,thp=on
	echo advise >$thp/shmem_enabled
	try memfd-thp memfd ,backing=memfd,thp=on 80
	echo $((size / 2 - 1)) >/proc/sys/vm/nr_hugepages
	refused hugetlb-few "needs $((size / 2)) huge pages of 2.0 MiB, and $((size / 2 - 1)) are free" ,backing=hugetlb
	echo $((size / 2)) >/proc/sys/vm/nr_hugepages
	try hugetlb hugetlb ,backing=hugetlb 80
	try hugetlb-prealloc hugetlb ,backing=hugetlb,prealloc=on,lock=on 80
	try_empty_pool
	check_eq "all huge pages are back" "$(meminfo HugePages_Free) $(meminfo HugePages_Rsvd)" "$((size / 2)) 0"
else
	skip "settings of the host" "this host is not an emulated one"
fi
finish
