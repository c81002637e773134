// SPDX-License-Identifier: Apache-2.0
/*
 * Moving a port without a loss, in three changes: see intent.h.
 *
 * Prepared, the new host has the port and every host of the VPC takes packets from there (its nexthop is a VTEP of the
 * VPC), while the mapping still leads to the old one. The move turns the mapping; the old host keeps the VPC and sends
 * on what those send there that do not know yet. The release takes it away when nobody needs it any more.
 */
#include <errno.h>
#include <string.h>
#include "intent_port.h"
#include "util.h"

static int no_place(const struct cdb_change *change, const char *name, struct vpc_err *err)
{
	return vpc_err_set(err, -EINVAL, "port %s of VPC %s has no second place: begin with `port prepare`", name,
			   cdb_change_vpc(change)->name);
}

static int prepare(const struct intent *intent, const char *vpc, const char *name, const char *host_name,
		   const char *dev, struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct intent_port_row port;
	struct intent_host host;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_port_find(change, name, &port, err);
	if (!r && port.standby)
		r = vpc_err_set(err, -EBUSY,
				"port %s of VPC %s has a second place on host %s already: `port release` gives it up",
				name, cdb_change_vpc(change)->name, port.standby_name);
	if (!r && !strcmp(host_name, port.host_name))
		r = vpc_err_set(err, -EINVAL, "port %s of VPC %s is on host %s already", name,
				cdb_change_vpc(change)->name, host_name);
	if (!r)
		r = intent_host_find(intent->cdb, host_name, &host, err);
	if (!r)
		r = intent_port_touch(change, &port, host.id, err);
	if (!r)
		r = intent_host_find(intent->cdb, host_name, &host, err); /* touched: as committed */
	if (!r)
		r = intent_dev_check_free(change, &host, dev ?: port.dev, true, err);
	if (!r)
		r = cdb_change_item(change, CDB_ITEM_PORT, name, err);
	if (!r)
		r = cdb_exec(intent->cdb, err, "INSERT INTO port_standby (vni, port, host, dev) VALUES (?, ?, ?, ?)",
			     "uuus", cdb_change_vpc(change)->vni, port.id, host.id, dev ?: port.dev);
	if (!r)
		r = intent_host_nexthop_set(change, &host, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_port_prepare(const struct intent *intent, const char *vpc, const char *name, const char *host,
			const char *dev, struct cdb_change_result *ret_result, struct vpc_err *err)
{
	int r = dev ? intent_dev_check(dev, err) : 0;

	return r ?: intent_retry(intent, prepare(intent, vpc, name, host, dev, ret_result, err));
}

static int move(const struct intent *intent, const char *vpc, const char *name, struct cdb_change_result *ret_result,
		struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct intent_port_row port;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_port_find(change, name, &port, err);
	if (!r && !port.standby)
		r = no_place(change, name, err);
	if (!r)
		r = intent_port_touch(change, &port, 0, err);
	if (!r)
		r = cdb_change_item(change, CDB_ITEM_PORT, name, err);
	if (!r)
		r = cdb_exec(intent->cdb, err, "UPDATE port SET host = ?, dev = ? WHERE id = ?", "usu", port.standby,
			     port.standby_dev, port.id);
	if (!r)
		r = cdb_exec(intent->cdb, err, "UPDATE port_standby SET host = ?, dev = ? WHERE port = ?", "usu",
			     port.host, port.dev, port.id);
	if (!r)
		r = intent_port_routes_move(change, port.id, VPC_NEXTHOP_ID_HOST(port.host),
					    VPC_NEXTHOP_ID_HOST(port.standby), err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_port_move(const struct intent *intent, const char *vpc, const char *name,
		     struct cdb_change_result *ret_result, struct vpc_err *err)
{
	return intent_retry(intent, move(intent, vpc, name, ret_result, err));
}

static int release(const struct intent *intent, const char *vpc, const char *name, struct cdb_change_result *ret_result,
		   struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct intent_port_row port;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_port_find(change, name, &port, err);
	if (!r && !port.standby)
		r = no_place(change, name, err);
	if (!r)
		r = cdb_change_touch_host(change, port.standby, err);
	if (!r)
		r = cdb_change_item(change, CDB_ITEM_PORT, name, err);
	if (!r)
		r = cdb_exec(intent->cdb, err, "DELETE FROM port_standby WHERE port = ?", "u", port.id);
	if (!r)
		r = intent_host_nexthop_drop(change, port.standby, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_port_release(const struct intent *intent, const char *vpc, const char *name,
			struct cdb_change_result *ret_result, struct vpc_err *err)
{
	return intent_retry(intent, release(intent, vpc, name, ret_result, err));
}
