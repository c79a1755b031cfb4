# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Trim: what a stock guest has free goes to the host when somebody asks for it, and no page that the guest uses does.
# Once after a touch, paused and resumed on the way, and beside the balloon. trimload.sh does it again and again beside a
# load, hints.sh in guests and with ends that are out of the ordinary.
. ./trimlib.sh

# ---- once ----

most=$((SIZE - 224)) # MiB that the guest can touch
start "$SIZE" reporting=off,hinting=on ''
check "touch $most MiB" guest touch "$most"
full=$(rss)
check_ge "MiB resident then" "$full" "$most"
check "trim with the memory in use" trim
accounted "in use"
check_ge "in use: MiB resident" "$(rss)" $((most - 10))
check "in use: every word is right" guest verify
check "free them" guest free
full=$(rss)
check "trim" trim
check_ge "resident memory has fallen by MiB" $((full - $(rss))) $((most - 100))
accounted freed
check_ge "MiB discarded" "$(mib_of discarded)" $((most - 100))
echo "# $(of trim pauses) pauses, the longest $(of trim pause_max_us) us, $(of trim elapsed_ms) ms"
check_eq "nothing is ballooned" "$(stat_field ballooned_bytes)" 0
back_and_right trimmed $((plenty - 90))
check_eq "once: blocks outside of a session" "$(of hinting late_blocks)" 0
quit once

# ---- on the way ----

start 192 reporting=off,hinting=on ''
check "begin a trim" balloon --trim
check_fails "another meanwhile" balloon --trim
check "pause" "$AEROSTAT" pause -n v
check_fails "paused: another" balloon --trim --wait
here="$(of trim state) $(of trim blocks) $(of trim discarded_bytes)"
still=$(rss)
sleep 2
check_eq "paused: it stands still" "$(of trim state) $(of trim blocks) $(of trim discarded_bytes)" "$here"
check_eq "paused: MiB resident then and now" "$(rss)" "$still"
check "resume" "$AEROSTAT" resume -n v
check "it goes on, to its end" wait_until 120 state_is "done"
accounted resumed
check "touch 40 MiB and keep them" guest touch 40

# The guest gives to its balloon what it didn't hint, and what it hinted when it has that back.
check "begin a trim" balloon --trim
check "inflate meanwhile" balloon --inflate 60
check "it ends" wait_until 120 state_is "done"
accounted inflating
check "then the balloon fills" balloon --target 60 --wait --timeout 60
check "trim beside a balloon" trim
accounted "beside a balloon"
check_eq "the tracker holds MiB" $(($(stat_field ballooned_bytes) / 1048576)) 60
check "begin a trim" balloon --trim
check "deflate meanwhile" balloon --target 0
check "it ends" wait_until 120 state_is "done"
accounted deflating
check "then the balloon is empty" balloon --target 0 --wait --timeout 60
check "what was held is right" guest verify
check "and is freed" guest free
back_and_right resized $((plenty - 90))
check_eq "stray deflates" "$(stat_field stray_deflates)" 0
check_eq "double inflates" "$(stat_field double_inflates)" 0
check_eq "on the way: blocks outside of a session" "$(of hinting late_blocks)" 0
quit "on the way"

finish
