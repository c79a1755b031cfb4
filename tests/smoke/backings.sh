# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A stock guest of 512 MiB on every kind of host memory: what the balloon takes must be missing from where the host
# counts it, come back, and leave alone what the guest kept. What a kind cannot do is refused, or said by `stat`.
. ./lib.sh

size=512
taken=128
thp=/sys/kernel/mm/transparent_hugepage
pool=/proc/sys/vm/nr_hugepages
balloon() { "$AEROSTAT" balloon -n "$VM" "$@"; }
stat_text() { "$AEROSTAT" stat -n "$VM" | sed -n "s/^ *$1  *//p"; }
meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }
rollup() { awk -v key="$1:" '$1 == key { print int($2 / 1024) }' "/proc/$(vm_pid)/smaps_rollup"; }
resident_mib() { echo $(($("$AEROSTAT" stat -n "$VM" --json | sed -n 's/^ *"resident_bytes": \([0-9]*\),$/\1/p') / 1048576)); }
start() { # NAME KEYS [OPTION...]
	start_keys=$2
	vm_start "$1" -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m "$size$start_keys" -c "${CPUS:-1}" \
		--balloon=reporting=off --reclaim "${3:-$RECLAIM}" -p "console=ttyS0 quiet"
}

# MiB that are free where this kind of memory comes from.
free_mib() { # KIND
	case $1 in
	hugetlb) echo $(($(meminfo HugePages_Free) * 2)) ;;
	memfd) echo $((1048576 - $(meminfo Shmem) / 1024)) ;;
	*) echo $(($(meminfo MemFree) / 1024)) ;;
	esac
}
freed() { [ $(($(free_mib "$1") - before)) -ge "$2" ]; } # KIND LEAST_MIB

# A hole in a part of a transparent huge page of shared memory is zeroed, but the page is kept when the kernel could
# not split it, because the guest was using another part at that moment.
audit() { # NAME
	case $1 in
	memfd-thp)
		audit_said=$(balloon --audit 2>&1)
		in_use=$(echo "$audit_said" | sed -n 's/.*: \([0-9]*\)\.[0-9] MiB of the .*/\1/p')
		check_le "$1: MiB that an audit finds, of pages not split" "${in_use:-0}" 32
		;;
	*) check "$1: the audit finds nothing" balloon --audit ;;
	esac
}

# Everything about one kind. Not all pages of a balloon make whole huge ones: of a hugetlb page all parts must be
# there, and a private transparent one that lost some is kept by the kernel until it is short of memory.
try() { # NAME KIND KEYS LEAST_MIB
	start "$1" "$3"
	vm_ready 120 || {
		not_ok "$1: ready" "no guest"
		return
	}
	check_eq "$1: stat names the backing" "$(stat_text backing | cut -d ' ' -f 1)" "$2"
	"at_start_$2" "$1"
	check "$1: touch 300 MiB" guest touch 300
	"when_full_$2" "$1"
	check "$1: free them" guest free
	check "$1: touch 50 MiB and keep them" guest touch 50
	before=$(free_mib "$2")
	was=$(resident_mib)
	check "$1: inflate $taken MiB" balloon --inflate "$taken" --wait
	wait_until 5 freed "$2" "$4"
	check_ge "$1: the host has more free, MiB" $(($(free_mib "$2") - before)) "$4"
	check_ge "$1: stat says less is resident, MiB" $((was - $(resident_mib))) "$4"
	[ "$2" != hugetlb ] || shrink_pool "$1" "$4"
	check "$1: touch 100 MiB beside the balloon" guest touch 100
	check "$1: every word is right" guest verify
	audit "$1"
	check "$1: deflate" balloon --target 0 --wait
	check "$1: touch 200 MiB more" guest touch 200
	check "$1: every word is right after the deflate" guest verify
	check "$1: quit" "$AEROSTAT" stop -n "$VM" --force
	check_eq "$1: exit status" "$(vm_exit 30)" 0
}

at_start_anon() {
	case $1 in *-prealloc*) check_ge "$1: MiB resident from the start" "$(resident_mib)" "$size" ;; esac
}
when_full_anon() {
	case $1 in
	*-thp) check_ge "$1: MiB in transparent huge pages" "$(rollup AnonHugePages)" 200 ;;
	*) check_eq "$1: MiB in transparent huge pages" "$(rollup AnonHugePages)" 0 ;;
	esac
	case $1 in *-lock*) check_ge "$1: MiB locked" "$(rollup Locked)" 300 ;; esac
}

at_start_memfd() { at_start_anon "$1"; }
when_full_memfd() {
	case $1 in
	*-thp) check_ge "$1: MiB in transparent huge pages" "$(rollup ShmemPmdMapped)" 200 ;;
	*) check_eq "$1: MiB in transparent huge pages" "$(rollup ShmemPmdMapped)" 0 ;;
	esac
	case $1 in *-lock*) check_ge "$1: MiB locked" "$(rollup Locked)" 300 ;; esac
}

at_start_hugetlb() {
	check_eq "$1: notes of stat" "$(stat_text note | grep -c 'huge pages')" 2
	check_eq "$1: all pages are its own, used or not" \
		$(($(meminfo HugePages_Total) - $(meminfo HugePages_Free) + $(meminfo HugePages_Rsvd))) $((size / 2))
	case $1 in *-prealloc*) check_eq "$1: none is free" "$(meminfo HugePages_Free)" 0 ;; esac
}
when_full_hugetlb() { check_ge "$1: pages in use" $(($(meminfo HugePages_Total) - $(meminfo HugePages_Free))) 150; }

# What went back is anybody's: the pool can do without it, and the VM keeps what it has.
shrink_pool() { # NAME LEAST_MIB
	echo $(($(meminfo HugePages_Total) - $(meminfo HugePages_Free) + $(meminfo HugePages_Rsvd))) >"$pool"
	check_le "$1: pages of a pool without what went back" "$(meminfo HugePages_Total)" $(((size - $2) / 2))
	echo $((size / 2)) >"$pool"
	check_eq "$1: pages of the pool again" "$(meminfo HugePages_Total)" $((size / 2))
}

# It ends at once with one line that says what is missing.
refused() { # NAME PATTERN KEYS
	start "$1" "$3"
	check_eq "$1: is refused" "$(vm_exit 30)" 1
	check_eq "$1: and says why" "$(grep -c "$2" "$(vm_log)") of $(wc -l <"$(vm_log)")" "1 of 1"
}

# An engine that gives nothing to the host: what the balloon holds stays in use, and the audit says so.
try_none() {
	start none '' none
	vm_ready 120 || not_ok "$VM: ready" "no guest"
	check "$VM: touch 300 MiB" guest touch 300
	check "$VM: free them" guest free
	before=$(free_mib anon)
	check "$VM: inflate $taken MiB" balloon --inflate "$taken" --wait
	sleep 1
	check_le "$VM: the host has more free, MiB" $(($(free_mib anon) - before)) 16
	check_fails "$VM: the audit finds it in use" balloon --audit
	check "$VM: quit" "$AEROSTAT" stop -n "$VM" --force
}

try_none
# What follows changes settings of the host: not for one that isn't ours.
if [ ! -d /.kvmhost ]; then
	try anon anon ,thp=off 115
	try memfd-lock-prealloc memfd ,backing=memfd,lock=on,prealloc=on 120
	skip "settings of the host" "this host is not an emulated one"
	finish
fi
# Linux counts what it keeps free for each CPU as used: up to its low watermark in all, which is tens of MiB, and raised
# whenever transparent huge pages are switched on.
least_watermark() { echo 4096 >/proc/sys/vm/min_free_kbytes; }
least_watermark
echo never >$thp/enabled
echo never >$thp/shmem_enabled
refused anon-no-thp 'thp=on: this host gives no transparent huge pages to private memory' ,thp=on
refused memfd-no-thp 'thp=on: this host gives no transparent huge pages to shared memory' ,backing=memfd,thp=on
try anon-lock-prealloc anon ,lock=on,prealloc=on 115
echo madvise >$thp/enabled
least_watermark
try anon-thp anon ,thp=on 100
echo never >$thp/enabled
try memfd memfd ,backing=memfd 120
echo advise >$thp/shmem_enabled
try memfd-thp memfd ,backing=memfd,thp=on 80
echo $((size / 2 - 1)) >"$pool"
refused hugetlb-few "needs $((size / 2)) huge pages of 2.0 MiB, and $((size / 2 - 1)) are free" ,backing=hugetlb
echo $((size / 2)) >"$pool"
try hugetlb-prealloc hugetlb ,backing=hugetlb,prealloc=on 80
check_eq "all huge pages are back" "$(meminfo HugePages_Free) $(meminfo HugePages_Rsvd)" "$((size / 2)) 0"
finish
