# SPDX-License-Identifier: BSD-2-Clause
# Bash completion for vxhci.

_vxhci() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local cmd=${COMP_WORDS[1]} opts=

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'serve attach detach status monitor input media controller-add controller-remove manage import list replay help' -- "$cur")
		return
	fi
	case $prev in
	--socket | --control | --config | --pcap | --record)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--slot | -s | --port | --unit | --rule | --explain | --ready-fd)
		return
		;;
	esac
	case $cmd in
	serve) opts='--socket --slot --control --sandbox --user --files --ready-fd --pcap --record --verbose --log-json' ;;
	attach) opts='--control --slot --rule --no-wait --json' ;;
	detach) opts='--control --slot --no-wait --json' ;;
	status) opts='--control --slot --json' ;;
	monitor) opts='--control --json' ;;
	input) opts='--control --slot --port' ;;
	media) opts='--control --slot --port --unit --eject --readonly --force --json' ;;
	controller-add) opts='--control --socket --slot --json' ;;
	controller-remove) opts='--control --slot --json' ;;
	import) opts='--serve' ;;
	manage) opts='--config --check --explain --json --ready-fd --verbose' ;;
	list) opts='--json' ;;
	replay) opts='--explain --stats' ;;
	help)
		mapfile -t COMPREPLY < <(compgen -W \
			'serve attach detach status monitor input media controller-add controller-remove manage import list replay' -- "$cur")
		return
		;;
	esac
	case $cur in
	-*) mapfile -t COMPREPLY < <(compgen -W "$opts --help --version" -- "$cur") ;;
	*) case $cmd in
		replay | media | import) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
		esac ;;
	esac
}
complete -F _vxhci vxhci
