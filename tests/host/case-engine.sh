# SPDX-License-Identifier: BSD-2-Clause
# case-engine.sh - the library in a process with a guest's driver, beside a bare
# libusb loop on the same device: what the controller itself costs, with no
# other emulated cpu and no socket between.

ENGINE_ROUNDS=${ENGINE_ROUNDS:-4}
ENGINE_BYTES=$((32 << 20))
# engine_run PROGRAM DIRECTION LENGTH IN-FLIGHT - seconds; none: it failed
engine_run() {
	timeout $((60 * PATIENCE)) "$1" "$E3" "$2" "$3" "$4" \
		$((ENGINE_BYTES / $3))
}
# Of what was measured in turn: when in its ticks the device is caught changes
# a single run by a third.
sum() { awk '{ s += $1 } END { printf "%.3f\n", s }' "$1"; }
engine_row() { # DIRECTION LENGTH IN-FLIGHT
	: >/tmp/engine.bare >/tmp/engine.vxhci
	for r in $(seq "$ENGINE_ROUNDS"); do
		engine_run usbloop "$@" >>/tmp/engine.bare || return 1
		engine_run vxloop "$@" >>/tmp/engine.vxhci || return 1
	done
	engine_bare=$(sum /tmp/engine.bare)
	engine_vxhci=$(sum /tmp/engine.vxhci)
	echo "engine: $1, $2 bytes, $3 queued: libusb $(kb_of $engine_bare)" \
		"kB/s, vxhci $(kb_of $engine_vxhci) kB/s," \
		"$(speed_of $engine_vxhci $engine_bare 0)"
}
kb_of() { awk -v s="$1" -v n=$((ENGINE_BYTES * ENGINE_ROUNDS)) 'BEGIN {
	printf "%d\n", (s > 0 ? n / s / 1000 : 0) }'; }
engine_ratio() { speed_of "$engine_vxhci" "$engine_bare" 95; }
case_engine() {
	gadget_on dummy_udc.1 super
	must "engine: gadget zero" l1_wait 20 l1_node 0525:a4a0 || return
	for len in 16384 65536; do
		for flight in 4 8; do
			for d in out in; do
				engine_name="engine: $d, $len bytes, $flight queued"
				must "$engine_name: runs" \
					engine_row $d $len $flight || continue
				check "$engine_name: 0.95 of the bare loop" \
					engine_ratio
			done
		done
	done
	gadget_off
}
