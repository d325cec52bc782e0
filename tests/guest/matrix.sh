#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# matrix.sh [ROW…|short] - `make check-guests`: each driver there is for an xHCI,
# with vxhci as the machine's only USB controller, uses a disk or boots from it, and
# reads what is typed on a keyboard: Linux, EDK2, SeaBIOS, U-Boot, iPXE. Ends with
# a table. A row is a function row_NAME below; `short` are those of `make check`;
# `--list` says which there are. With MATRIX_RECORD=DIR a recording of each row is
# left in DIR. B: the build folder.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"
. "$TOP/tests/rig/serial.sh"

[ "$VXHCI_PEER" = vxhci ] || die "the matrix is vxhci's"
ALL='linux-6.1 linux-6.12 linux-newest linux-iommu linux-one-vector linux-msi
	linux-pin linux-pin-pic linux-sleep linux-arm64 ovmf aavmf seabios
	u-boot ipxe'
SHORT='linux-6.12 linux-iommu linux-pin ovmf aavmf seabios u-boot ipxe'
case ${B:=build} in /*) ;; *) B=$TOP/$B ;; esac
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)

# disk_random MIB - $WORK/disk.img; what Linux copies on it is MIB from AT
disk_random() {
	head -c "$1M" /dev/urandom >"$WORK/disk.img"
	AT=0 MIB=4
}
host_copied() {
	cmp -s -i $((AT << 20)):$(((AT + MIB) << 20)) -n $((MIB << 20)) \
		"$WORK/disk.img" "$WORK/disk.img" && echo same || echo differs
}

# type_keys KEY… - on the keyboard, once the guest has a driver for it
type_keys() {
	type_end=$(($(now_ms) + 60000))
	# shellcheck disable=SC2046
	until "$VXHCI" input --control "$WORK/ctl" $(printf 'key=%s ' "$@") \
		>>"$WORK/typed.log" 2>&1; do
		[ "$(now_ms)" -lt $type_end ] && [ -e "$WORK/ctl" ] || {
			tail -n 1 "$WORK/typed.log"
			return 1
		}
		sleep 0.3
	done
}
host_type() { type_keys v x h c i enter && echo typed; }

# Firmware paints on the serial port where Linux speaks later: to the log
guest_line() {
	case $1 in
	dmesg:*) say "  $1" ;;
	*$ESC*) ;;
	*) say "  $row: $1" ;;
	esac
}
ESC=$(printf '\033')

# linux [QEMU ARGUMENT…] - boots and uses $WORK/disk.img
linux() {
	SLOTS="30,xhci,storage=$WORK/disk.img,speed=$SPEED,keyboard"
	guest_boot "$TOP/tests/guest/matrix.guest.sh" K="$row:" ALLOW="$allow" \
		SECTORS=$(($(wc -c <"$WORK/disk.img") / 512)) AT=$AT MIB=$MIB \
		IOMMU="${IOMMU:-}" IRQ="${IRQ:-}" -- "$@"
}
row_linux_6_1() { KERNEL=6.1 SPEED=high && disk_random 16 && linux; }
row_linux_6_12() { KERNEL=6.12 SPEED=super && disk_random 16 && linux; }
row_linux_newest() { KERNEL=newest SPEED=full && disk_random 16 && linux; }
row_linux_iommu() {
	KERNEL=6.12 SPEED=super IOMMU=1 MACHINE=,kernel-irqchip=split
	APPEND='intel_iommu=on iommu.strict=1'
	disk_random 16 && linux -device intel-iommu,caching-mode=on
}
# The function has one vector. Linux 6.1 wants two of MSI-X, or MSI.
one_vector() {
	unset MAKEFLAGS MAKELEVEL
	make -s -C "$TOP" B="$B" CC=gcc "$B/rig/fewvec" >&2 || return 1
	VIA="$B/rig/fewvec $1" IRQ=$1
	disk_random 16 && linux
}
row_linux_one_vector() { KERNEL=6.12 SPEED=super && one_vector msix; }
row_linux_msi() { KERNEL=6.1 SPEED=high && one_vector msi; }
# QEMU with the library linked in
row_linux_pin() { B=$B "$TOP/tests/guest/pin.sh" 6.12; }
row_linux_pin_pic() { B=$B "$TOP/tests/guest/pin.sh" newest pic; }
row_linux_sleep() { "$TOP/tests/guest/sleep.sh" newest; }
row_linux_arm64() {
	ARCH=arm64 KERNEL=6.12 SPEED=super
	disk_random 16 && linux
}

# EDK2's shell, from \EFI\BOOT on the disk, runs startup.nsh, which reads and
# writes a file. At its prompt `boot` is typed on the keyboard, and boot.nsh boots
# Linux: kernel and initramfs come off the disk.
guest_media() {
	case $ARCH in
	amd64) shell=efi-shell-x64/shellx64.efi boot=bootx64.efi ;;
	arm64) shell=efi-shell-aa64/shellaa64.efi boot=bootaa64.efi ;;
	esac
	cat >"$WORK/startup.nsh" <<-E
	@echo -off
	fs0:
	cp from-host.bin from-shell.bin
	comp from-host.bin from-shell.bin
	echo shell: done
	E
	echo "vmlinuz initrd=\\initrd $cmdline" >"$WORK/boot.nsh"
	rm -f "$WORK/disk.img"
	truncate -s 80M "$WORK/disk.img"
	# the last 16 MiB are not the file system's
	mkfs.fat -F 32 "$WORK/disk.img" $((64 << 10)) >/dev/null 2>&1 &&
		mmd -i "$WORK/disk.img" ::EFI ::EFI/BOOT &&
		mcopy -i "$WORK/disk.img" "$firmware/usr/share/$shell" \
			"::EFI/BOOT/$boot" &&
		mcopy -i "$WORK/disk.img" "$WORK/from-host.bin" \
			"$WORK/startup.nsh" "$WORK/boot.nsh" "$WORK/initrd" \
			"$kernel_dir/vmlinuz" ::
}
# when_shell_asks - what is typed at the shell's prompt, in the background
when_shell_asks() {
	until grep -aq 'shell: done' "$WORK/console" 2>/dev/null; do
		[ -d "$WORK" ] || return 0
		sleep 0.3
	done
	type_keys b o o t enter
}
efi() { # CODE VARS
	firmware=$("$TOP/tests/rig/firmware.sh") || return 1
	head -c 300000 /dev/urandom >"$WORK/from-host.bin"
	cp "$firmware/usr/share/$1" "$WORK/code.fd"
	cp "$firmware/usr/share/$2" "$WORK/vars.fd"
	FIRMWARE="$WORK/code.fd $WORK/vars.fd"
	AT=64 MIB=4 MEM=768
	: >"$WORK/disk.img"
	truncate -s 80M "$WORK/disk.img"
	when_shell_asks 4>&- &
	linux || return 1
	mcopy -n -i "$WORK/disk.img" ::from-shell.bin "$WORK/from-shell.bin" &&
		cmp -s "$WORK/from-host.bin" "$WORK/from-shell.bin" || {
		echo "FAILED $row: the file that EDK2's shell wrote"
		return 1
	}
	echo "ok $row: the shell copied a file and read the keyboard, and" \
		"Linux came off the disk"
}
row_ovmf() {
	KERNEL=6.12 SPEED=super
	efi OVMF/OVMF_CODE_4M.fd OVMF/OVMF_VARS_4M.fd
}
row_aavmf() {
	ARCH=arm64 KERNEL=6.12 SPEED=high
	efi AAVMF/AAVMF_CODE.no-secboot.fd AAVMF/AAVMF_VARS.fd
}

# expect_ok SECONDS PATTERN NAME
expect_ok() {
	if serial_expect "$1" "$2"; then
		result ok "$row: $3"
	else
		result FAILED "$row: $3"
		return 1
	fi
}

# The boot sector's machine needs nothing but a BIOS' calls: mbr.S says what it does
disk_bootable() {
	disk_random 1 && truncate -s 64M "$WORK/disk.img" # cylinders to count
	as --32 -o "$WORK/mbr.o" "$TOP/tests/guest/mbr.S" &&
		ld -m elf_i386 -Ttext 0x7c00 --oformat binary -e _start \
			-o "$WORK/mbr" "$WORK/mbr.o" &&
		dd if="$WORK/mbr" of="$WORK/disk.img" conv=notrunc 2>/dev/null ||
		return 1
	sum=$(dd if="$WORK/disk.img" bs=512 skip=1 count=256 2>/dev/null |
		od -An -v -tu2 | awk '{ for (i = 1; i <= NF; i++) s += $i }
			END { printf "%08x\n", s }')
}
disk_booted() {
	expect_ok 60 "mbr $sum" "boots from the disk and reads it"
	[ $row != seabios ] || {
		type_keys v && expect_ok 60 'key v' 'reads the keyboard'
	}
	serial_end || return 1
	cmp -s -i 512:$((257 * 512)) -n $((256 * 512)) "$WORK/disk.img" \
		"$WORK/disk.img" && result ok "$row: writes it" ||
		result FAILED "$row: writes it"
	[ $boot_bad = 0 ]
}
row_seabios() {
	disk_bootable || return 1
	SLOTS="30,xhci,storage=$WORK/disk.img,speed=${SPEED:-high},keyboard"
	serial_boot x86 && disk_booted
}

# iPXE has the disk as a SAN device, the BIOS' calls to which are its own then. It
# is named by PCI function, port, configuration and interface.
row_ipxe() {
	firmware=$("$TOP/tests/rig/firmware.sh") && disk_bootable || return 1
	SLOTS="30,xhci,storage=$WORK/disk.img,speed=${SPEED:-super},keyboard"
	case ${SPEED:-super} in super) port=9 ;; *) port=1 ;; esac
	cat >"$WORK/script" <<-E
	#!ipxe
	echo script runs
	echo -n name:
	read name
	echo typed \${name}
	sleep 3
	sanboot --no-describe --drive 0x80 usb:0000:00:01.0-$port-1.0
	E
	serial_boot x86 -kernel "$firmware/usr/lib/ipxe/ipxe.lkrn" \
		-initrd "$WORK/script" &&
		expect_ok 60 'script runs' 'starts' &&
		type_keys v x h c i enter &&
		expect_ok 60 'typed vxhci' 'reads the keyboard' && disk_booted
}

# Debian's U-Boot for QEMU's amd64 has no xHCI driver, that for arm64 has.
row_u_boot() {
	firmware=$("$TOP/tests/rig/firmware.sh") || return 1
	disk_random 4
	crc=$(head -c 1M "$WORK/disk.img" | gzip -1 | tail -c 8 |
		od -An -tx4 -N4 | tr -d ' ')
	SLOTS="30,xhci,storage=$WORK/disk.img,speed=${SPEED:-super},keyboard"
	serial_boot arm -bios "$firmware/usr/lib/u-boot/qemu_arm64/u-boot.bin" ||
		return 1
	expect_ok 60 'Hit any key' 'starts' && serial_type '' &&
		expect_ok 60 '=> ' 'prompt'
	serial_type 'usb stop; usb start; usb dev 0' # it had started it by itself
	expect_ok 60 '1 Storage Device\(s\) found' 'usb start'
	serial_type 'usb info'
	expect_ok 20 'Class: Mass Storage|Mass Storage' 'usb info'
	type_keys e c h o space v x h c i enter && # `echo v` and what follows
		expect_ok 20 '^vxhci$' 'reads the keyboard'
	serial_type 'usb storage'
	expect_ok 20 'Capacity: 4.0 MB' 'usb storage'
	serial_type 'usb read 0x42000000 0 0x800; crc32 0x42000000 0x100000'
	expect_ok 60 "==> $crc" 'usb read, 1 MiB'
	serial_type 'usb write 0x42000000 0x1000 0x800'
	expect_ok 60 '2048 blocks written: OK' 'usb write, 1 MiB'
	serial_end || return 1
	cmp -s -i 0:$((2 << 20)) -n $((1 << 20)) "$WORK/disk.img" \
		"$WORK/disk.img" && result ok "$row: what was written is there" ||
		result FAILED "$row: what was written is not there"
	[ $boot_bad = 0 ]
}

# run ROW - in a shell of its own, whose settings are its own
run() (
	row=$1
	guest_work matrix
	SERVE_ARGS="--control $WORK/ctl"
	[ -z "${MATRIX_RECORD:-}" ] ||
		SERVE_ARGS="$SERVE_ARGS --record $MATRIX_RECORD/$row.vxrec"
	"row_$(echo "$row" | tr '.-' '__')"
)

case ${1:-} in
short) rows=$SHORT ;;
--list)
	printf '%s\n' $ALL
	exit
	;;
'') rows=$ALL ;;
*) rows=$* ;;
esac
table= failed=0
for row in $rows; do
	row_t0=$(now_ms)
	if run "$row"; then verdict=ok; else verdict=FAILED failed=1; fi
	row_s=$((($(now_ms) - row_t0) / 1000))
	table="$table$(printf '  %-14s %-6s %3d s' "$row" $verdict $row_s)
"
done
printf '\n%s' "$table"
exit $failed
