/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-1, which ZooKeeper's "digest" access control names its users by (lib/zk_auth.c), and for nothing else.
 */
#ifndef VPC_SHA1_H
#define VPC_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_LEN 20

void sha1(const void *data, size_t len, uint8_t ret[SHA1_LEN]);

#endif
