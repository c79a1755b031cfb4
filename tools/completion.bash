# SPDX-License-Identifier: Apache-2.0
# bash completion for aerostat. Kept equal to 'aerostat help COMMAND' by tests/cli-check.

_aerostat_options() {
	case $1 in
	run) echo '-k --kernel -i --initrd -p --params -m --mem -c --cpus --name --balloon --reclaim --console --pidfile --dump-dtb --loglevel -h --help' ;;
	list) echo '--json -h --help' ;;
	stat) echo '-n --name -a --all -m --memory --json --watch --timeout -h --help' ;;
	balloon) echo '-n --name -a --all -i --inflate -d --deflate -t --target --trim --audit -w --wait --timeout -h --help' ;;
	stop) echo '-n --name -a --all -f --force --timeout -h --help' ;;
	pause) echo '-n --name -a --all -h --help' ;;
	resume) echo '-n --name -a --all -h --help' ;;
	doctor) echo '--json -h --help' ;;
	version) echo '-h --help' ;;
	help) echo '-h --help' ;;
	*) echo 'run list stat balloon stop pause resume doctor version help' ;;
	esac
}

_aerostat() {
	local cur=$2 prev=$3 command=${COMP_WORDS[1]} words
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_aerostat_options)" -- "$cur")
		return
	fi
	# "--name" of run is a new name, everywhere else one of a running VM.
	case $command:$prev in
	run:-k | run:--kernel | run:-i | run:--initrd | run:--pidfile | run:--dump-dtb)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		return
		;;
	run:--console) words='stdio none' ;;
	run:--loglevel) words='error warn info debug' ;;
	run:--reclaim) words='auto uring thread sync none' ;;
	run:-p | run:--params | run:-m | run:--mem | run:-c | run:--cpus | run:--name) return ;;
	*:-n | *:--name) words=$(aerostat list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	*:--timeout | balloon:-[idt] | balloon:--inflate | balloon:--deflate | balloon:--target) return ;;
	help:help) words=$(_aerostat_options) ;;
	*) words=$(_aerostat_options "$command") ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _aerostat aerostat
