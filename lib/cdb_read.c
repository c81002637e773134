// SPDX-License-Identifier: Apache-2.0
/*
 * Reading CDB: VPCs, what a host must have, the outbox. A VPC's state and history are in lib/cdb_state.c. For the
 * publisher, vpc_reconcile and vpcctl.
 */
#include <errno.h>
#include <string.h>
#include "cdb_private.h"
#include "cdb_row.h"
#include "cdb_stmt.h"
#include "util.h"

#define VPC_COLS "vni, name, epoch, digest0, digest1, quota, flags, change_id"
#define VPC_FMT "usUUUUus"
#define VPC_OUT(v)                                                                                             \
	&(v)->vni, (v)->name, sizeof((v)->name), &(v)->epoch, &h0, &h1, &(v)->quota, &(v)->flags, (v)->change, \
		sizeof((v)->change)

/* Room for one more of @size bytes at *@array, which has @n. */
static int grow(void *array, size_t n, size_t size)
{
	void *bigger;

	if (n & (n - 1) || (n && n < 16))
		return 0;
	bigger = realloc(*(void **)array, (n < 16 ? 16 : 2 * n) * size);
	if (!bigger)
		return -ENOMEM;
	*(void **)array = bigger;
	return 0;
}

int cdb_vpc_get(struct cdb *cdb, uint32_t vni, struct cdb_vpc *ret_vpc, struct vpc_err *err)
{
	struct cdb_vpc vpc;
	uint64_t h0, h1;
	int r;

	r = cdb_get(cdb, err, "SELECT " VPC_COLS " FROM vpc WHERE vni = ?", "u>" VPC_FMT, vni, VPC_OUT(&vpc));
	if (r == -ENOENT)
		return vpc_err_set(err, r, "there is no VPC with VNI %u", vni);
	if (r)
		return r;
	vpc.digest = (struct vpc_digest){ { h0, h1 } };
	*ret_vpc = vpc;
	return 0;
}

/* All rows of a query for VPC_COLS. */
static int collect_vpcs(struct cdb_rows *rows, struct cdb_vpc *vpc, const uint64_t *h0, const uint64_t *h1,
			struct cdb_vpc **ret_vpcs, size_t *ret_n, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	size_t n = 0;
	bool more;
	int r;

	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (grow(&vpcs, n, sizeof(*vpcs)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		vpc->digest = (struct vpc_digest){ { *h0, *h1 } };
		vpcs[n++] = *vpc;
	}
	if (r)
		return r;
	*ret_vpcs = vpcs;
	*ret_n = n;
	vpcs = NULL;
	return 0;
}

int cdb_vpc_list(struct cdb *cdb, struct cdb_vpc **ret_vpcs, size_t *ret_n, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_vpc vpc;
	uint64_t h0, h1;
	int r;

	r = cdb_query(cdb, &rows, err, "SELECT " VPC_COLS " FROM vpc ORDER BY vni", ">" VPC_FMT, VPC_OUT(&vpc));
	return r ?: collect_vpcs(rows, &vpc, &h0, &h1, ret_vpcs, ret_n, err);
}

int cdb_vpc_after(struct cdb *cdb, uint32_t after, size_t max, struct cdb_vpc **ret_vpcs, size_t *ret_n,
		  struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_vpc vpc;
	uint64_t h0, h1;
	int r;

	r = cdb_stream(cdb, &rows, err, "SELECT " VPC_COLS " FROM vpc WHERE vni > ? ORDER BY vni LIMIT ?",
		       "uU>" VPC_FMT, after, (uint64_t)max, VPC_OUT(&vpc));
	return r ?: collect_vpcs(rows, &vpc, &h0, &h1, ret_vpcs, ret_n, err);
}

int cdb_vpc_many(struct cdb *cdb, const uint64_t *vnis, size_t n, struct cdb_vpc **ret_vpcs, size_t *ret_n,
		 struct vpc_err *err)
{
	_cleanup_free_ char *sql = cdb_sql_repeat("SELECT " VPC_COLS " FROM vpc FORCE INDEX (PRIMARY) WHERE vni IN (",
						  "?", ",", n, ") ORDER BY vni");
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_vpc vpc;
	uint64_t h0, h1;
	int r;

	if (!sql)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_stream_many(cdb, &rows, err, sql, vnis, n, VPC_FMT, VPC_OUT(&vpc));
	return r ?: collect_vpcs(rows, &vpc, &h0, &h1, ret_vpcs, ret_n, err);
}

int cdb_vpc_find(struct cdb *cdb, const char *name_or_vni, struct cdb_vpc *ret_vpc, struct vpc_err *err)
{
	size_t digits = strspn(name_or_vni, "0123456789");
	struct cdb_vpc vpc;
	uint64_t h0, h1;
	int r;

	/* Names begin with a letter. */
	if (digits && digits < 10 && !name_or_vni[digits])
		return cdb_vpc_get(cdb, strtoul(name_or_vni, NULL, 10), ret_vpc, err);
	r = cdb_get(cdb, err, "SELECT " VPC_COLS " FROM vpc WHERE name = ?", "s>" VPC_FMT, name_or_vni, VPC_OUT(&vpc));
	if (r == -ENOENT)
		return vpc_err_set(err, r, "there is no VPC '%.64s'", name_or_vni);
	if (r)
		return r;
	vpc.digest = (struct vpc_digest){ { h0, h1 } };
	*ret_vpc = vpc;
	return 0;
}

static int collect_names(struct cdb_rows *rows, const char *name, char (**ret_names)[64], size_t *ret_n,
			 struct vpc_err *err)
{
	_cleanup_free_ char(*names)[64] = NULL;
	size_t n = 0;
	bool more;
	int r;

	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (grow(&names, n, sizeof(*names)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		strcpy(names[n++], name);
	}
	if (r)
		return r;
	*ret_names = names;
	*ret_n = n;
	names = NULL;
	return 0;
}

int cdb_host_list(struct cdb *cdb, char (**ret_names)[64], size_t *ret_n, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	char name[64];
	int r;

	r = cdb_query(cdb, &rows, err, "SELECT name FROM host ORDER BY name", ">s", name, sizeof(name));
	return r ?: collect_names(rows, name, ret_names, ret_n, err);
}

int cdb_host_after(struct cdb *cdb, const char *after, size_t max, struct cdb_host **ret_hosts, size_t *ret_n,
		   struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	_cleanup_free_ struct cdb_host *hosts = NULL;
	struct cdb_host host;
	size_t n = 0;
	bool more;
	int r;

	r = cdb_query(cdb, &rows, err, "SELECT name, ports_revision FROM host WHERE name > ? ORDER BY name LIMIT ?",
		      "sU>sU", after, (uint64_t)max, host.name, sizeof(host.name), &host.revision);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (grow(&hosts, n, sizeof(host)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		hosts[n++] = host;
	}
	if (r)
		return r;
	*ret_hosts = hosts;
	*ret_n = n;
	hosts = NULL;
	return 0;
}

int cdb_vpc_hosts(struct cdb *cdb, uint32_t vni, char (**ret_names)[64], size_t *ret_n, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	char name[64];
	int r;

	r = cdb_query(
		cdb, &rows, err,
		"WITH RECURSIVE behind (vni, depth) AS (SELECT CAST(? AS UNSIGNED), 0 UNION SELECT n.vni, "
		"b.depth + 1 FROM behind b JOIN nexthop n ON n.peer = b.vni WHERE b.depth < ?) "
		"SELECT h.name FROM behind b JOIN port p ON p.vni = b.vni JOIN host h ON h.id = p.host UNION "
		"SELECT h.name FROM behind b JOIN port_standby p ON p.vni = b.vni JOIN host h ON h.id = p.host "
		"ORDER BY name",
		"uu>s", vni, (uint32_t)VPC_PEER_DEPTH, name, sizeof(name));
	return r ?: collect_names(rows, name, ret_names, ret_n, err);
}

int cdb_vpc_exists(struct cdb *cdb, uint32_t vni, bool *ret_exists, struct vpc_err *err)
{
	uint32_t n;
	int r;

	r = cdb_get(cdb, err, "SELECT COUNT(*) FROM vpc WHERE vni = ?", "u>u", vni, &n);
	if (r)
		return r == -ENOENT ? -EPROTO : r;
	*ret_exists = n;
	return 0;
}

int cdb_host_exists(struct cdb *cdb, const char *host, bool *ret_exists, struct vpc_err *err)
{
	uint32_t n;
	int r;

	r = cdb_get(cdb, err, "SELECT COUNT(*) FROM host WHERE name = ?", "s>u", host, &n);
	if (r)
		return r == -ENOENT ? -EPROTO : r;
	*ret_exists = n;
	return 0;
}

int cdb_epoch_digest(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct vpc_digest *ret_digest, struct vpc_err *err)
{
	uint64_t h0, h1;
	uint32_t n;
	int r;

	/* Always one row, so that a missing table is not taken for a missing epoch. */
	r = cdb_get(cdb, err,
		    "SELECT COUNT(*), COALESCE(MAX(digest0), 0), COALESCE(MAX(digest1), 0) FROM change_log "
		    "WHERE vni = ? AND epoch = ?",
		    "uU>uUU", vni, epoch, &n, &h0, &h1);
	if (r)
		return r == -ENOENT ? -EPROTO : r;
	if (!n)
		return vpc_err_set(err, -ENOENT, "VPC %u has no epoch %llu in its history", vni,
				   (unsigned long long)epoch);
	*ret_digest = (struct vpc_digest){ { h0, h1 } };
	return 0;
}

static int load_host(struct cdb *cdb, struct vpc_host_ports *ports, uint32_t *ret_id, struct vpc_err *err)
{
	uint32_t id, family, udp_port;
	struct cdb_bin vtep;
	struct vpc_addr addr;
	int r;

	r = cdb_get(cdb, err, "SELECT id, family, vtep, udp_port, ports_revision, name FROM host WHERE name = ?",
		    "s>uubuUs", ports->host, &id, &family, &vtep, &udp_port, &ports->revision, ports->host,
		    sizeof(ports->host));
	if (r == -ENOENT)
		return vpc_err_set(err, r, "there is no host '%s'", ports->host);
	if (!r)
		r = cdb_addr_check("host", 0, family, &vtep, &addr, err);
	if (!r && (!udp_port || udp_port > UINT16_MAX))
		r = vpc_err_set(err, -EPROTO, "CDB: host %s: UDP port %u is out of range", ports->host, udp_port);
	if (r)
		return r;
	if (addr.family == AF_INET)
		ports->vtep4 = addr;
	else
		ports->vtep6 = addr;
	ports->udp_port = udp_port;
	*ret_id = id;
	return 0;
}

/* A port lies in one subnet: the other family's fields stay empty. */
static int port_subnet(struct vpc_port *port, uint32_t family, const struct cdb_bin *gateway,
		       const struct cdb_bin *subnet, uint32_t plen, struct vpc_err *err)
{
	struct vpc_prefix prefix;
	struct vpc_addr addr;
	int r = cdb_addr_check("subnet", port->vni, family, gateway, &addr, err);

	if (!r)
		r = cdb_prefix_check("subnet", port->vni, family, subnet, plen, &prefix, err);
	if (r)
		return r;
	port->gateway4 = addr.family == AF_INET ? addr : (struct vpc_addr){ 0 };
	port->gateway6 = addr.family == AF_INET6 ? addr : (struct vpc_addr){ 0 };
	port->subnet6 = addr.family == AF_INET6 ? prefix : (struct vpc_prefix){ 0 };
	return 0;
}

/* The ports that have a place on a host, with the device there; the host's id twice. */
#define PLACES                                                        \
	"(SELECT id AS port, dev FROM port WHERE host = ? UNION ALL " \
	"SELECT port, dev FROM port_standby WHERE host = ?)"

static int load_ports(struct cdb *cdb, uint32_t host_id, struct vpc_host_ports *ports, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_bin mac, gateway, subnet;
	struct vpc_port port = {};
	uint32_t family, plen;
	bool more;
	int r;

	r = cdb_query(
		cdb, &rows, err,
		"SELECT p.id, p.vni, q.dev, p.mac, p.flags, s.table_id, s.family, s.gateway, s.addr, s.plen "
		"FROM " PLACES " q JOIN port p ON p.id = q.port "
		"JOIN subnet s ON s.vni = p.vni AND s.name = p.subnet ORDER BY p.id",
		"uu>uusbuuubbu", host_id, host_id, &port.id, &port.vni, port.dev, sizeof(port.dev), &mac, &port.flags,
		&port.table, &family, &gateway, &subnet, &plen);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (mac.len != 6 || port.flags & ~__VPC_PORT_F_ALL || port.table >= VPC_TABLES_MAX || !port.vni ||
		    port.vni > VPC_VNI_MAX)
			return vpc_err_set(err, -EPROTO, "CDB: port %u: malformed MAC, flags, table or VNI", port.id);
		memcpy(port.mac, mac.bytes, 6);
		r = port_subnet(&port, family, &gateway, &subnet, plen, err);
		if (!r && grow(&ports->ports, ports->n_ports, sizeof(port)))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
		if (r)
			return r;
		ports->ports[ports->n_ports++] = port;
	}
	return r;
}

static int port_id_cmp(const void *key, const void *elem)
{
	uint32_t id = *(const uint32_t *)key, other = ((const struct vpc_port *)elem)->id;

	return id < other ? -1 : id > other;
}

static int load_port_addrs(struct cdb *cdb, uint32_t host_id, struct vpc_host_ports *ports, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t id, vni, family, plen;
	struct vpc_prefix prefix;
	struct vpc_port *port;
	struct cdb_bin addr;
	bool more;
	int r;

	r = cdb_query(cdb, &rows, err,
		      "SELECT p.id, p.vni, a.family, a.addr, a.plen FROM " PLACES " q JOIN port p ON p.id = q.port "
		      "JOIN port_addr a ON a.vni = p.vni AND a.port = p.id ORDER BY p.id, a.family, a.addr",
		      "uu>uuubu", host_id, host_id, &id, &vni, &family, &addr, &plen);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = cdb_prefix_check("port_addr", vni, family, &addr, plen, &prefix, err);
		if (r)
			return r;
		port = bsearch(&id, ports->ports, ports->n_ports, sizeof(*port), port_id_cmp);
		if (!port || port->n_addrs == VPC_PORT_ADDRS_MAX)
			return vpc_err_set(err, -EPROTO, "CDB: port %u: too many addresses", id);
		if (grow(&port->addrs, port->n_addrs, sizeof(prefix)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		port->addrs[port->n_addrs++] = prefix;
	}
	return r;
}

/* VPCs that a packet of this host's ports may come to by peering, without a port of theirs here. */
static int load_peers(struct cdb *cdb, uint32_t host_id, struct vpc_host_ports *ports, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t vni;
	bool more;
	int r;

	r = cdb_query(
		cdb, &rows, err,
		"WITH RECURSIVE reached (vni, depth) AS (SELECT vni, 0 FROM port WHERE host = ? UNION "
		"SELECT vni, 0 FROM port_standby WHERE host = ? UNION SELECT n.peer, t.depth + 1 FROM reached t "
		"JOIN nexthop n ON n.type = 4 AND n.vni = t.vni WHERE t.depth < ?) "
		"SELECT DISTINCT vni FROM reached WHERE vni NOT IN "
		"(SELECT vni FROM port WHERE host = ?) AND vni NOT IN (SELECT vni FROM port_standby WHERE host = ?) "
		"ORDER BY vni",
		"uuuuu>u", host_id, host_id, (uint32_t)VPC_PEER_DEPTH, host_id, host_id, &vni);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (grow(&ports->vpcs, ports->n_vpcs, sizeof(vni)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		ports->vpcs[ports->n_vpcs++] = vni;
	}
	return r;
}

int cdb_host_ports_load(struct cdb *cdb, const char *host, struct vpc_host_ports *ret_ports, struct vpc_err *err)
{
	_cleanup_(vpc_host_ports_clear) struct vpc_host_ports ports = {};
	bool own_snapshot = !cdb->in_txn;
	uint32_t id = 0;
	int r;

	if (strlen(host) >= sizeof(ports.host))
		return vpc_err_set(err, -ENOENT, "there is no host '%.64s'", host);
	strcpy(ports.host, host);
	if (own_snapshot) {
		r = cdb_snapshot_begin(cdb, err);
		if (r)
			return r;
	}
	r = load_host(cdb, &ports, &id, err);
	if (!r)
		r = load_ports(cdb, id, &ports, err);
	if (!r)
		r = load_port_addrs(cdb, id, &ports, err);
	if (!r)
		r = load_peers(cdb, id, &ports, err);
	if (own_snapshot) {
		int end = cdb_snapshot_end(cdb, r ? NULL : err);

		r = r ?: end;
	}
	if (r)
		return r;
	*ret_ports = ports;
	ports = (struct vpc_host_ports){};
	return 0;
}

int cdb_outbox_list(struct cdb *cdb, size_t max, struct cdb_outbox **ret_rows, size_t *ret_n, struct vpc_err *err)
{
	return cdb_outbox_after(cdb, 0, max, ret_rows, ret_n, err);
}

int cdb_outbox_after(struct cdb *cdb, uint64_t after, size_t max, struct cdb_outbox **ret_rows, size_t *ret_n,
		     struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	_cleanup_free_ struct cdb_outbox *list = NULL;
	struct cdb_outbox row;
	char kind[16];
	size_t n = 0;
	bool more;
	int r;

	r = cdb_query(cdb, &rows, err,
		      "SELECT id, kind, COALESCE(vni, 0), COALESCE(host, '') FROM outbox WHERE id > ? "
		      "ORDER BY id LIMIT ?",
		      "UU>Usus", after, (uint64_t)max, &row.id, kind, sizeof(kind), &row.vni, row.host,
		      sizeof(row.host));
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		row.kind = CDB_OUTBOX_BAD;
		if (!strcmp(kind, "vpc") && row.vni && row.vni <= VPC_VNI_MAX)
			row.kind = CDB_OUTBOX_VPC;
		else if (!strcmp(kind, "host") && *row.host)
			row.kind = CDB_OUTBOX_HOST;
		if (grow(&list, n, sizeof(row)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		list[n++] = row;
	}
	if (r)
		return r;
	*ret_rows = list;
	*ret_n = n;
	list = NULL;
	return 0;
}

#define OUTBOX_LOOK 10000

int cdb_outbox_waits(struct cdb *cdb, const char *host, uint32_t vni, uint64_t *ret_since_ms, struct vpc_err *err)
{
	uint64_t since, newest;
	uint32_t n;
	int r;

	r = cdb_get(cdb, err,
		    "SELECT COALESCE(MIN(CASE WHEN host = ? OR vni = ? THEN created END), 0), COUNT(*), "
		    "COALESCE(MAX(created), 0) FROM (SELECT host, vni, created FROM outbox ORDER BY id LIMIT ?) o",
		    "suu>UuU", host ? host : "", host ? 0 : vni, (uint32_t)OUTBOX_LOOK, &since, &n, &newest);
	if (r)
		return r == -ENOENT ? -EPROTO : r;
	*ret_since_ms = !since && n == OUTBOX_LOOK ? newest : since;
	return 0;
}

int cdb_outbox_done(struct cdb *cdb, const struct cdb_outbox *rows, size_t n, struct vpc_err *err)
{
	static const struct cdb_bulk_col cols[] = { { 'U', offsetof(struct cdb_outbox, id) } };

	for (size_t i = 0; i < n; i += CDB_BULK_ROWS) {
		size_t some = n - i < CDB_BULK_ROWS ? n - i : CDB_BULK_ROWS;
		int r = cdb_bulk(cdb, "DELETE FROM outbox WHERE id = ?", cols, ARRAY_SIZE(cols), rows + i,
				 sizeof(*rows), some, err);

		if (r)
			return r;
	}
	return 0;
}
