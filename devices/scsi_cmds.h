/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi_cmds.h - between the files of the SCSI disk: the handlers that scsi.c's
 * table of commands names. Each begins one command, whose CDB is complete and
 * which may write if it needs to.
 */
#ifndef DEVICES_SCSI_CMDS_H
#define DEVICES_SCSI_CMDS_H

#include "devices/scsi.h"

/* scsi.c: return buf[0..len), at most @alloc bytes of it (ALLOCATION LENGTH). */
void scsi_reply(struct scsi_cmd *c, size_t len, size_t alloc);
/*
 * True if blocks [lba, lba+count) exist; else @c fails with LBA OUT OF RANGE.
 */
bool scsi_check_range(const struct scsi_lu *lu, struct scsi_cmd *c,
		      uint64_t lba, uint64_t count);

/* scsi_data.c: what the disk says of itself */
void scsi_inquiry(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_request_sense(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_read_capacity_10(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_service_action_in(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_read_format_capacities(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_report_luns(struct scsi_lu *lu, struct scsi_cmd *c);

/* scsi_mode.c: mode pages */
void scsi_mode_sense(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_mode_select(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_mode_param(struct scsi_lu *lu, struct scsi_cmd *c);

/* scsi_unmap.c: space given back */
void scsi_unmap(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_unmap_param(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_write_same(struct scsi_lu *lu, struct scsi_cmd *c);
void scsi_write_same_param(struct scsi_lu *lu, struct scsi_cmd *c);

#define SCSI_UNMAP_MAX_BLOCKS (1u << 22) /* of one UNMAP command: 2 GiB */
#define SCSI_SAME_MAX_BLOCKS (1u << 16)  /* of one WRITE SAME: 32 MiB */

/* Operation codes that more than one file knows */
#define OP_REQUEST_SENSE 0x03u
#define OP_INQUIRY 0x12u
#define OP_MODE_SELECT_6 0x15u
#define OP_MODE_SENSE_6 0x1au
#define OP_START_STOP 0x1bu
#define OP_PREVENT 0x1eu
#define OP_WRITE_SAME_10 0x41u
#define OP_UNMAP 0x42u
#define OP_MODE_SELECT_10 0x55u
#define OP_MODE_SENSE_10 0x5au
#define OP_WRITE_SAME_16 0x93u
#define OP_REPORT_LUNS 0xa0u

#endif
