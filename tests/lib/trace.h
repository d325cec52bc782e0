/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a capture run both ways: the device replay has it, and a guest's
 * driver issues the transfers that it holds, through the controller. Every
 * completion must be the recorded one: its code, length, bytes and packets,
 * and its place among the others.
 */
#ifndef TESTS_LIB_TRACE_H
#define TESTS_LIB_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_opt {
	const char *path;   /* the capture */
	const char *option; /* behind replay=PATH: ",dev=1.4"; or "" */
	bool recorded_pace; /* else at once */
	const char *pcap;   /* a capture of the session is written here */
};

struct trace_stats {
	unsigned control, bulk, interrupt, isoch; /* transfers compared */
	unsigned bad_packets;                     /* of the isochronous ones */
	unsigned packets, stalls, errors, shorts, cancels, unplugs, streams;
	unsigned open; /* had no end, and had none here */
	uint64_t bytes;
	uint64_t virtual_ns; /* time that it took in there */
};

enum trace_verdict { TRACE_SAME, TRACE_REFUSED, TRACE_DIFFERS };

/* @why has the reason of a refusal, or the first difference. */
enum trace_verdict trace_run(const struct trace_opt *o, char *why, size_t len,
			     struct trace_stats *ret);

/*
 * trace_compare - is what was captured of a session in @ours, transfer for
 * transfer, what is in @path (with @option)? The transfers of isochronous
 * endpoints are compared packet for packet.
 */
enum trace_verdict trace_compare(const char *path, const char *option,
				 const char *ours, char *why, size_t len);

/* For both: the capture and the device in it that @option names. */
struct replay;
int trace_open(const char *path, const char *option, struct replay *r,
	       char *why, size_t len);
void trace_close(struct replay *r);

#endif
