# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For the tests of trim: one machine v with a balloon, what it says of its trims, and checks of them.
. ./lib.sh

stat_field() { # KEY: a number of `stat --json`; -1 when there is none
	stat_value=$("$AEROSTAT" stat -n v --json | sed -n "s/^ *\"$1\": \(-\{0,1\}[0-9]*\),\{0,1\}$/\1/p" | head -n 1)
	echo "${stat_value:--1}"
}
of() { # SECTION KEY: of the balloon's "trim" or "hinting"
	"$AEROSTAT" stat -n v --json | sed -n "/\"$1\": {/,/}/s/^ *\"$2\": //p" | sed 's/,$//; s/^"//; s/"$//'
}
mib_of() { echo $(($(of trim "$1_bytes") / 1048576)); } # KEY of the trim
feature() { echo $(($(stat_field features) >> $1 & 1)); }
balloon() { "$AEROSTAT" balloon -n v "$@"; }
trim() { balloon --trim --wait --timeout 120; }
rss() { rss_mib "$(vm_pid)"; }
free_mib() { echo $(($(field MemFree "$(guest meminfo)") / 1024)); }
# MiB: what it has again when it has all of it back, and what a trim finds of that. A driver can't take, and so can't
# hint, free memory that is set aside for DMA (CMA), as Debian's kernels of other architectures than x86-64 do.
look_at_free() {
	look=$(guest meminfo)
	plenty=$(($(field MemFree "$look") * 9 / 10240))
	worth=$((($(field MemFree "$look") - $(field CmaFree "$look")) * 9 / 20480))
}

# For wait_until.
state_is() { [ "$(of trim state)" = "$1" ]; }
trim_is_over() { case $(of trim state) in "done" | failed | cancelled) ;; *) return 1 ;; esac }
hints_came() { [ "$(of trim blocks)" -ge 4 ]; }
nothing_is_held() { [ "$(of hinting pinned)" = false ]; }
free_is_above() { [ "$(free_mib)" -ge "$1" ]; }

start() { # MIB BALLOON_KEYS PARAMS
	start_mib=$(($1 + table_mib))
	vm_start v -k "$IMAGES/$KERNEL.vmlinuz" -i "${INITRD:-$IMAGES/$KERNEL.initrd}" -m "$start_mib" -c "${CPUS:-1}" "--balloon=$2" \
		--reclaim "$RECLAIM" -p "console=ttyS0 quiet $3"
	vm_ready 180 || {
		not_ok "ready" "$(tail -n 1 "$(vm_log)")"
		finish
	}
	look_at_free
}
quit() { # NAME
	check_eq "$1: violations of the protocol" "$(stat_field violations)" 0
	check_eq "$1: failed discards" "$(stat_field discard_errors)" 0
	check "$1: quit" "$AEROSTAT" stop -n v --force
	check_eq "$1: exit status" "$(vm_exit 30)" 0
}
accounted() { # NAME: every byte that was hinted has become something
	check_eq "$1: it is done" "$(of trim state)" "done"
	check_eq "$1: bytes hinted are accounted for" \
		$(($(of trim discarded_bytes) + $(of trim ballooned_bytes) + $(of trim failed_bytes) + $(of trim kept_bytes))) \
		"$(of trim hinted_bytes)"
	check_eq "$1: bytes that the host refused" "$(of trim failed_bytes)" 0
	check_eq "$1: the session" "$(of hinting state)" finished
}
# A guest that has been told DONE takes a moment to have its memory back.
back_and_right() { # NAME LEAST_MIB
	check "$1: the guest has its memory again" wait_until 60 free_is_above "$plenty"
	fill_and_verify "$@"
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
over() { # NAME: one way or the other, and what follows works
	check "$1: it is over" wait_until 120 trim_is_over
	case $(of trim state) in
	"done") ok "$1: it came to its end" ;;
	*) check_ge "$1: it says why ($(of trim reason))" "$(of trim reason | wc -c)" 5 ;;
	esac
	check "$1: the guest holds nothing back" wait_until 60 nothing_is_held
	check "$1: it has its memory again" wait_until 60 free_is_above "$plenty"
}
well() { # NAME: a whole trim, and every word is right
	check "$1: trim" trim
	check_eq "$1: it is done" "$(of trim state)" "done"
	check_ge "$1: MiB hinted" "$(mib_of hinted)" "$worth"
	check_ge "$1: MiB that went" "$(mib_of discarded)" "$worth"
	back_and_right "$1" $((plenty / 3))
}
