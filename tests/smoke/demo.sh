# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The main job, with figures: a stock Debian guest boots, its balloon takes memory, and gives it back.
. ./lib.sh

resident() { echo "$(rss_mib "$(vm_pid)") MiB"; }
free_in_guest() { echo "$(($(field MemFree "$(guest meminfo)") / 1024)) MiB"; }
row() { printf '%-42s %12s %14s\n' "$1" "$(resident)" "$(free_in_guest)"; }
die() {
	echo "demo: $1: $(tail -n 1 "$(vm_log)")"
	vm_kill
	exit 1
}
step() { # NAME COMMAND...
	step_name=$1
	shift
	"$@" >/tmp/demo.out 2>&1 || die "$step_name: $(cat /tmp/demo.out)"
}

echo "A stock Debian kernel in a VM of 1 GiB:"
# Reporting would have the host notice by itself, two seconds later, what the balloon is to show.
echo "  aerostat run -k vmlinuz -i initrd -m 1G --name demo --balloon=reporting=off"
start=$(cut -d' ' -f1 /proc/uptime)
vm_start demo -k "$IMAGES/$KERNEL.vmlinuz" -i "$IMAGES/$KERNEL.initrd" -m 1G -c 1 --balloon=reporting=off -p "console=ttyS0 quiet"
vm_ready 180 || die "the guest is not ready"
grep -o 'guest: ready.*' "$(vm_log)" | tr -d '\r' | sed 's/^/  /'
awk -v a="$start" -v b="$(cut -d' ' -f1 /proc/uptime)" 'BEGIN { printf "  its init ran %.1f s after the start\n\n", b - a }'
printf '%-42s %12s %14s\n' '' 'host: resident' 'guest: free'
row "booted"
step "touch" guest touch 800
row "the guest wrote to 800 MiB"
step "free" guest free
row "and freed them: the host doesn't know"
step "inflate" "$AEROSTAT" balloon -n demo --inflate 512 --wait
inflated=$(cat /tmp/demo.out)
row "aerostat balloon -n demo --inflate 512"
step "deflate" "$AEROSTAT" balloon -n demo --deflate 512 --wait
row "aerostat balloon -n demo --deflate 512"
step "fill" guest fill
row "the guest filled what it has"
step "verify" guest verify
echo
echo "$inflated"
echo "The guest verified every word: $(field verified_mib "$(guest verify)") MiB."
echo
"$AEROSTAT" stat -n demo
step "stop" vm_stop 60
echo
echo "The guest powers off: exit status $(vm_exit 60)"
