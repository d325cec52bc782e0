#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# format.sh [-i] - the formatter's check over the tracked C files (all, where
# this is no git tree); -i puts right what it finds (`make format`).
set -u
cd "$(dirname "$0")/../.." || exit 2
files=$(git ls-files '*.c' '*.h' 2>/dev/null | while read -r f; do
	[ ! -e "$f" ] || echo "$f"
done)
[ -n "$files" ] || files=$(find . -name build -prune -o -name '*.[ch]' -print)
# shellcheck disable=SC2086
clang-format "${1:---dry-run}" -Werror $files
