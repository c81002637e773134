// SPDX-License-Identifier: Apache-2.0
/*
 * Access lists: the one place that says who may do what with nodes of ours. Called by lib/zk.c.
 */
#include "zk_impl.h"

struct ACL_vector zk_acl_make(struct ACL list[ZK_ACL_MAX], const char *const *who, int perms)
{
	struct ACL_vector acl = { 2, list };

	list[0] = (struct ACL){ ZOO_PERM_ALL, { "auth", "" } };
	list[1] = (struct ACL){ ZOO_PERM_READ, { "world", "anyone" } };
	for (; who && *who && acl.count < ZK_ACL_MAX; who++)
		list[acl.count++] = (struct ACL){ perms, { "digest", (char *)*who } };
	return acl;
}

const struct ACL_vector *zk_acl_of_new(const struct zk *zk, const struct zk_op *op, struct ACL_vector *acl,
				       struct ACL list[ZK_ACL_MAX])
{
	if (!zk->credentials[0])
		return &ZOO_OPEN_ACL_UNSAFE;
	if (!op->who)
		return &zk->acl;
	*acl = zk_acl_make(list, op->who, op->all ? ZOO_PERM_ALL : ZOO_PERM_CREATE);
	return acl;
}
