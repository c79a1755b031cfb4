# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Huge pages that the balloon took are taken by someone else, and then the guest wants them back: the manual says how
# that ends. A hanging guest makes an emulated host slow, so this is a test of its own, with long waits.
. ./lib.sh

size=512
taken=128
pool=/proc/sys/vm/nr_hugepages
meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }
balloon() { "$AEROSTAT" balloon -n v "$@"; }

[ -d /.kvmhost ] || {
	skip "the host's pool of huge pages" "this host is not an emulated one"
	finish
}
echo $((size / 2)) >"$pool"
vm_start v -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m "$size,backing=hugetlb" -c "${CPUS:-1}" \
	--balloon --reclaim "$RECLAIM" -p "console=ttyS0 quiet nowatchdog"
vm_ready 120 || { not_ok ready "no guest"; finish; }
check "inflate $taken MiB" balloon --inflate "$taken" --wait
sleep 1
echo $((size / 2 - $(meminfo HugePages_Free) + $(meminfo HugePages_Rsvd))) >"$pool"
check "deflate" balloon --target 0 --wait
# shellcheck disable=SC2034 # of lib.sh
REPLY_SECONDS=5
check_fails "the guest can't use what isn't there" guest fill
# shellcheck disable=SC2034
REPLY_SECONDS=300
echo $((size / 2)) >"$pool"
check_eq "pages of the pool" "$(meminfo HugePages_Total)" $((size / 2))
# KVM tries for ever where it can let the guest wait (asynchronous page faults), else it gives up.
if vm_running; then
	check "and goes on when the pool has pages" wait_until 300 console_grew 'guest: ok' 0
	check "every word is right" guest verify
	check "quit" "$AEROSTAT" stop -n v --force
	check_eq "exit status" "$(vm_exit 60)" 0
else
	check_eq "exit status" "$(vm_exit 1)" 4
	check_eq "the reason" "$(grep -c 'page left for it' "$(vm_log)")" 1
fi
check_eq "all huge pages are back" "$(meminfo HugePages_Free) $(meminfo HugePages_Rsvd)" "$((size / 2)) 0"
finish
