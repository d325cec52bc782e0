/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/record_codec.h"

#include <string.h>

/*
 * How the arguments of a kind are written, a letter each:
 *   u  as they are
 *   s  signed
 *   d  what was added since the record of this kind before
 *   r  what was added since the register was written last
 *   t  a time: what was added since the time before; never has a sign for it
 *   a  a place in guest memory, expected behind one of the last places
 *   p  a place of payload, l  its length: expected as the last TRB has them
 *   g  bytes got of those asked for, the argument before the last
 */
static const struct {
	const char *name;
	const char *args;
	enum { NO_DATA, MEMORY, SOME_DATA } data;
} kinds[XHCI_TAP_NKINDS] = {
	[XHCI_TAP_MMIO_READ] = {"MMIO_READ", "uu", NO_DATA},
	[XHCI_TAP_MMIO_WRITE] = {"MMIO_WRITE", "uur", NO_DATA},
	[XHCI_TAP_RUN] = {"RUN", "", NO_DATA},
	[XHCI_TAP_TIMER] = {"TIMER", "", NO_DATA},
	[XHCI_TAP_RESET] = {"RESET", "", NO_DATA},
	[XHCI_TAP_BUS_MASTER] = {"BUS_MASTER", "u", NO_DATA},
	[XHCI_TAP_INTR_MODE] = {"INTR_MODE", "u", NO_DATA},
	[XHCI_TAP_CONNECT] = {"CONNECT", "uu", NO_DATA},
	[XHCI_TAP_DISCONNECT] = {"DISCONNECT", "u", NO_DATA},
	[XHCI_TAP_RESET_DONE] = {"RESET_DONE", "uu", NO_DATA},
	[XHCI_TAP_WAKE] = {"WAKE", "u", NO_DATA},
	[XHCI_TAP_XFER_DONE] = {"XFER_DONE", "duuuu", NO_DATA},
	[XHCI_TAP_RETURN] = {"RETURN", "s", NO_DATA},
	[XHCI_TAP_TRB_READ] = {"TRB_READ", "au", MEMORY},
	[XHCI_TAP_TRB_PEEK] = {"TRB_PEEK", "au", MEMORY},
	[XHCI_TAP_TRB_WRITE] = {"TRB_WRITE", "au", MEMORY},
	[XHCI_TAP_CTX_READ] = {"CTX_READ", "au", MEMORY},
	[XHCI_TAP_CTX_WRITE] = {"CTX_WRITE", "au", MEMORY},
	[XHCI_TAP_MEM_READ] = {"MEM_READ", "au", MEMORY},
	[XHCI_TAP_MEM_WRITE] = {"MEM_WRITE", "au", MEMORY},
	[XHCI_TAP_PAYLOAD] = {"PAYLOAD", "plug", NO_DATA},
	[XHCI_TAP_NOW] = {"NOW", "t", NO_DATA},
	[XHCI_TAP_TIMER_SET] = {"TIMER_SET", "t", NO_DATA},
	[XHCI_TAP_KICK] = {"KICK", "", NO_DATA},
	[XHCI_TAP_INTR_MSG] = {"INTR_MSG", "u", NO_DATA},
	[XHCI_TAP_INTR_PIN] = {"INTR_PIN", "u", NO_DATA},
	[XHCI_TAP_SUBMIT] = {"SUBMIT", "duuuduuuds", SOME_DATA},
	[XHCI_TAP_CANCEL] = {"CANCEL", "d", NO_DATA},
	[XHCI_TAP_PORT_RESET] = {"PORT_RESET", "uu", NO_DATA},
	[XHCI_TAP_EP_ENABLE] = {"EP_ENABLE", "uuuuuuuuu", NO_DATA},
	[XHCI_TAP_EP_DISABLE] = {"EP_DISABLE", "uu", NO_DATA},
	[XHCI_TAP_SUSPEND] = {"SUSPEND", "uu", NO_DATA},
	[XHCI_TAP_PORT_FAULT] = {"PORT_FAULT", "uu", NO_DATA},
	[XHCI_TAP_NOTIFY] = {"NOTIFY", "uuu", NO_DATA},
};

const char *rec_kind_name(enum xhci_tap_kind kind)
{
	return kind < XHCI_TAP_NKINDS ? kinds[kind].name : "?";
}

unsigned rec_nargs(enum xhci_tap_kind kind)
{
	return (unsigned)strlen(kinds[kind].args);
}

bool rec_has_data(enum xhci_tap_kind kind)
{
	return kinds[kind].data != NO_DATA;
}

/* Seven bits a byte, the low ones first; all but the last have bit 7. */
static uint8_t *put_num(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* What is left to decode; @bad: it was not enough, or no number. */
struct in {
	const uint8_t *p, *end;
	bool bad;
};

static uint64_t get_num(struct in *in)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && in->p < in->end; shift += 7) {
		uint8_t b = *in->p++;

		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	in->bad = true;
	return 0;
}

/* Small numbers of either sign are small. */
static uint64_t fold(uint64_t v)
{
	return v << 1 ^ (v >> 63 ? UINT64_MAX : 0);
}

static uint64_t unfold(uint64_t v)
{
	return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

static uint64_t *reg_of(struct rec_codec *c, uint64_t off)
{
	return &c->reg[off / 4 % REC_REGS];
}

/* Where the number of the record of this kind before is, or what is like it */
static uint64_t *base_of(struct rec_codec *c, const struct xhci_tap_rec *rec,
			 unsigned i)
{
	switch (kinds[rec->kind].args[i]) {
	case 'd':
		return &c->prev[rec->kind][i];
	case 'r':
		return reg_of(c, rec->arg[0]);
	case 't':
		return &c->time;
	case 'p':
		return &c->payload;
	case 'l':
		return &c->payload_len;
	default:
		return NULL;
	}
}

static uint8_t *put_addr(struct rec_codec *c, uint8_t *p, uint64_t gpa,
			 unsigned *ret_n)
{
	for (unsigned i = 0; i < REC_ADDRS; i++)
		if (c->addr[i] == gpa) {
			*ret_n = i;
			return put_num(p, i);
		}
	*ret_n = REC_ADDRS - 1;
	return put_num(put_num(p, REC_ADDRS), fold(gpa - c->addr[0]));
}

static uint64_t get_addr(struct rec_codec *c, struct in *in, unsigned *ret_n)
{
	uint64_t n = get_num(in);

	*ret_n = n < REC_ADDRS ? (unsigned)n : REC_ADDRS - 1;
	if (n < REC_ADDRS)
		return c->addr[n];
	if (n > REC_ADDRS)
		in->bad = true;
	return c->addr[0] + unfold(get_num(in));
}

static uint64_t trb_param(const uint8_t *trb)
{
	uint64_t v = 0;

	for (unsigned i = 8; i-- > 0;)
		v = v << 8 | trb[i];
	return v;
}

/* What the record lets expect of those to come */
static void learn(struct rec_codec *c, const struct xhci_tap_rec *rec,
		  unsigned addr)
{
	const uint8_t *trb = rec->data;

	if (kinds[rec->kind].data == MEMORY) {
		memmove(c->addr + 1, c->addr, addr * sizeof(c->addr[0]));
		c->addr[0] = rec->arg[0];
		if (rec->kind != XHCI_TAP_TRB_PEEK)
			c->addr[0] += rec->arg[1];
	}
	if (rec->kind == XHCI_TAP_TRB_READ && rec->len == 16) {
		c->payload = trb_param(trb);
		c->payload_len = (trb[8] | (uint64_t)trb[9] << 8 |
				  (uint64_t)trb[10] << 16) &
				 0x1ffff;
	}
	if (rec->kind == XHCI_TAP_PAYLOAD) {
		c->payload = rec->arg[0] + rec->arg[3];
		c->payload_len = rec->arg[1] - rec->arg[3];
	}
}

size_t rec_encode(struct rec_codec *c, const struct xhci_tap_rec *rec,
		  uint8_t buf[REC_MAX])
{
	const char *args = kinds[rec->kind].args;
	uint64_t v, *base;
	unsigned addr = 0;
	uint8_t *p = buf;

	*p++ = (uint8_t)rec->kind;
	for (unsigned i = 0; args[i]; i++) {
		v = rec->arg[i];
		base = base_of(c, rec, i);
		if (args[i] == 't' && v == UINT64_MAX) {
			*p++ = 0;
			continue;
		}
		if (args[i] == 't')
			*p++ = 1;
		if (args[i] == 'a')
			p = put_addr(c, p, v, &addr);
		else if (args[i] == 's')
			p = put_num(p, fold(v));
		else if (args[i] == 'g')
			p = put_num(p, rec->arg[i - 2] - v);
		else
			p = put_num(p, base ? fold(v - *base) : v);
		if (base)
			*base = v;
	}
	if (kinds[rec->kind].data == MEMORY)
		p = put_num(p, rec->arg[1] - rec->len);
	else if (kinds[rec->kind].data == SOME_DATA)
		p = put_num(p, rec->len);
	if (rec->len)
		memcpy(p, rec->data, rec->len);
	learn(c, rec, addr);
	return (size_t)(p - buf) + rec->len;
}

static uint64_t decode_arg(struct rec_codec *c, const struct xhci_tap_rec *rec,
			   unsigned i, struct in *in, unsigned *addr)
{
	uint64_t v, *base = base_of(c, rec, i);

	switch (kinds[rec->kind].args[i]) {
	case 'a':
		return get_addr(c, in, addr);
	case 's':
		return unfold(get_num(in));
	case 'g':
		v = get_num(in);
		if (v > rec->arg[i - 2])
			in->bad = true;
		return rec->arg[i - 2] - v;
	case 't':
		v = get_num(in);
		if (v > 1)
			in->bad = true;
		if (v == 0)
			return UINT64_MAX;
		break;
	default:
		break;
	}
	v = get_num(in);
	if (!base)
		return v;
	*base += unfold(v);
	return *base;
}

size_t rec_decode(struct rec_codec *c, const uint8_t *buf, size_t len,
		  struct xhci_tap_rec *ret, uint8_t data[XHCI_TAP_DATA])
{
	struct in in = {buf, buf + len, len == 0};
	struct xhci_tap_rec rec = {0};
	uint64_t n = 0;
	unsigned addr = 0;

	if (in.bad || *in.p >= XHCI_TAP_NKINDS)
		return 0;
	rec.kind = *in.p++;
	for (unsigned i = 0; kinds[rec.kind].args[i]; i++)
		rec.arg[i] = decode_arg(c, &rec, i, &in, &addr);
	if (kinds[rec.kind].data == MEMORY)
		n = rec.arg[1] - get_num(&in); /* wraps: too many */
	else if (kinds[rec.kind].data == SOME_DATA)
		n = get_num(&in);
	if (in.bad || n > XHCI_TAP_DATA || n > (size_t)(in.end - in.p) ||
	    (kinds[rec.kind].data == MEMORY && rec.arg[1] > XHCI_TAP_DATA))
		return 0;
	memcpy(data, in.p, n);
	rec.data = data;
	rec.len = (uint32_t)n;
	learn(c, &rec, addr);
	*ret = rec;
	return (size_t)(in.p - buf) + n;
}
