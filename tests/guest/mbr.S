/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbr.S - the boot sector of matrix.sh's disk: reads 256 sectors behind it by the
 * BIOS' calls for disks, 32 a call, adds up their words, writes what it read to
 * the 256 sectors behind those, and says `mbr SUM` on the console, which SeaBIOS
 * sends to the serial port. With a key from the keyboard it says `key X`.
 */
	.code16
	.globl _start
_start:	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7000, %sp
	movb	%dl, drive
	cld
	xorl	%ebx, %ebx		/* the sum */
	movw	$8, %bp
next:	movb	$0x42, %ah
	call	disk
	movw	$0x1000, %ax
	movw	%ax, %es
	xorw	%di, %di
	movw	$8192, %cx		/* 32 sectors of words */
2:	movzwl	%es:(%di), %eax
	addl	%eax, %ebx
	addw	$2, %di
	loop	2b
	addl	$256, lba
	movw	$0x4300, %ax
	call	disk
	subl	$224, lba
	decw	%bp
	jnz	next
	movw	$text, %si
	call	print
	movw	$8, %cx
3:	roll	$4, %ebx
	movb	%bl, %al
	andb	$15, %al
	addb	$'0', %al
	cmpb	$'9', %al
	jbe	4f
	addb	$39, %al
4:	call	putc
	loop	3b
	movw	$crlf, %si
	call	print
5:	xorw	%ax, %ax		/* a key */
	int	$0x16
	movb	%al, %bl
	movw	$key, %si
	call	print
	movb	%bl, %al
	call	putc
	movw	$crlf, %si
	call	print
	jmp	5b

disk:	movb	drive, %dl
	movw	$packet, %si
	int	$0x13
	jnc	6f
	movw	$bad, %si
	call	print
7:	hlt
	jmp	7b
print:	lodsb
	testb	%al, %al
	jz	6f
	call	putc
	jmp	print
putc:	pushw	%bx
	pushw	%cx
	movb	$0x0e, %ah
	movw	$7, %bx
	int	$0x10
	popw	%cx
	popw	%bx
6:	ret

packet:	.byte	16, 0
	.word	32, 0, 0x1000
lba:	.long	1, 0
drive:	.byte	0
text:	.asciz	"mbr "
key:	.asciz	"key "
bad:	.ascii	"disk error"
crlf:	.asciz	"\r\n"
	.org	510
	.word	0xaa55
