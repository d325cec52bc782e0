/* SPDX-License-Identifier: BSD-2-Clause */
/* packet.h - messages of a SOCK_SEQPACKET socket, with a descriptor beside. */
#ifndef HOSTUSB_PACKET_H
#define HOSTUSB_PACKET_H

#include <sys/types.h>

/* Send @m, with @fd (borrowed; -1: none). @flags: MSG_DONTWAIT. 0 or -errno */
int packet_send(int to, const void *m, size_t len, int fd, int flags);
/*
 * Returns the bytes of one (what does not fit is lost), 0: the other end is
 * closed, or -errno. *ret_fd is the caller's to close, or -1.
 */
ssize_t packet_recv(int from, void *m, size_t len, int *ret_fd);

#endif
