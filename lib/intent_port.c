// SPDX-License-Identifier: Apache-2.0
/*
 * Ports: see intent.h. A port's addresses are routes of table 0 to its host's nexthop, which exists in a VPC as long
 * as the host has a port there. Which addresses a port may have is decided in lib/intent_addr.c.
 *
 * Locks: the VPC's row, then the rows of the hosts touched, by id.
 */
#include <errno.h>
#include <string.h>
#include "intent_addr.h"
#include "intent_port.h"
#include "util.h"
#include "../proto/vpc_genl.h"

int intent_port_find(const struct cdb_change *change, const char *name, struct intent_port_row *ret_port,
		     struct vpc_err *err)
{
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	struct intent_port_row port;
	struct cdb_bin mac;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT p.id, p.host, p.flags, p.dev, h.name, p.mac FROM port p JOIN host h ON h.id = p.host "
		    "WHERE p.vni = ? AND p.name = ?",
		    "us>uuussb", vpc->vni, name, &port.id, &port.host, &port.flags, port.dev, sizeof(port.dev),
		    port.host_name, sizeof(port.host_name), &mac);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "VPC %s has no port '%.64s'", vpc->name, name);
	if (!r && mac.len != sizeof(port.mac))
		return vpc_err_set(err, -EPROTO, "CDB: port %s of VPC %s: malformed MAC", name, vpc->name);
	if (r)
		return r;
	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT b.host, b.dev, h.name FROM port_standby b JOIN host h ON h.id = b.host WHERE b.port = ?",
		    "u>uss", port.id, &port.standby, port.standby_dev, sizeof(port.standby_dev), port.standby_name,
		    sizeof(port.standby_name));
	if (r == -ENOENT)
		port.standby = 0;
	else if (r)
		return r;
	memcpy(port.mac, mac.bytes, sizeof(port.mac));
	*ret_port = port;
	return 0;
}

int intent_dev_check(const char *dev, struct vpc_err *err)
{
	size_t len = strlen(dev);

	for (const char *p = dev; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '/' || *p == ':')
			len = 0;
	if (!len || len > 15 || !strcmp(dev, ".") || !strcmp(dev, ".."))
		return vpc_err_set(
			err, -EINVAL,
			"'%.32s' is not the name of a net device: 1..15 characters, without space, '/' or ':'", dev);
	return 0;
}

static int check_mac(const uint8_t mac[6], struct vpc_err *err)
{
	static const uint8_t none[6], router[6] = VPC_ROUTER_MAC;
	char text[VPC_MAC_STRLEN];

	if (mac[0] & 1 || !memcmp(mac, none, 6) || !memcmp(mac, router, 6))
		return vpc_err_set(err, -EINVAL, "MAC %s can't be a port's: it is multicast, zero or the router's",
				   vpc_mac_format(mac, text));
	return 0;
}

static int dev_taken(const struct cdb_change *change, const struct intent_host *host, const char *dev, const char *sql,
		     struct vpc_err *err)
{
	char name[64];
	int r;

	r = cdb_get(cdb_change_cdb(change), err, sql, "us>s", host->id, dev, name, sizeof(name));
	if (!r)
		return vpc_err_set(err, -EEXIST, "device %s of host %s belongs to port %s already", dev, host->name,
				   name);
	return r == -ENOENT ? 0 : r;
}

/*
 * What another VPC has put into the same table since our read view began, its unique key finds, so that read is for the
 * text alone. Between the two tables there is no key: the other one is read as committed, under the host's lock.
 */
int intent_dev_check_free(const struct cdb_change *change, const struct intent_host *host, const char *dev,
			  bool standby, struct vpc_err *err)
{
	static const char ports[] = "SELECT name FROM port WHERE host = ? AND dev = ?";
	static const char standbys[] =
		"SELECT p.name FROM port_standby b JOIN port p ON p.id = b.port WHERE b.host = ? AND b.dev = ?";
	static const char ports_now[] = "SELECT name FROM port WHERE host = ? AND dev = ? LOCK IN SHARE MODE";
	static const char standbys_now[] =
		"SELECT p.name FROM port_standby b JOIN port p ON p.id = b.port WHERE b.host = ? AND b.dev = ? "
		"LOCK IN SHARE MODE";
	int r;

	r = dev_taken(change, host, dev, standby ? standbys : ports, err);
	return r ?: dev_taken(change, host, dev, standby ? ports_now : standbys_now, err);
}

/* The text of a row refused by the unique key that @text, the server's, names. */
static int port_taken(const struct cdb_change *change, const char *name, const struct intent_host *host,
		      const char *dev, const char *text, struct vpc_err *err)
{
	if (strstr(text, "for key 'port_dev'"))
		return vpc_err_set(err, -EEXIST, "device %s of host %s belongs to another VPC's port already", dev,
				   host->name);
	if (strstr(text, "for key 'port_name'"))
		return vpc_err_set(err, -EEXIST, "VPC %s has a port '%s' already", cdb_change_vpc(change)->name, name);
	return vpc_err_set(err, -EEXIST, "port %s of VPC %s: %s", name, cdb_change_vpc(change)->name, text);
}

static int check_mac_free(const struct cdb_change *change, const uint8_t mac[6], struct vpc_err *err)
{
	char name[64], text[VPC_MAC_STRLEN];
	int r;

	r = cdb_get(cdb_change_cdb(change), err, "SELECT name FROM port WHERE vni = ? AND mac = ?", "ub>s",
		    cdb_change_vpc(change)->vni, mac, (size_t)6, name, sizeof(name));
	if (!r)
		return vpc_err_set(err, -EEXIST, "port %s of VPC %s has MAC %s already", name,
				   cdb_change_vpc(change)->name, vpc_mac_format(mac, text));
	return r == -ENOENT ? 0 : r;
}

static int host_ports(const struct cdb_change *change, uint32_t host, uint32_t *ret_n, struct vpc_err *err)
{
	uint32_t vni = cdb_change_vpc(change)->vni;

	return cdb_get(
		cdb_change_cdb(change), err,
		"SELECT (SELECT COUNT(*) FROM port WHERE vni = ? AND host = ?) + (SELECT COUNT(*) FROM port_standby "
		"WHERE vni = ? AND host = ?)",
		"uuuu>u", vni, host, vni, host, ret_n);
}

int intent_host_nexthop_set(struct cdb_change *change, const struct intent_host *host, struct vpc_err *err)
{
	struct vpc_nl_nexthop nh = { .id = VPC_NEXTHOP_ID_HOST(host->id),
				     .type = VPC_NEXTHOP_HOST,
				     .family = host->vtep.family };

	memcpy(nh.addr, host->vtep.bytes, sizeof(nh.addr));
	return cdb_change_set_nexthop(change, &nh, err);
}

/* After the port's row is gone, or elsewhere. */
int intent_host_nexthop_drop(struct cdb_change *change, uint32_t host, struct vpc_err *err)
{
	uint32_t n;
	int r;

	r = host_ports(change, host, &n, err);
	if (!r && !n)
		r = cdb_change_del_nexthop(change, VPC_NEXTHOP_ID_HOST(host), err);
	return r;
}

/* 02:00 and the IPv4 address, or 02 and the end of the IPv6 address: told apart by eye. Behind the first @attempt, 02,
 * its number and a hash of the address. */
static void derive_mac(const struct vpc_prefix *addr, uint8_t attempt, uint8_t ret_mac[6])
{
	uint32_t hash = fnv1a(addr->bytes, sizeof(addr->bytes));

	memset(ret_mac, 0, 6);
	ret_mac[0] = 0x02;
	if (attempt) {
		ret_mac[1] = attempt;
		memcpy(ret_mac + 2, &hash, 4);
	} else if (addr->family == AF_INET6) {
		memcpy(ret_mac + 1, addr->bytes + 11, 5);
	} else {
		memcpy(ret_mac + 2, addr->bytes, 4);
	}
}

/* The one asked for, or one that no port of the VPC has. */
static int choose_mac(const struct cdb_change *change, const struct intent_port *port, const struct vpc_prefix *addr,
		      uint8_t ret_mac[6], struct vpc_err *err)
{
	uint8_t attempt = 0;
	int r;

	if (port->mac) {
		memcpy(ret_mac, port->mac, 6);
		return check_mac_free(change, ret_mac, err);
	}
	do {
		derive_mac(addr, attempt, ret_mac);
		r = check_mac_free(change, ret_mac, err);
	} while (r == -EEXIST && ++attempt);
	return r;
}

static int insert_port(struct cdb_change *change, const struct intent_port *port, const struct intent_host *host,
		       const uint8_t mac[6], const struct intent_prefixes *addrs, struct vpc_err *err)
{
	struct cdb *cdb = cdb_change_cdb(change);
	uint32_t vni = cdb_change_vpc(change)->vni, id;
	struct vpc_err text = {};
	int r;

	r = cdb_change_item(change, CDB_ITEM_PORT, port->name, err);
	if (r)
		return r;
	r = cdb_exec(cdb, &text,
		     "INSERT INTO port (vni, name, subnet, host, dev, mac, flags) VALUES (?, ?, ?, ?, ?, ?, ?)",
		     "ussusbu", vni, port->name, port->subnet, host->id, port->dev, mac, (size_t)6, port->flags);
	if (r == -EEXIST)
		return port_taken(change, port->name, host, port->dev, text.text, err);
	if (r)
		return vpc_err_set(err, r, "%s", text.text);
	id = cdb_insert_id(cdb);
	for (size_t i = 0; i < addrs->n && !r; i++) {
		const struct vpc_prefix *addr = &addrs->list[i];

		r = cdb_exec(cdb, err, "INSERT INTO port_addr (vni, family, addr, plen, port) VALUES (?, ?, ?, ?, ?)",
			     "uubuu", vni, cdb_family(addr->family), addr->bytes, cdb_addr_len(addr->family),
			     (uint32_t)addr->plen, id);
		if (!r && cdb_change_put_route(change, 0, addr, 0, VPC_NEXTHOP_ID_HOST(host->id)))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
	}
	return r;
}

static int check_port(const struct intent_port *port, struct vpc_err *err)
{
	int r;

	r = cdb_name_check("port", port->name, err);
	if (!r)
		r = intent_dev_check(port->dev, err);
	if (!r && port->mac)
		r = check_mac(port->mac, err);
	if (!r && port->n_addrs > VPC_PORT_ADDRS_MAX)
		r = vpc_err_set(err, -EINVAL, "port %s: a port has at most %d addresses", port->name,
				VPC_PORT_ADDRS_MAX);
	return r;
}

static int add_port(const struct intent *intent, const char *vpc, const struct intent_port *port,
		    struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	_cleanup_(intent_prefixes_clear) struct intent_prefixes addrs = {};
	struct intent_subnet subnet;
	struct intent_host host;
	uint8_t mac[6];
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_subnet_find(change, port->subnet, &subnet, err);
	if (!r)
		r = intent_host_lock(change, port->host, &host, err);
	if (!r)
		r = intent_dev_check_free(change, &host, port->dev, false, err);
	if (!r)
		r = intent_addrs_choose(change, &subnet, port, &addrs, err);
	if (!r)
		r = choose_mac(change, port, &addrs.list[0], mac, err);
	if (!r)
		r = insert_port(change, port, &host, mac, &addrs, err);
	if (!r)
		r = intent_host_nexthop_set(change, &host, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_port_add(const struct intent *intent, const char *vpc, const struct intent_port *port,
		    struct cdb_change_result *ret_result, struct vpc_err *err)
{
	int r = check_port(port, err);

	return r ?: intent_retry(intent, add_port(intent, vpc, port, ret_result, err));
}

/* The port's addresses, from one nexthop to another (0: none). */
int intent_port_routes_move(struct cdb_change *change, uint32_t port, uint32_t was, uint32_t is, struct vpc_err *err)
{
	_cleanup_(intent_prefixes_clear) struct intent_prefixes addrs = {};
	int r;

	r = intent_addrs_load(change, port, &addrs, err);
	for (size_t i = 0; i < addrs.n && !r; i++)
		if (cdb_change_put_route(change, 0, &addrs.list[i], was, is))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
	return r;
}

/* To another host: both are told, routes and nexthops follow. */
static int move_port(struct cdb_change *change, const struct intent_port_row *port, const struct intent_host *host,
		     struct vpc_err *err)
{
	int r;

	r = intent_port_routes_move(change, port->id, VPC_NEXTHOP_ID_HOST(port->host), VPC_NEXTHOP_ID_HOST(host->id),
				    err);
	if (!r)
		r = intent_host_nexthop_set(change, host, err);
	if (!r)
		r = intent_host_nexthop_drop(change, port->host, err);
	return r;
}

/* Its places' hosts and @also, 0: none, in the order of their ids. */
int intent_port_touch(struct cdb_change *change, const struct intent_port_row *port, uint32_t also, struct vpc_err *err)
{
	uint32_t ids[] = { port->host, port->standby, also }, least;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ids) && !r; i++) {
		least = i;
		for (size_t j = i + 1; j < ARRAY_SIZE(ids); j++)
			if (ids[j] < ids[least])
				least = j;
		if (ids[least])
			r = cdb_change_touch_host(change, ids[least], err);
		ids[least] = ids[i];
	}
	return r;
}

static int lock_hosts(struct cdb_change *change, const struct intent_port_row *port, const char *to,
		      struct intent_host *ret_host, struct vpc_err *err)
{
	struct intent_host host;
	int r;

	r = intent_host_find(cdb_change_cdb(change), to ?: port->host_name, &host, err);
	if (!r)
		r = intent_port_touch(change, port, host.id, err);
	/* Touched, so this reads what is committed. */
	return r ?: intent_host_find(cdb_change_cdb(change), host.name, ret_host, err);
}

static int update_port(struct cdb_change *change, uint32_t id, const char *name, const struct intent_host *host,
		       const char *dev, const uint8_t mac[6], uint32_t flags, struct vpc_err *err)
{
	struct vpc_err text = {};
	int r;

	r = cdb_change_item(change, CDB_ITEM_PORT, name, err);
	if (r)
		return r;
	r = cdb_exec(cdb_change_cdb(change), &text,
		     "UPDATE port SET host = ?, dev = ?, mac = ?, flags = ? WHERE id = ?", "usbuu", host->id, dev, mac,
		     (size_t)6, flags, id);
	if (r == -EEXIST)
		return port_taken(change, name, host, dev, text.text, err);
	return r ? vpc_err_set(err, r, "%s", text.text) : 0;
}

static int set_port(const struct intent *intent, const char *vpc, const char *name, const struct intent_port_set *set,
		    struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	bool new_host, new_dev, new_mac, new_flags;
	struct intent_host host;
	struct intent_port_row port;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_port_find(change, name, &port, err);
	if (r)
		return r;
	new_host = set->host && strcmp(set->host, port.host_name);
	new_dev = set->dev && strcmp(set->dev, port.dev);
	new_mac = set->mac && memcmp(set->mac, port.mac, 6);
	new_flags = set->flags && *set->flags != port.flags;
	if (new_host && port.standby)
		return vpc_err_set(err, -EBUSY,
				   "port %s of VPC %s has a second place on host %s: finish with `port move` or "
				   "`port release` first",
				   name, cdb_change_vpc(change)->name, port.standby_name);
	if (!new_host && !new_dev && !new_mac && !new_flags)
		return cdb_change_commit(&change, ret_result, err);

	r = lock_hosts(change, &port, set->host, &host, err);
	if (!r && (new_host || new_dev))
		r = intent_dev_check_free(change, &host, set->dev ?: port.dev, false, err);
	if (!r && new_mac)
		r = check_mac_free(change, set->mac, err);
	if (!r)
		r = update_port(change, port.id, name, &host, set->dev ?: port.dev, new_mac ? set->mac : port.mac,
				new_flags ? *set->flags : port.flags, err);
	if (!r && new_host)
		r = move_port(change, &port, &host, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_port_set(const struct intent *intent, const char *vpc, const char *name, const struct intent_port_set *set,
		    struct cdb_change_result *ret_result, struct vpc_err *err)
{
	int r = 0;

	if (set->dev)
		r = intent_dev_check(set->dev, err);
	if (!r && set->mac)
		r = check_mac(set->mac, err);
	return r ?: intent_retry(intent, set_port(intent, vpc, name, set, ret_result, err));
}

static int del_port(const struct intent *intent, const char *vpc, const char *name,
		    struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct intent_port_row port;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_port_find(change, name, &port, err);
	if (!r)
		r = intent_port_touch(change, &port, 0, err);
	if (!r)
		r = cdb_change_item(change, CDB_ITEM_PORT, name, err);
	if (!r)
		r = intent_port_routes_move(change, port.id, VPC_NEXTHOP_ID_HOST(port.host), 0, err);
	if (!r)
		r = cdb_exec(intent->cdb, err, "DELETE FROM port_standby WHERE port = ?", "u", port.id);
	if (!r)
		r = cdb_exec(intent->cdb, err, "DELETE FROM port_addr WHERE vni = ? AND port = ?", "uu",
			     cdb_change_vpc(change)->vni, port.id);
	if (!r)
		r = cdb_exec(intent->cdb, err, "DELETE FROM port WHERE id = ?", "u", port.id);
	if (!r)
		r = intent_host_nexthop_drop(change, port.host, err);
	if (!r && port.standby)
		r = intent_host_nexthop_drop(change, port.standby, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_port_del(const struct intent *intent, const char *vpc, const char *name,
		    struct cdb_change_result *ret_result, struct vpc_err *err)
{
	return intent_retry(intent, del_port(intent, vpc, name, ret_result, err));
}
