# SPDX-License-Identifier: BSD-2-Clause
# common.sh - what the scripts that run fuzzers share; sourced, with TOP and B.

# $B as make is to name it: of two names it would build what the other has
rel=${B#"$TOP"/}

all_fuzzers() {
	ls "$TOP"/tests/fuzz/*_fuzz.c | sed 's|.*/||;s|\.c$||'
}

# max_len NAME: bytes of an input, at most
max_len() {
	case $1 in
	emu_fuzz | devices_replay_fuzz | vmm_record_fuzz) echo 8192 ;;
	*) echo 1500 ;;
	esac
}

# stored NAME: the folder of inputs that are kept for it, if there is one
stored() {
	[ ! -d "$TOP/fixtures/fuzz/$1" ] || echo "$TOP/fixtures/fuzz/$1"
}

# seeds NAME PROGRAM FOLDER: inputs to begin with, made by the program
seeds() {
	mkdir -p "$3"
	FUZZ_SEEDS=$3 "$2" >/dev/null 2>&1 || true
}

# stored_is_corpus NAME: what is kept for it was made of its seeds, and more
stored_is_corpus() {
	[ "$(find "$TOP/fixtures/fuzz/$1" -type f 2>/dev/null | wc -l)" -gt 20 ]
}
