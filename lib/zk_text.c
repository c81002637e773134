// SPDX-License-Identifier: Apache-2.0
/*
 * What lib/zk.h's results say, and the end of those that are names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "zk.h"

const char *zk_strerror(int res)
{
	switch (res) {
	case 0:
		return "no error";
	case -ENOENT:
		return "no such node";
	case -EEXIST:
		return "the node exists already";
	case -EDQUOT:
		return "the quota is used up";
	case -EBADE:
		return "somebody else has changed the node";
	case -ENOTEMPTY:
		return "the node has children";
	case -EACCES:
		return "not permitted";
	case -ETIMEDOUT:
		return "no answer in time";
	case -ECONNRESET:
		return "connection lost";
	case -ENOTCONN:
		return "not connected";
	default:
		return strerror(-res);
	}
}

void zk_names_free(char **names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
}
