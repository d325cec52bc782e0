#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# abi_test.sh - that abi.sh finds what it is for: a change that a VMM which
# is built already would notice, and no other. Prints what it missed.
set -u
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
bad=0

try() { # 0|1 WHAT SED-SCRIPT
	sed "$3" vmm/vxhci.h >"$work/vxhci.h"
	cmp -s vmm/vxhci.h "$work/vxhci.h" && { echo "$2: no change"; bad=1; }
	HEADER=$work/vxhci.h tests/check/abi.sh >"$work/out" 2>&1
	[ $? = "$1" ] || { echo "$2: not $1"; cat "$work/out"; bad=1; }
}

try 1 'a function less' '/^void vxhci_reset(/d'
try 1 'an argument more' 's/^void vxhci_reset(struct vxhci \*v/&, int hard/'
try 1 'a member in between' 's/^	void (\*wake)/	int between;&/'
try 1 'a structure that grows' 's/^	uint64_t reserved\[[0-9]*\]/&; int more/'
try 1 'a constant' 's/^\(#define VXHCI_VECTORS\) 8u/\1 9u/'
try 1 'enumerators in another order' 's/^	VXHCI_LOG_ERROR,/	OTHER,&/'
try 0 'a function more' 's/^void vxhci_reset(/void vxhci_more(void);&/'
try 0 'an enumerator more' 's/^	VXHCI_LOG_DEBUG/	&, VXHCI_LOG_TRACE/'
left=$(sed -n 's/^	uint64_t reserved\[\([0-9]*\)\].*/\1/p' vmm/vxhci.h)
try 0 'a member for a reserved one' \
	"s/^	uint64_t reserved\[$left\]/	uint64_t first, reserved[$((left - 1))]/"
exit $bad
