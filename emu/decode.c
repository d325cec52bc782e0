/* SPDX-License-Identifier: BSD-2-Clause */
/* decode.c - the specification's names for what it numbers. */
#include "emu/decode.h"

#include <stdio.h>

#include "emu/hw.h"
#include "emu/xhci.h"

const char *cc_name(unsigned cc)
{
	static const char *const names[] = {
		[CC_INVALID] = "Invalid",
		[CC_SUCCESS] = "Success",
		[CC_DATA_BUFFER_ERROR] = "Data Buffer Error",
		[CC_BABBLE] = "Babble Detected Error",
		[CC_TRANSACTION_ERROR] = "USB Transaction Error",
		[CC_TRB_ERROR] = "TRB Error",
		[CC_STALL] = "Stall Error",
		[CC_RESOURCE_ERROR] = "Resource Error",
		[CC_BANDWIDTH_ERROR] = "Bandwidth Error",
		[CC_NO_SLOTS] = "No Slots Available Error",
		[CC_INVALID_STREAM_TYPE] = "Invalid Stream Type Error",
		[CC_SLOT_NOT_ENABLED] = "Slot Not Enabled Error",
		[CC_EP_NOT_ENABLED] = "Endpoint Not Enabled Error",
		[CC_SHORT_PACKET] = "Short Packet",
		[CC_RING_UNDERRUN] = "Ring Underrun",
		[CC_RING_OVERRUN] = "Ring Overrun",
		[CC_VF_RING_FULL] = "VF Event Ring Full Error",
		[CC_PARAMETER_ERROR] = "Parameter Error",
		[CC_BANDWIDTH_OVERRUN] = "Bandwidth Overrun Error",
		[CC_CONTEXT_STATE_ERROR] = "Context State Error",
		[CC_NO_PING_RESPONSE] = "No Ping Response Error",
		[CC_EVENT_RING_FULL] = "Event Ring Full Error",
		[CC_INCOMPATIBLE_DEVICE] = "Incompatible Device Error",
		[CC_MISSED_SERVICE] = "Missed Service Error",
		[CC_COMMAND_RING_STOPPED] = "Command Ring Stopped",
		[CC_COMMAND_ABORTED] = "Command Aborted",
		[CC_STOPPED] = "Stopped",
		[CC_STOPPED_LENGTH_INVALID] = "Stopped - Length Invalid",
		[CC_STOPPED_SHORT_PACKET] = "Stopped - Short Packet",
		[CC_MAX_EXIT_LATENCY] = "Max Exit Latency Too Large Error",
		[CC_ISOCH_BUFFER_OVERRUN] = "Isoch Buffer Overrun",
		[CC_EVENT_LOST] = "Event Lost Error",
		[CC_UNDEFINED] = "Undefined Error",
		[CC_INVALID_STREAM_ID] = "Invalid Stream ID Error",
		[CC_SECONDARY_BANDWIDTH] = "Secondary Bandwidth Error",
		[CC_SPLIT_TRANSACTION] = "Split Transaction Error",
	};

	if (cc < sizeof(names) / sizeof(names[0]) && names[cc])
		return names[cc];
	return "Reserved";
}

const char *trb_type_name(unsigned type)
{
	static const char *const names[] = {
		[TRB_NORMAL] = "Normal",
		[TRB_SETUP] = "Setup Stage",
		[TRB_DATA] = "Data Stage",
		[TRB_STATUS] = "Status Stage",
		[TRB_ISOCH] = "Isoch",
		[TRB_LINK] = "Link",
		[TRB_EVENT_DATA] = "Event Data",
		[TRB_NOOP] = "No Op",
		[TRB_ENABLE_SLOT] = "Enable Slot Command",
		[TRB_DISABLE_SLOT] = "Disable Slot Command",
		[TRB_ADDRESS_DEVICE] = "Address Device Command",
		[TRB_CONFIGURE_EP] = "Configure Endpoint Command",
		[TRB_EVALUATE_CTX] = "Evaluate Context Command",
		[TRB_RESET_EP] = "Reset Endpoint Command",
		[TRB_STOP_EP] = "Stop Endpoint Command",
		[TRB_SET_TR_DEQ] = "Set TR Dequeue Pointer Command",
		[TRB_RESET_DEVICE] = "Reset Device Command",
		[TRB_FORCE_EVENT] = "Force Event Command",
		[TRB_NEGOTIATE_BW] = "Negotiate Bandwidth Command",
		[TRB_SET_LATENCY] = "Set Latency Tolerance Value Command",
		[TRB_GET_PORT_BW] = "Get Port Bandwidth Command",
		[TRB_FORCE_HEADER] = "Force Header Command",
		[TRB_NOOP_CMD] = "No Op Command",
		[TRB_GET_EXT_PROP] = "Get Extended Property Command",
		[TRB_SET_EXT_PROP] = "Set Extended Property Command",
		[TRB_EV_TRANSFER] = "Transfer Event",
		[TRB_EV_COMMAND] = "Command Completion Event",
		[TRB_EV_PORT] = "Port Status Change Event",
		[TRB_EV_BANDWIDTH] = "Bandwidth Request Event",
		[TRB_EV_DOORBELL] = "Doorbell Event",
		[TRB_EV_HOST] = "Host Controller Event",
		[TRB_EV_NOTIFY] = "Device Notification Event",
		[TRB_EV_MFINDEX_WRAP] = "MFINDEX Wrap Event",
	};

	if (type < sizeof(names) / sizeof(names[0]) && names[type])
		return names[type];
	return "Reserved";
}

struct reg_row {
	uint32_t off, size;
	const char *name;
};

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

/* "NAME", or "NAME+4" inside of it; @unit: its number, or UINT32_MAX. */
static char *name_in(const struct reg_row *t, size_t n, uint32_t off,
		     uint32_t unit, char *buf, size_t len)
{
	char number[16] = "", inside[16] = "";

	if (unit != UINT32_MAX)
		snprintf(number, sizeof(number), " %u", unit);
	for (size_t i = 0; i < n; i++) {
		if (off < t[i].off || off - t[i].off >= t[i].size)
			continue;
		if (off != t[i].off)
			snprintf(inside, sizeof(inside), "+%u", off - t[i].off);
		snprintf(buf, len, "%s%s%s", t[i].name, number, inside);
		return buf;
	}
	snprintf(buf, len, "Reserved%s", number);
	return buf;
}

/* Capability, operational, extended capabilities: §5.3, §5.4, §7 */
static const struct reg_row fixed_rows[] = {
	{0x00, 1, "CAPLENGTH"},
	{0x02, 2, "HCIVERSION"},
	{CAP_HCSPARAMS1, 4, "HCSPARAMS1"},
	{CAP_HCSPARAMS2, 4, "HCSPARAMS2"},
	{CAP_HCSPARAMS3, 4, "HCSPARAMS3"},
	{CAP_HCCPARAMS1, 4, "HCCPARAMS1"},
	{CAP_DBOFF, 4, "DBOFF"},
	{CAP_RTSOFF, 4, "RTSOFF"},
	{CAP_HCCPARAMS2, 4, "HCCPARAMS2"},
	{OFF_OP + OP_USBCMD, 4, "USBCMD"},
	{OFF_OP + OP_USBSTS, 4, "USBSTS"},
	{OFF_OP + OP_PAGESIZE, 4, "PAGESIZE"},
	{OFF_OP + OP_DNCTRL, 4, "DNCTRL"},
	{OFF_OP + OP_CRCR, 8, "CRCR"},
	{OFF_OP + OP_DCBAAP, 8, "DCBAAP"},
	{OFF_OP + OP_CONFIG, 4, "CONFIG"},
	{OFF_XECP, OFF_RT - OFF_XECP, "Extended Capabilities"},
	{OFF_RT + RT_MFINDEX, 4, "MFINDEX"},
};

/* §5.4.8-11 */
static const struct reg_row port_rows[] = {
	{0, 4, "PORTSC"},
	{4, 4, "PORTPMSC"},
	{8, 4, "PORTLI"},
	{12, 4, "PORTHLPMC"},
};

/* §5.5.2 */
static const struct reg_row intr_rows[] = {
	{IR_IMAN, 4, "IMAN"},     {IR_IMOD, 4, "IMOD"},
	{IR_ERSTSZ, 4, "ERSTSZ"}, {IR_ERSTBA, 8, "ERSTBA"},
	{IR_ERDP, 8, "ERDP"},
};

static const struct reg_row db_row = {0, 4, "Doorbell"};

const char *reg_name(uint32_t off, char *buf, size_t len)
{
	if (off >= OFF_DB)
		return name_in(&db_row, 1, (off - OFF_DB) % 4,
			       (off - OFF_DB) / 4, buf, len);
	if (off >= OFF_RT + RT_IR0) {
		off -= OFF_RT + RT_IR0;
		return name_in(intr_rows, ROWS(intr_rows), off % IR_SIZE,
			       off / IR_SIZE, buf, len);
	}
	if (off >= OFF_PORTS && off < OFF_PORTS + 16u * XHCI_MAX_PORTS) {
		off -= OFF_PORTS;
		return name_in(port_rows, ROWS(port_rows), off % 16,
			       off / 16 + 1, buf, len);
	}
	return name_in(fixed_rows, ROWS(fixed_rows), off, UINT32_MAX, buf, len);
}
