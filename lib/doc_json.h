/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VPC's document as JSON, what `vpcctl export` writes and `vpcctl import` reads. Items are as lib/cdb_item.h has
 * them, with their name first; customers' own elements alone are in it, since ports and ranges make the others.
 *
 *   {"format": "vpc", "version": 1, "vni": 7, "epoch": 12, "digest": "..", "name": "red", "quota": 0, "flags": 0,
 *    "ranges": ["10.0.0.0/16"],
 *    "tables": [{"id": 1, "name": "main", "routes": {"0.0.0.0/0": 1, "172.16.0.0/12": "local"}}],
 *    "subnets": [{"name": "web", "prefix": "10.0.1.0/24", "table": 1}],
 *    "nexthops": [{"id": 1, "type": "gateway", "vtep": "192.0.2.9"}, {"id": 2, "type": "group", "members": {"1": 1}}],
 *    "ports": [{"name": "web-1", "subnet": "web", "host": "h1", ...}]}
 *
 * epoch and digest say what it was exported from and are not read.
 */
#ifndef VPC_DOC_JSON_H
#define VPC_DOC_JSON_H

#include <stdio.h>
#include "cdb_doc.h"

/* -EIO: @to has an error. */
int doc_json_write(const struct cdb_doc *doc, FILE *to, bool pretty);
/* @text has a NUL behind it. -EINVAL with a text that names the member; -ENOMEM.
 * Whether it makes sense as a VPC is for who applies it. */
int doc_json_parse(const char *text, size_t len, struct cdb_doc *ret_doc, struct vpc_err *err);

#endif
