/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials for ZooKeeper: read from a file, and what the publisher's says of the hosts'.
 *
 * A credential is "user:password". The publisher's owns the tree. A host's is derived from it, so that nobody keeps a
 * list of 100,000 passwords: user is the host's name, password a keyed hash of it. lib/zk.h presents a credential, this
 * file makes them; `vpcctl host credential` prints a host's.
 */
#ifndef VPC_ZK_AUTH_H
#define VPC_ZK_AUTH_H

#include "err.h"

#define ZK_CREDENTIAL_MAX 256 /* with the NUL */
#define ZK_ID_MAX	  160 /* "user:" and 28 characters, with the NUL */

/*
 * The first and only line of @path. It must be a plain file of ours or root's that others cannot read and nobody else
 * can write: else -EPERM. -EINVAL: no "user:password" of printable characters in it. -ENOENT...
 */
int zk_credential_load(const char *path, char ret[ZK_CREDENTIAL_MAX], struct vpc_err *err);
/* Of @host under the publisher's @credential. */
void zk_credential_host(const char *credential, const char *host, char ret[ZK_CREDENTIAL_MAX]);
/* How access lists name whoever presents @credential. */
void zk_credential_id(const char *credential, char ret[ZK_ID_MAX]);

#endif
