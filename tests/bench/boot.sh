# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Time from exec to the guest's init, and the monitor's own memory then: monitors in turn, ROUNDS times. One line of
# JSON a run. Runs where KVM is, see tests/bench/run.
image=$IMAGES/$KERNEL
params="console=ttyS0 quiet"
watch() { # MONITOR COMMAND...
	monitor=$1
	shift
	sample=$(stopwatch "guest: ready" 180 "$@" </dev/null 2>/dev/null) || sample='{"failed": true}'
	echo "{\"case\": \"boot\", \"monitor\": \"$monitor\", \"kernel\": \"$KERNEL\", \"round\": $round, \"sample\": $sample}"
}
for round in $(seq "$ROUNDS"); do
	watch aerostat aerostat run -k "$image.vmlinuz" -i "$image.initrd" -m 512M --name bench --balloon -p "$params"
	! command -v lkvm >/dev/null ||
		watch kvmtool lkvm run --kernel "$image.vmlinuz" --initrd "$image.initrd" --mem 512 --cpus 1 --balloon \
			--console serial --network mode=none --params "$params"
	! command -v qemu-system-x86_64 >/dev/null ||
		watch qemu-microvm qemu-system-x86_64 -L /qemu -enable-kvm -cpu host -M microvm,acpi=on -nodefaults \
			-no-user-config -display none -no-reboot -serial stdio -m 512 \
			-global virtio-mmio.force-legacy=false -device virtio-balloon-device \
			-kernel "$image.vmlinuz" -initrd "$image.initrd" -append "$params"
done
