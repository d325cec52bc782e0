/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_rules.c - all of what root hub ports do, xHCI 1.2 §4.15, §4.19.1: what
 * is not in the table is not cared for, the port stays as it is.
 */
#include "emu/core.h"

#define GO(s)                     \
	{                         \
		true, PORT_##s, 0 \
	}
#define GO_SET(s, ch)                \
	{                            \
		true, PORT_##s, (ch) \
	}
#define CSC PORTSC_CSC
#define PEC PORTSC_PEC
#define PRC PORTSC_PRC
#define PLC PORTSC_PLC
#define CEC PORTSC_CEC

/* clang-format off */
const struct port_rule port_rules[2][PORT_NSTATES][PORT_NEVENTS] = {
/* USB 2, figure 4-25 */
[0] = {
	[PORT_OFF] = {
		[PE_POWER_ON]     = GO(DISCONNECTED),
		[PE_TEST]         = GO(TEST) },
	[PORT_DISCONNECTED] = {
		[PE_CONNECT]      = GO_SET(DISABLED, CSC),
		[PE_POWER_OFF]    = GO(OFF),
		[PE_TEST]         = GO(TEST) },
	[PORT_DISABLED] = {
		[PE_DISCONNECT]   = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]        = GO(RESET),
		[PE_POWER_OFF]    = GO(OFF),
		[PE_TEST]         = GO(TEST) },
	[PORT_RESET] = {
		[PE_DISCONNECT]   = GO_SET(DISCONNECTED, CSC | PRC),
		[PE_RESET_DONE]   = GO_SET(U0, PRC),
		[PE_RESET_FAILED] = GO_SET(DISABLED, PRC),
		[PE_POWER_OFF]    = GO(OFF) },
	[PORT_U0] = {
		[PE_DISCONNECT]   = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]        = GO(RESET),
		[PE_DISABLE]      = GO(DISABLED),
		[PE_POWER_OFF]    = GO(OFF),
		[PE_LINK_U2]      = GO(U2),
		[PE_LINK_U3]      = GO(U3),
		[PE_LINK_ERROR]   = GO_SET(DISABLED, PEC) },
	[PORT_U2] = { /* §4.23.5.1.1: L1, as software asked for it */
		[PE_DISCONNECT]   = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]        = GO(RESET),
		[PE_DISABLE]      = GO(DISABLED),
		[PE_POWER_OFF]    = GO(OFF),
		[PE_LINK_U0]      = GO_SET(U0, PLC),
		[PE_LINK_U3]      = GO(U3),
		[PE_WAKE]         = GO_SET(U0, PLC),
		[PE_LINK_ERROR]   = GO_SET(DISABLED, PEC) },
	[PORT_U3] = {
		[PE_DISCONNECT]   = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]        = GO(RESET),
		[PE_DISABLE]      = GO(DISABLED),
		[PE_POWER_OFF]    = GO(OFF),
		[PE_LINK_U0]      = GO_SET(U0, PLC),
		[PE_LINK_RESUME]  = GO(RESUME),
		[PE_WAKE]         = GO_SET(RESUME, PLC) },
	[PORT_RESUME] = {
		[PE_DISCONNECT]   = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]        = GO(RESET),
		[PE_DISABLE]      = GO(DISABLED),
		[PE_POWER_OFF]    = GO(OFF),
		[PE_LINK_U0]      = GO_SET(U0, PLC),
		[PE_LINK_ERROR]   = GO_SET(DISABLED, PEC) },
},
/* USB 3, figure 4-27: links train by themselves, no reset is needed */
[1] = {
	[PORT_OFF] = {
		[PE_POWER_ON]      = GO(DISCONNECTED) },
	[PORT_DISCONNECTED] = {
		[PE_CONNECT]       = GO_SET(U0, CSC),
		[PE_POWER_OFF]     = GO(OFF),
		[PE_LINK_DISABLED] = GO(DISABLED) },
	[PORT_DISABLED] = {
		[PE_POWER_OFF]     = GO(OFF),
		[PE_LINK_RXDETECT] = GO(DISCONNECTED) },
	[PORT_INACTIVE] = { /* §4.19.1.2.7: only a warm reset helps */
		[PE_DISCONNECT]    = GO_SET(DISCONNECTED, CSC),
		[PE_WARM_RESET]    = GO(RESET),
		[PE_POWER_OFF]     = GO(OFF),
		[PE_LINK_DISABLED] = GO(DISABLED) },
	[PORT_COMPLIANCE] = {
		[PE_DISCONNECT]    = GO(DISCONNECTED),
		[PE_WARM_RESET]    = GO(RESET),
		[PE_POWER_OFF]     = GO(OFF) },
	[PORT_RESET] = {
		[PE_DISCONNECT]    = GO_SET(DISCONNECTED, CSC | PRC),
		[PE_RESET_DONE]    = GO_SET(U0, PRC),
		[PE_RESET_FAILED]  = GO_SET(DISCONNECTED, CSC | PRC),
		[PE_POWER_OFF]     = GO(OFF) },
	[PORT_U0] = {
		[PE_DISCONNECT]    = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]         = GO(RESET),
		[PE_WARM_RESET]    = GO(RESET),
		[PE_DISABLE]       = GO(DISABLED),
		[PE_POWER_OFF]     = GO(OFF),
		[PE_LINK_U3]       = GO(U3),
		[PE_LINK_DISABLED] = GO(DISABLED),
		[PE_LINK_ERROR]    = GO_SET(INACTIVE, PLC),
		[PE_TRAIN_ERROR]   = GO_SET(COMPLIANCE, CSC | PLC),
		[PE_CONFIG_ERROR]  = GO_SET(INACTIVE, CEC | PLC) },
	[PORT_U3] = {
		[PE_DISCONNECT]    = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]         = GO(RESET),
		[PE_WARM_RESET]    = GO(RESET),
		[PE_DISABLE]       = GO(DISABLED),
		[PE_POWER_OFF]     = GO(OFF),
		[PE_LINK_U0]       = GO_SET(U0, PLC),
		[PE_LINK_DISABLED] = GO(DISABLED),
		[PE_WAKE]          = GO_SET(RESUME, PLC),
		[PE_LINK_ERROR]    = GO_SET(INACTIVE, PLC) },
	[PORT_RESUME] = {
		[PE_DISCONNECT]    = GO_SET(DISCONNECTED, CSC),
		[PE_RESET]         = GO(RESET),
		[PE_WARM_RESET]    = GO(RESET),
		[PE_DISABLE]       = GO(DISABLED),
		[PE_POWER_OFF]     = GO(OFF),
		[PE_LINK_U0]       = GO_SET(U0, PLC),
		[PE_LINK_DISABLED] = GO(DISABLED),
		[PE_LINK_ERROR]    = GO_SET(INACTIVE, PLC) },
},
};
/* clang-format on */
