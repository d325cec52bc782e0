# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the rig's scripts share. Sourced by sh scripts in tests/, which
# set $TOP (the top of the tree) first.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
CACHE=${VXHCI_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/vxhci}
export LC_ALL=C

say() { printf '%s\n' "$*" >&2; }
die() {
	say "${0##*/}: $*"
	exit 1
}
# now_ms - milliseconds since boot, for durations.
now_ms() {
	read -r now_up now_rest </proc/uptime
	now_s=${now_up%.*}
	now_f=${now_up#*.}
	now_f=${now_f#0}
	echo $((now_s * 1000 + ${now_f:-0} * 10))
}

# cached NAME MAKER [ARG…] - prints the path of cache entry NAME, a folder. If
# it is not there, MAKER is called with an empty folder and its arguments, and
# the folder put in place whole: an interrupted or failed run leaves nothing,
# and of two runs at once one waits.
cached() {
	cached_name=$1
	shift
	if [ -e "$CACHE/$cached_name/.complete" ]; then
		echo "$CACHE/$cached_name"
		return 0
	fi
	mkdir -p "$CACHE" || return 1
	(
		flock 9 || exit 1
		[ -e "$CACHE/$cached_name/.complete" ] && exit 0
		tmp=$(mktemp -d "$CACHE/.new.XXXXXX") || exit 1
		trap 'rm -rf "$tmp"' EXIT
		trap 'exit 1' HUP INT TERM
		maker=$1
		shift
		"$maker" "$tmp" "$@" >&2 || exit 1
		chmod 755 "$tmp"
		: >"$tmp/.complete"
		rm -rf "${CACHE:?}/$cached_name"
		mv "$tmp" "$CACHE/$cached_name"
	) 9>"$CACHE/.lock.$(echo "$cached_name" | tr / _)" || return 1
	echo "$CACHE/$cached_name"
}

# retry COMMAND… - three times, with a pause: mirrors have hiccups.
retry() {
	for retry_pause in 5 20 0; do
		"$@" && return 0
		[ $retry_pause = 0 ] && break
		say "rig: failed, again in $retry_pause s: $*"
		sleep $retry_pause
	done
	return 1
}
