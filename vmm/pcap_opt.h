/* SPDX-License-Identifier: BSD-2-Clause */
/* pcap_opt.h - the text after --pcap, FILE[,OPTION...], as data. Pure. */
#ifndef VMM_PCAP_OPT_H
#define VMM_PCAP_OPT_H

#include <stddef.h>
#include <stdint.h>

struct pcap_opt {
	char *file;     /* owned; "-": standard output */
	uint64_t size;  /* bytes of a file, 0: no limit */
	unsigned files; /* how many there are of FILE, FILE.1, ...; from 1 */
	uint32_t snap;  /* bytes of a record that are kept */
	size_t buffer;  /* bytes of memory on the way to the file */
};

/*
 * pcap_opt_parse - 0 and *ret, freed with pcap_opt_free(); or -EINVAL (-ENOMEM)
 * and one line "TOKEN: what is wrong: what to do" in @err. A comma in FILE is
 * written as two.
 */
int pcap_opt_parse(const char *text, char *err, size_t errlen,
		   struct pcap_opt *ret);
void pcap_opt_free(struct pcap_opt *o);

#endif
