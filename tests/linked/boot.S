/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot.S - a boot sector: with the firmware's INT 13h it copies COPY sectors
 * of its own disk to OWN, and those of the other disk, where there is one, to
 * OTHER; echoes a line from the keyboard where told so; and ends with a byte
 * to PORT_RESULT: 0, or the number of the step that failed.
 */
#include "tests/linked/disk.h"

#define CONSOLE 0x402
#define RESULT 0x5f0

	.code16
	.globl _start
_start:
	ljmp	$0, $begin
begin:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
	movb	%dl, own_drive
	movb	$1, step
	movb	%dl, %dh
	movl	$DISK_OWN, to
	call	copy

	movb	$2, step
	movb	own_drive, %dh
	xorb	$1, %dh			/* 0x80 and 0x81 */
	movl	$DISK_OTHER, to
	cmpb	$0, two_disks
	je	1f
	call	copy
1:
	movb	$3, step
	cmpb	$0, typing
	je	2f
	call	echo
2:
	movb	$0, step
failed:
	movb	step, %al
	movw	$RESULT, %dx
	outb	%al, %dx
	cli
	hlt

/* From drive %dh, sector DISK_FROM, to own_drive, sector `to` */
copy:
	movl	$DISK_FROM, from
	movw	$(DISK_COPY / CHUNK), %cx
3:
	movb	%dh, %dl
	movb	$0x42, %ah
	movl	from, %ebx
	call	disk
	addl	$CHUNK, from
	movb	own_drive, %dl
	movw	$0x4300, %ax
	movl	to, %ebx
	call	disk
	addl	$CHUNK, to
	loop	3b
	ret

/* INT 13h, function %ah, drive %dl, sectors from %ebx on */
disk:
	movl	%ebx, packet_lba
	movw	$CHUNK, packet_count
	movw	$packet, %si
	pushw	%cx
	pushw	%dx
	int	$0x13
	popw	%dx
	popw	%cx
	jc	failed
	ret

/* Characters of INT 16h to the log until Enter */
echo:
	movw	$CONSOLE, %dx
	movb	$'>', %al
	outb	%al, %dx
4:
	movb	$0, %ah
	int	$0x16
	cmpb	$13, %al
	je	5f
	movw	$CONSOLE, %dx
	outb	%al, %dx
	jmp	4b
5:
	movb	$10, %al
	movw	$CONSOLE, %dx
	outb	%al, %dx
	ret

	.balign 4
packet:
	.byte	16, 0
packet_count:
	.word	0
	.word	0, BUFFER		/* offset, segment */
packet_lba:
	.long	0, 0
from:	.long	0
to:	.long	0
own_drive: .byte 0
step:	.byte	0

	.org	BOOT_TWO_DISKS
two_disks: .byte 0
	.org	BOOT_TYPING
typing:	.byte	0
	.org	510
	.word	0xaa55
