/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a VPC what a document says: for `vpcctl rollback` and `import`.
 */
#ifndef VPC_INTENT_DOC_H
#define VPC_INTENT_DOC_H

#include "cdb_doc.h"
#include "intent.h"

/**
 * intent_doc_apply() - the VPC with the document's VNI becomes what it says, made when it is not there
 * @intent: its connection is in a batch (lib/cdb_batch.h), of which this becomes a part
 *
 * Ports, subnets, tables and ranges that differ are deleted and made as by single commands, with all their checks;
 * what ports and ranges make of tables is made from them, by the hosts of today. Text and -errno as those commands
 * have them, with the object in front.
 */
int intent_doc_apply(const struct intent *intent, const struct cdb_doc *doc, struct vpc_err *err);

#endif
