# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Every kernel boots on 1 and 4 vCPUs, in 512 MiB and across the hole below 4 GiB, sees its memory
# and its processors, and powers itself off.
. ./lib.sh

# KiB that a kernel keeps for itself besides 4 % of memory.
own=$((49152 + table_mib * 1024))

boot() { # NAME KERNEL INITRD CPUS MIB
	vm_start "$1" -k "$2" -i "$3" -c "$4" -m "$5" -p "console=ttyS0 quiet"
	if ! vm_ready 120; then
		not_ok "$1: ready" "$(tail -n 1 "$(vm_log)")"
		vm_kill
		return
	fi
	total=$(field MemTotal "$(guest meminfo)")
	check_ge "$1: MemTotal in KiB, kernel's own share taken off" "$total" $(($5 * 1024 * 96 / 100 - own))
	check_le "$1: MemTotal in KiB, not more than was given" "$total" $(($5 * 1024))
	check_eq "$1: vCPUs online" "$(field online "$(guest cpus)")" "$4"
	check "$1: power off" guest poweroff
	check_eq "$1: exit status" "$(vm_exit 60)" 0
}

for image in "$IMAGES"/"${KERNEL:-}"*.vmlinu[xz]; do
	kernel=$(basename "$image")
	for cpus in ${CPUS:-1 4}; do
		for mib in 512 6144; do
			boot "$kernel-$cpus-$mib" "$image" "${image%.vmlinu?}.initrd" "$cpus" "$mib"
		done
	done
done
finish
