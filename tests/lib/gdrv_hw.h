/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdrv_hw.h - xHCI 1.2 as a guest's driver sees it: registers, TRBs, contexts.
 * Deliberately not the controller's own header, so that a wrong constant
 * there cannot hide here.
 */
#ifndef TESTS_LIB_GDRV_HW_H
#define TESTS_LIB_GDRV_HW_H

/* Capability registers, §5.3 */
#define CAP_LENGTH 0x00u
#define CAP_HCSPARAMS1 0x04u
#define CAP_HCSPARAMS2 0x08u
#define CAP_HCSPARAMS3 0x0cu
#define CAP_HCCPARAMS1 0x10u
#define CAP_DBOFF 0x14u
#define CAP_RTSOFF 0x18u
#define CAP_HCCPARAMS2 0x1cu
#define HCC1_AC64 (1u << 0)
#define HCC1_CSZ (1u << 2)

/* Operational registers, §5.4 */
#define OP_USBCMD 0x00u
#define OP_USBSTS 0x04u
#define OP_PAGESIZE 0x08u
#define OP_DNCTRL 0x14u
#define OP_CRCR 0x18u
#define OP_DCBAAP 0x30u
#define OP_CONFIG 0x38u
#define OP_PORTSC(n) (0x400u + ((n)-1u) * 0x10u)
#define CMD_RS (1u << 0)
#define CMD_HCRST (1u << 1)
#define CMD_INTE (1u << 2)
#define CMD_HSEE (1u << 3)
#define CMD_EWE (1u << 10)
#define STS_HCH (1u << 0)
#define STS_HSE (1u << 2)
#define STS_EINT (1u << 3)
#define STS_PCD (1u << 4)
#define STS_CNR (1u << 11)
#define STS_HCE (1u << 12)
#define CRCR_RCS (1u << 0)
#define CRCR_CS (1u << 1)
#define CRCR_CA (1u << 2)
#define CRCR_CRR (1u << 3)
#define PORT_CCS (1u << 0)
#define PORT_PED (1u << 1)
#define PORT_PR (1u << 4)
#define PORT_PLS(v) ((v) >> 5 & 15u)
#define PORT_PP (1u << 9)
#define PORT_SPEED(v) ((v) >> 10 & 15u)
#define PORT_LWS (1u << 16)
#define PORT_CSC (1u << 17)
#define PORT_PEC (1u << 18)
#define PORT_WRC (1u << 19)
#define PORT_OCC (1u << 20)
#define PORT_PRC (1u << 21)
#define PORT_PLC (1u << 22)
#define PORT_CEC (1u << 23)
#define PORT_WPR (1u << 31)
#define PORT_CHANGES 0x00fe0000u
/* What a write keeps: PP, PIC, wake bits. The rest is RO, W1C or W1S. */
#define PORT_KEEP (PORT_PP | 3u << 14 | 7u << 25)

/* Runtime registers, §5.5 */
#define RT_MFINDEX 0x00u
#define RT_IR(n) (0x20u + (n)*0x20u)
#define IR_IMAN 0x00u
#define IR_IMOD 0x04u
#define IR_ERSTSZ 0x08u
#define IR_ERSTBA 0x10u
#define IR_ERDP 0x18u
#define IMAN_IP (1u << 0)
#define IMAN_IE (1u << 1)
#define ERDP_EHB (1u << 3)

/* TRB types, §6.4.6 */
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
	TRB_SET_DEQUEUE = 16,
	TRB_RESET_DEVICE = 17,
	TRB_FORCE_EVENT = 18,
	TRB_NEGOTIATE_BW = 19,
	TRB_SET_LTV = 20,
	TRB_GET_PORT_BW = 21,
	TRB_FORCE_HEADER = 22,
	TRB_NOOP_CMD = 23,
	TRB_EV_TRANSFER = 32,
	TRB_EV_COMMAND = 33,
	TRB_EV_PORT = 34,
	TRB_EV_HOST = 37,
	TRB_EV_MFINDEX = 39,
};

/* TRB control dword */
#define TRB_C (1u << 0)
#define TRB_TC (1u << 1) /* Link: Toggle Cycle */
#define TRB_ENT (1u << 1)
#define TRB_ISP (1u << 2)
#define TRB_ED (1u << 2) /* Transfer Event */
#define TRB_NS (1u << 3)
#define TRB_CH (1u << 4)
#define TRB_IOC (1u << 5)
#define TRB_IDT (1u << 6)
#define TRB_BEI (1u << 9)
#define TRB_BSR (1u << 9) /* Address Device */
#define TRB_DC (1u << 9)  /* Configure Endpoint */
#define TRB_TSP (1u << 9) /* Reset Endpoint */
#define TRB_TYPE(t) ((uint32_t)(t) << 10)
#define TRB_GET_TYPE(c) ((c) >> 10 & 63u)
#define TRB_SIA (1u << 31) /* Isoch: as soon as can be */
#define TRB_DIR_IN (1u << 16)
#define TRB_TRT_NONE (0u << 16)
#define TRB_TRT_OUT (2u << 16)
#define TRB_TRT_IN (3u << 16)
#define TRB_EP(dci) ((uint32_t)(dci) << 16)
#define TRB_SLOT(s) ((uint32_t)(s) << 24)

/* Completion codes, §6.4.5 */
enum trb_cc {
	CC_INVALID = 0,
	CC_SUCCESS = 1,
	CC_DATA_BUFFER = 2,
	CC_BABBLE = 3,
	CC_TRANSACTION = 4,
	CC_TRB = 5,
	CC_STALL = 6,
	CC_RESOURCE = 7,
	CC_BANDWIDTH = 8,
	CC_NO_SLOTS = 9,
	CC_STREAM_TYPE = 10,
	CC_SLOT_NOT_ENABLED = 11,
	CC_EP_NOT_ENABLED = 12,
	CC_SHORT_PACKET = 13,
	CC_RING_UNDERRUN = 14,
	CC_RING_OVERRUN = 15,
	CC_VF_RING_FULL = 16,
	CC_PARAMETER = 17,
	CC_BW_OVERRUN = 18,
	CC_CONTEXT_STATE = 19,
	CC_NO_PING = 20,
	CC_EVENT_RING_FULL = 21,
	CC_INCOMPATIBLE = 22,
	CC_MISSED_SERVICE = 23,
	CC_CMD_RING_STOPPED = 24,
	CC_CMD_ABORTED = 25,
	CC_STOPPED = 26,
	CC_STOPPED_LENGTH = 27,
	CC_STOPPED_SHORT = 28,
	CC_ISOCH_OVERRUN = 31,
	CC_STREAM_ID = 34,
	CC_SPLIT = 36,
};

/* Slot states, §6.2.2, and endpoint states, §6.2.3 */
enum { SLOT_DISABLED, SLOT_DEFAULT, SLOT_ADDRESSED, SLOT_CONFIGURED };
enum { EP_DISABLED, EP_RUNNING, EP_HALTED, EP_STOPPED, EP_ERROR };
/* EP types of an endpoint context, table 6-9 */
enum {
	EPT_ISOCH_OUT = 1,
	EPT_BULK_OUT = 2,
	EPT_INTR_OUT = 3,
	EPT_CONTROL = 4,
	EPT_ISOCH_IN = 5,
	EPT_BULK_IN = 6,
	EPT_INTR_IN = 7,
};

#endif
