/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsierr.c - reads from a disk beyond its end, past the block layer: the
 * device has to answer with CHECK CONDITION and sense data.
 *
 *   scsierr /dev/sdX - exit status 0 when it did, `sense KEY ASC` printed
 */
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define READ_10 0x28
#define CHECK_CONDITION 2

int main(int argc, char **argv)
{
	/* READ (10) of 8 blocks at LBA 0x7fffff00 (SBC-3 §5.8) */
	unsigned char cdb[10] = {READ_10, 0, 0x7f, 0xff, 0xff, 0, 0, 0, 8};
	unsigned char data[4096], sense[64] = {0};
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(cdb),
		.mx_sb_len = sizeof(sense),
		.dxfer_len = sizeof(data),
		.dxferp = data,
		.cmdp = cdb,
		.sbp = sense,
		.timeout = 20000,
	};
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || ioctl(fd, SG_IO, &io)) {
		perror("scsierr");
		return 2;
	}
	printf("status %02x host %02x sense %x %02x\n", io.status,
	       io.host_status, sense[2] & 15, sense[12]);
	return io.status == CHECK_CONDITION && !io.host_status ? 0 : 1;
}
