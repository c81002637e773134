// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses of ports: see intent_addr.h.
 */
#include <errno.h>
#include <string.h>
#include "intent_addr.h"
#include "util.h"

/* A port's prefix must not swallow these either. */
static int check_reserved(const struct intent_subnet *subnet, const struct vpc_prefix *addr, struct vpc_err *err)
{
	struct vpc_addr network = intent_prefix_first(&subnet->prefix), broadcast = intent_prefix_last(&subnet->prefix);
	char text[VPC_PREFIX_STRLEN];

	vpc_prefix_format(addr, text);
	if (vpc_prefix_has_addr(addr, &subnet->gateway))
		return vpc_err_set(err, -EINVAL, "address %s is the gateway of subnet %s", text, subnet->name);
	if (vpc_prefix_has_addr(addr, &network))
		return vpc_err_set(err, -EINVAL, "address %s is the network address of subnet %s", text, subnet->name);
	if (addr->family == AF_INET && vpc_prefix_has_addr(addr, &broadcast))
		return vpc_err_set(err, -EINVAL, "address %s is the broadcast address of subnet %s", text,
				   subnet->name);
	return 0;
}

/* Ports' prefixes never overlap, so the one that begins last before our end is the only one that can reach into us. */
static int check_free(const struct cdb_change *change, const struct vpc_prefix *addr, struct vpc_err *err)
{
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	struct vpc_addr last = intent_prefix_last(addr);
	char name[64], text[VPC_PREFIX_STRLEN];
	struct vpc_prefix there;
	struct cdb_bin bytes;
	uint32_t plen;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT p.name, a.addr, a.plen FROM port_addr a JOIN port p ON p.vni = a.vni AND p.id = a.port "
		    "WHERE a.vni = ? AND a.family = ? AND a.addr <= ? ORDER BY a.addr DESC LIMIT 1",
		    "uub>sbu", vpc->vni, cdb_family(addr->family), last.bytes, cdb_addr_len(last.family), name,
		    sizeof(name), &bytes, &plen);
	if (r == -ENOENT)
		return 0;
	if (!r)
		r = cdb_prefix_check("port_addr", vpc->vni, cdb_family(addr->family), &bytes, plen, &there, err);
	if (!r && vpc_prefix_overlaps(&there, addr))
		r = vpc_err_set(err, -EEXIST, "address %s belongs to port %s of VPC %s already",
				vpc_prefix_format(addr, text), name, vpc->name);
	return r;
}

static int check_addr(const struct cdb_change *change, const struct intent_subnet *subnet,
		      const struct vpc_prefix *addr, struct vpc_err *err)
{
	char text[VPC_PREFIX_STRLEN], subnet_text[VPC_PREFIX_STRLEN];
	int r;

	if (!vpc_prefix_contains(&subnet->prefix, addr))
		return vpc_err_set(err, -EINVAL, "address %s is outside subnet %s (%s)", vpc_prefix_format(addr, text),
				   subnet->name, vpc_prefix_format(&subnet->prefix, subnet_text));
	r = check_reserved(subnet, addr, err);
	return r ?: check_free(change, addr, err);
}

/* Behind the gateway, the first address that no port's prefix covers. */
static int first_free(const struct cdb_change *change, const struct intent_subnet *subnet, struct vpc_prefix *ret_addr,
		      struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct vpc_addr next = intent_addr_next(&subnet->gateway), last = intent_prefix_last(&subnet->prefix), end;
	uint32_t vni = cdb_change_vpc(change)->vni, family = cdb_family(next.family), plen;
	size_t len = cdb_addr_len(next.family);
	struct vpc_prefix there;
	struct cdb_bin bytes;
	bool more;
	int r;

	r = cdb_stream(cdb_change_cdb(change), &rows, err,
		       "SELECT addr, plen FROM port_addr WHERE vni = ? AND family = ? AND addr BETWEEN ? "
		       "AND ? ORDER BY addr",
		       "uubb>bu", vni, family, next.bytes, len, last.bytes, len, &bytes, &plen);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = cdb_prefix_check("port_addr", vni, family, &bytes, plen, &there, err);
		if (r)
			return r;
		if (!vpc_prefix_has_addr(&there, &next))
			break;
		end = intent_prefix_last(&there);
		next = intent_addr_next(&end);
	}
	if (r)
		return r;
	if (!vpc_prefix_has_addr(&subnet->prefix, &next) || !vpc_addr_cmp(&next, &last))
		return vpc_err_set(err, -ENOSPC, "subnet %s has no free address left", subnet->name);
	*ret_addr = vpc_addr_to_prefix(&next);
	return 0;
}

static int check_all(const struct cdb_change *change, const struct intent_subnet *subnet,
		     const struct vpc_prefix *addrs, size_t n, struct vpc_err *err)
{
	char text[VPC_PREFIX_STRLEN];
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		for (size_t j = 0; j < i; j++)
			if (vpc_prefix_overlaps(&addrs[i], &addrs[j]))
				return vpc_err_set(err, -EINVAL, "address %s is given twice",
						   vpc_prefix_format(&addrs[i], text));
		r = check_addr(change, subnet, &addrs[i], err);
	}
	return r;
}

int intent_addrs_choose(const struct cdb_change *change, const struct intent_subnet *subnet,
			const struct intent_port *port, struct intent_prefixes *ret_addrs, struct vpc_err *err)
{
	_cleanup_(intent_prefixes_clear) struct intent_prefixes addrs = { .n = port->n_addrs ?: 1 };
	int r;

	addrs.list = calloc(addrs.n, sizeof(*addrs.list));
	if (!addrs.list)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	if (port->n_addrs) {
		memcpy(addrs.list, port->addrs, port->n_addrs * sizeof(*addrs.list));
		r = check_all(change, subnet, addrs.list, addrs.n, err);
	} else {
		r = first_free(change, subnet, addrs.list, err);
	}
	if (r)
		return r;
	*ret_addrs = addrs;
	addrs = (struct intent_prefixes){};
	return 0;
}

int intent_addrs_load(const struct cdb_change *change, uint32_t port, struct intent_prefixes *ret_addrs,
		      struct vpc_err *err)
{
	_cleanup_(intent_prefixes_clear) struct intent_prefixes addrs = { .list = calloc(VPC_PORT_ADDRS_MAX,
											 sizeof(*addrs.list)) };
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t vni = cdb_change_vpc(change)->vni, family, plen;
	struct cdb_bin bytes;
	bool more;
	int r;

	if (!addrs.list)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_query(cdb_change_cdb(change), &rows, err,
		      "SELECT family, addr, plen FROM port_addr WHERE vni = ? AND port = ?", "uu>ubu", vni, port,
		      &family, &bytes, &plen);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (addrs.n == VPC_PORT_ADDRS_MAX)
			return vpc_err_set(err, -EPROTO, "CDB: port %u has more than %d addresses", port,
					   VPC_PORT_ADDRS_MAX);
		r = cdb_prefix_check("port_addr", vni, family, &bytes, plen, &addrs.list[addrs.n], err);
		if (r)
			return r;
		addrs.n++;
	}
	if (r)
		return r;
	*ret_addrs = addrs;
	addrs = (struct intent_prefixes){};
	return 0;
}

int intent_host_lock(struct cdb_change *change, const char *name, struct intent_host *ret_host, struct vpc_err *err)
{
	struct intent_host host;
	int r;

	r = intent_host_find(cdb_change_cdb(change), name, &host, err);
	if (!r)
		r = cdb_change_touch_host(change, host.id, err);
	return r ?: intent_host_find(cdb_change_cdb(change), name, ret_host, err);
}
