/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hw.h - what xHCI 1.2 lays down in bits: TRBs, contexts, registers,
 * completion codes. Section numbers are those of that specification.
 */
#ifndef EMU_HW_H
#define EMU_HW_H

#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "guest structures are used in place: a little-endian host is needed"
#endif

/* §4.11.1 Transfer Request Block; event and command TRBs look alike */
struct xhci_trb {
	uint64_t param;
	uint32_t status;
	uint32_t control;
};
#define TRB_SIZE 16u

/* §6.4.6 TRB types */
enum trb_type {
	TRB_NORMAL = 1,
	TRB_SETUP = 2,
	TRB_DATA = 3,
	TRB_STATUS = 4,
	TRB_ISOCH = 5,
	TRB_LINK = 6,
	TRB_EVENT_DATA = 7,
	TRB_NOOP = 8,
	TRB_ENABLE_SLOT = 9,
	TRB_DISABLE_SLOT = 10,
	TRB_ADDRESS_DEVICE = 11,
	TRB_CONFIGURE_EP = 12,
	TRB_EVALUATE_CTX = 13,
	TRB_RESET_EP = 14,
	TRB_STOP_EP = 15,
	TRB_SET_TR_DEQ = 16,
	TRB_RESET_DEVICE = 17,
	TRB_FORCE_EVENT = 18,
	TRB_NEGOTIATE_BW = 19,
	TRB_SET_LATENCY = 20,
	TRB_GET_PORT_BW = 21,
	TRB_FORCE_HEADER = 22,
	TRB_NOOP_CMD = 23,
	TRB_GET_EXT_PROP = 24,
	TRB_SET_EXT_PROP = 25,
	TRB_EV_TRANSFER = 32,
	TRB_EV_COMMAND = 33,
	TRB_EV_PORT = 34,
	TRB_EV_BANDWIDTH = 35,
	TRB_EV_DOORBELL = 36,
	TRB_EV_HOST = 37,
	TRB_EV_NOTIFY = 38,
	TRB_EV_MFINDEX_WRAP = 39,
};

/* control dword */
#define TRB_C (1u << 0)   /* cycle */
#define TRB_TC (1u << 1)  /* Link: toggle cycle */
#define TRB_ENT (1u << 1) /* evaluate next TRB */
#define TRB_ISP (1u << 2) /* interrupt on short packet */
#define TRB_CH (1u << 4)  /* chain */
#define TRB_IOC (1u << 5) /* interrupt on completion */
#define TRB_IDT (1u << 6) /* immediate data */
#define TRB_BEI (1u << 9) /* block event interrupt */
#define TRB_TYPE(c) (((c) >> 10) & 0x3fu)
#define TRB_TYPE_BITS(t) ((uint32_t)(t) << 10)
#define TRB_DIR_IN (1u << 16) /* Data and Status stage */
#define TRB_BSR (1u << 9)     /* Address Device: block set address request */
#define TRB_DC (1u << 9)      /* Configure Endpoint: deconfigure */
#define TRB_TSP (1u << 9)     /* Reset Endpoint: transfer state preserve */
#define TRB_SP (1u << 23)     /* Stop Endpoint: suspend */
#define TRB_SLOT(c) (((c) >> 24) & 0xffu)
#define TRB_EP(c) (((c) >> 16) & 0x1fu)
#define TRB_SIA (1u << 31) /* Isoch: start isoch as soon as possible */
#define TRB_FRAME_ID(c) (((c) >> 20) & 0x7ffu)
#define TRB_TBC(c) (((c) >> 7) & 3u)
#define TRB_TLBPC(c) (((c) >> 16) & 0xfu)
/* status dword of transfer TRBs */
#define TRB_LEN(s) ((s)&0x1ffffu)
#define TRB_INTR(s) (((s) >> 22) & 0x3ffu)
/* event TRBs */
#define EV_CC_SHIFT 24
#define EV_ED (1u << 2)
#define EV_LEN_MAX 0xffffffu

/* §6.4.5 completion codes */
enum cc {
	CC_INVALID = 0,
	CC_SUCCESS = 1,
	CC_DATA_BUFFER_ERROR = 2,
	CC_BABBLE = 3,
	CC_TRANSACTION_ERROR = 4,
	CC_TRB_ERROR = 5,
	CC_STALL = 6,
	CC_RESOURCE_ERROR = 7,
	CC_BANDWIDTH_ERROR = 8,
	CC_NO_SLOTS = 9,
	CC_INVALID_STREAM_TYPE = 10,
	CC_SLOT_NOT_ENABLED = 11,
	CC_EP_NOT_ENABLED = 12,
	CC_SHORT_PACKET = 13,
	CC_RING_UNDERRUN = 14,
	CC_RING_OVERRUN = 15,
	CC_VF_RING_FULL = 16,
	CC_PARAMETER_ERROR = 17,
	CC_BANDWIDTH_OVERRUN = 18,
	CC_CONTEXT_STATE_ERROR = 19,
	CC_NO_PING_RESPONSE = 20,
	CC_EVENT_RING_FULL = 21,
	CC_INCOMPATIBLE_DEVICE = 22,
	CC_MISSED_SERVICE = 23,
	CC_COMMAND_RING_STOPPED = 24,
	CC_COMMAND_ABORTED = 25,
	CC_STOPPED = 26,
	CC_STOPPED_LENGTH_INVALID = 27,
	CC_STOPPED_SHORT_PACKET = 28,
	CC_MAX_EXIT_LATENCY = 29,
	CC_ISOCH_BUFFER_OVERRUN = 31,
	CC_EVENT_LOST = 32,
	CC_UNDEFINED = 33,
	CC_INVALID_STREAM_ID = 34,
	CC_SECONDARY_BANDWIDTH = 35,
	CC_SPLIT_TRANSACTION = 36,
};

/* §5.3 capability registers */
#define CAP_LENGTH 0x40u
#define CAP_HCSPARAMS1 0x04u
#define CAP_HCSPARAMS2 0x08u
#define CAP_HCSPARAMS3 0x0cu
#define CAP_HCCPARAMS1 0x10u
#define CAP_DBOFF 0x14u
#define CAP_RTSOFF 0x18u
#define CAP_HCCPARAMS2 0x1cu
#define HCIVERSION 0x0120u
#define ERST_MAX_LOG2 4u /* ERST Max: 16 segments */
#define HCC1_AC64 (1u << 0)
#define HCC1_BNC (1u << 1)
#define HCC1_CSZ (1u << 2)
#define HCC1_PPC (1u << 3)
#define HCC1_LHRC (1u << 5)
#define HCC1_LTC (1u << 6)
#define HCC1_PAE (1u << 8)
#define HCC1_SPC (1u << 9)
#define HCC1_SEC (1u << 10)
#define HCC1_CFC (1u << 11)
#define HCC1_MAXPSA_SHIFT 12
#define HCC2_U3C (1u << 0)
#define HCC2_CMC (1u << 1)
#define HCC2_FSC (1u << 2)
#define HCC2_LEC (1u << 4)
#define MAXPSA 4u /* primary stream arrays of up to 2^(4+1) contexts */

/* where the regions lie; XHCI_MMIO_SIZE in all */
#define OFF_OP CAP_LENGTH
#define OFF_PORTS (OFF_OP + 0x400u)
#define OFF_XECP 0x800u
#define OFF_RT 0x1000u
#define OFF_DB 0x2000u

/* §5.4 operational registers, from OFF_OP */
#define OP_USBCMD 0x00u
#define OP_USBSTS 0x04u
#define OP_PAGESIZE 0x08u
#define OP_DNCTRL 0x14u
#define OP_CRCR 0x18u
#define OP_DCBAAP 0x30u
#define OP_CONFIG 0x38u

#define CMD_RS (1u << 0)
#define CMD_HCRST (1u << 1)
#define CMD_INTE (1u << 2)
#define CMD_HSEE (1u << 3)
#define CMD_LHCRST (1u << 7)
#define CMD_CSS (1u << 8)
#define CMD_CRS (1u << 9)
#define CMD_EWE (1u << 10)
#define CMD_EU3S (1u << 11)

#define STS_HCH (1u << 0)
#define STS_HSE (1u << 2)
#define STS_EINT (1u << 3)
#define STS_PCD (1u << 4)
#define STS_SSS (1u << 8)
#define STS_RSS (1u << 9)
#define STS_SRE (1u << 10)
#define STS_CNR (1u << 11)
#define STS_HCE (1u << 12)

#define CONFIG_SLOTS 0xffu
#define CONFIG_U3E (1u << 8) /* U3 entry is told of by PLC */

#define CRCR_RCS (1u << 0)
#define CRCR_CS (1u << 1)
#define CRCR_CA (1u << 2)
#define CRCR_CRR (1u << 3)

/* §5.4.8 PORTSC */
#define PORTSC_CCS (1u << 0)
#define PORTSC_PED (1u << 1)
#define PORTSC_OCA (1u << 3)
#define PORTSC_PR (1u << 4)
#define PORTSC_PLS_SHIFT 5
#define PORTSC_PLS(v) (((v) >> 5) & 0xfu)
#define PORTSC_PP (1u << 9)
#define PORTSC_SPEED_SHIFT 10
#define PORTSC_PIC (3u << 14)
#define PORTSC_LWS (1u << 16)
#define PORTSC_CSC (1u << 17)
#define PORTSC_PEC (1u << 18)
#define PORTSC_WRC (1u << 19)
#define PORTSC_OCC (1u << 20)
#define PORTSC_PRC (1u << 21)
#define PORTSC_PLC (1u << 22)
#define PORTSC_CEC (1u << 23)
#define PORTSC_WCE (1u << 25)
#define PORTSC_WDE (1u << 26)
#define PORTSC_WOE (1u << 27)
#define PORTSC_WPR (1u << 31)
#define PORTSC_CHANGES                                                    \
	(PORTSC_CSC | PORTSC_PEC | PORTSC_WRC | PORTSC_OCC | PORTSC_PRC | \
	 PORTSC_PLC | PORTSC_CEC)
#define PORTSC_WAKES (PORTSC_WCE | PORTSC_WDE | PORTSC_WOE)

#define PORTPMSC_TEST (0xfu << 28) /* USB 2: Port Test Control */
#define PORTPMSC_L1S 7u            /* USB 2: L1 Status */
#define PORTPMSC_L1S_SUCCESS 1u

/* Port Link State, table 5-27 */
enum pls {
	PLS_U0 = 0,
	PLS_U1 = 1,
	PLS_U2 = 2,
	PLS_U3 = 3,
	PLS_DISABLED = 4,
	PLS_RXDETECT = 5,
	PLS_INACTIVE = 6,
	PLS_POLLING = 7,
	PLS_RECOVERY = 8,
	PLS_HOT_RESET = 9,
	PLS_COMPLIANCE = 10,
	PLS_TEST = 11,
	PLS_RESUME = 15,
};

#define MFINDEX_WRAP 0x4000u /* microframes */

/* §5.5 runtime registers, from OFF_RT */
#define RT_MFINDEX 0x00u
#define RT_IR0 0x20u
#define IR_SIZE 0x20u
#define IR_IMAN 0x00u
#define IR_IMOD 0x04u
#define IR_ERSTSZ 0x08u
#define IR_ERSTBA 0x10u
#define IR_ERDP 0x18u
#define IMAN_IP (1u << 0)
#define IMAN_IE (1u << 1)
#define ERDP_EHB (1u << 3)
#define ERDP_DESI 7u

/* USB 3.2 table 8-13 */
#define NOTE_FUNCTION_WAKE 1u

/* §7.1.1 USB Legacy Support */
#define LEGSUP_BIOS (1u << 16)
#define LEGSUP_OS (1u << 24)

/* §6.2 contexts. Dwords of a slot context: */
#define SLOT_CTX_ROUTE(d0) ((d0)&0xfffffu)
#define SLOT_CTX_ENTRIES(d0) ((d0) >> 27)
#define SLOT_CTX_PORT(d1) (((d1) >> 16) & 0xffu)
#define SLOT_CTX_INTR(d2) ((d2) >> 22)
#define SLOT_CTX_STATE_SHIFT 27
/* Dwords of an endpoint context: */
#define EP_CTX_STATE(d0) ((d0)&7u)
#define EP_CTX_MULT(d0) (((d0) >> 8) & 3u)
#define EP_CTX_MAXPSTREAMS(d0) (((d0) >> 10) & 0x1fu)
#define EP_CTX_LSA (1u << 15)
#define EP_CTX_INTERVAL(d0) (((d0) >> 16) & 0xffu)
#define EP_CTX_TYPE(d1) (((d1) >> 3) & 7u)
#define EP_CTX_MAX_BURST(d1) (((d1) >> 8) & 0xffu)
#define EP_CTX_MPS(d1) ((d1) >> 16)
#define EP_CTX_ESIT_LO(d4) ((d4) >> 16)
#define EP_CTX_ESIT_HI(d0) ((d0) >> 24)
#define EP_CTX_DCS 1u

/* EP Type, table 6-9 */
enum ep_type {
	EPT_INVALID = 0,
	EPT_ISOCH_OUT = 1,
	EPT_BULK_OUT = 2,
	EPT_INTR_OUT = 3,
	EPT_CONTROL = 4,
	EPT_ISOCH_IN = 5,
	EPT_BULK_IN = 6,
	EPT_INTR_IN = 7,
};

/* Endpoint states as contexts have them, §4.8.3 */
enum ep_state {
	EP_DISABLED = 0,
	EP_RUNNING = 1,
	EP_HALTED = 2,
	EP_STOPPED = 3,
	EP_ERROR = 4,
	EP_NSTATES
};

/* Slot states, §4.5.3; a context has 0 for both of the first two */
enum slot_state {
	SLOT_DISABLED,
	SLOT_ENABLED,
	SLOT_DEFAULT,
	SLOT_ADDRESSED,
	SLOT_CONFIGURED,
	SLOT_NSTATES
};

#endif
