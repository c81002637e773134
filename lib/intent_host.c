// SPDX-License-Identifier: Apache-2.0
/*
 * Hosts: see intent.h. They belong to no VPC, so these transactions have neither epoch nor history; the publisher
 * learns of them through the outbox.
 */
#include <errno.h>
#include "intent_private.h"
#include "util.h"

static int tell(struct cdb *cdb, const char *name, struct vpc_err *err)
{
	return cdb_exec(cdb, err, "INSERT INTO outbox (kind, host, created) VALUES ('host', ?, ?)", "sU", name,
			now_wall_ms());
}

static int begin(struct cdb *cdb, struct vpc_err *err)
{
	if (cdb_in_batch(cdb))
		return 0;
	return cdb_command(cdb, "START TRANSACTION READ WRITE", err);
}

/* Commits when all went well so far, else rolls back; a batch's owner does that. */
static int end(struct cdb *cdb, int r, struct vpc_err *err)
{
	if (cdb_in_batch(cdb))
		return r;
	if (!r)
		return cdb_command(cdb, "COMMIT", err);
	cdb_command(cdb, "ROLLBACK", NULL);
	return r;
}

/* The VTEP belongs to one host only. */
static int vtep_taken(const struct vpc_addr *vtep, struct vpc_err *err)
{
	char text[VPC_ADDR_STRLEN];

	return vpc_err_set(err, -EEXIST, "another host has VTEP %s already", vpc_addr_format(vtep, text));
}

static int insert_host(struct cdb *cdb, const char *name, const struct vpc_addr *vtep, uint16_t udp_port,
		       struct vpc_err *err)
{
	uint32_t there;
	int r;

	r = cdb_get(cdb, err, "SELECT COUNT(*) FROM host WHERE name = ?", "s>u", name, &there);
	if (!r && there)
		return vpc_err_set(err, -EEXIST, "there is a host '%s' already", name);
	if (!r)
		r = cdb_exec(cdb, err, "INSERT INTO host (name, family, vtep, udp_port) VALUES (?, ?, ?, ?)", "subu",
			     name, cdb_family(vtep->family), vtep->bytes, cdb_addr_len(vtep->family),
			     (uint32_t)udp_port);
	if (r == -EEXIST)
		return vtep_taken(vtep, err);
	return r ?: tell(cdb, name, err);
}

/* Not cdb_name_check(): a host is mostly called as the machine is, and that may be "10-0-0-5". */
static int check_name(const char *name, struct vpc_err *err)
{
	if (!vpc_host_name_valid(name))
		return vpc_err_set(err, -EINVAL,
				   "host name '%.64s': give a letter or digit, then letters, digits, '_', '.' or '-', "
				   "at most %d in all",
				   name, VPC_HOST_NAME_MAX);
	return 0;
}

int intent_host_add(const struct intent *intent, const char *name, const struct vpc_addr *vtep, uint16_t udp_port,
		    struct vpc_err *err)
{
	int r;

	r = check_name(name, err);
	if (!r)
		r = intent_vtep_check(vtep, err);
	if (!r && !udp_port)
		r = vpc_err_set(err, -EINVAL, "host %s: UDP port 0", name);
	if (!r)
		r = begin(intent->cdb, err);
	if (r)
		return r;
	return end(intent->cdb, insert_host(intent->cdb, name, vtep, udp_port, err), err);
}

/* The host's row, locked: no port comes or goes meanwhile. */
static int lock_host(struct cdb *cdb, const char *name, uint32_t *ret_id, uint32_t *ret_ports, struct vpc_err *err)
{
	int r;

	r = cdb_get(cdb, err, "SELECT id FROM host WHERE name = ? FOR UPDATE", "s>u", name, ret_id);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "there is no host '%.64s'", name);
	if (r)
		return r;
	return cdb_get(cdb, err,
		       "SELECT (SELECT COUNT(*) FROM port WHERE host = ?) + "
		       "(SELECT COUNT(*) FROM port_standby WHERE host = ?)",
		       "uu>u", *ret_id, *ret_id, ret_ports);
}

static int update_host(struct cdb *cdb, const char *name, const struct vpc_addr *vtep, const uint16_t *udp_port,
		       bool *ret_changed, struct vpc_err *err)
{
	struct intent_host host;
	uint32_t id, ports, old_udp_port;
	bool new_vtep, new_udp_port;
	int r;

	r = lock_host(cdb, name, &id, &ports, err);
	if (!r)
		r = intent_host_find(cdb, name, &host, err);
	if (!r)
		r = cdb_get(cdb, err, "SELECT udp_port FROM host WHERE id = ?", "u>u", id, &old_udp_port);
	if (r)
		return r;
	new_vtep = vtep && vpc_addr_cmp(vtep, &host.vtep);
	new_udp_port = udp_port && *udp_port != old_udp_port;
	*ret_changed = new_vtep || new_udp_port;
	if (!*ret_changed)
		return 0;
	if (new_vtep && ports)
		return vpc_err_set(err, -EBUSY, "host %s still has %u port%s: its VTEP can't change under them", name,
				   ports, ports == 1 ? "" : "s");
	if (!new_vtep)
		vtep = &host.vtep;
	r = cdb_exec(
		cdb, err,
		"UPDATE host SET family = ?, vtep = ?, udp_port = ?, ports_revision = ports_revision + 1 WHERE id = ?",
		"ubuu", cdb_family(vtep->family), vtep->bytes, cdb_addr_len(vtep->family),
		new_udp_port ? *udp_port : old_udp_port, id);
	if (r == -EEXIST)
		return vtep_taken(vtep, err);
	return r ?: tell(cdb, name, err);
}

int intent_host_set(const struct intent *intent, const char *name, const struct vpc_addr *vtep,
		    const uint16_t *udp_port, bool *ret_changed, struct vpc_err *err)
{
	bool changed;
	int r = 0;

	if (vtep)
		r = intent_vtep_check(vtep, err);
	if (!r && udp_port && !*udp_port)
		r = vpc_err_set(err, -EINVAL, "host %s: UDP port 0", name);
	if (!r)
		r = begin(intent->cdb, err);
	if (r)
		return r;
	r = end(intent->cdb, update_host(intent->cdb, name, vtep, udp_port, &changed, err), err);
	if (!r)
		*ret_changed = changed;
	return r;
}

static int delete_host(struct cdb *cdb, const char *name, struct vpc_err *err)
{
	uint32_t id, ports;
	int r;

	r = lock_host(cdb, name, &id, &ports, err);
	if (!r && ports)
		r = vpc_err_set(err, -EBUSY, "host %s still has %u port%s", name, ports, ports == 1 ? "" : "s");
	if (!r)
		r = cdb_exec(cdb, err, "DELETE FROM host WHERE id = ?", "u", id);
	return r ?: tell(cdb, name, err);
}

int intent_host_del(const struct intent *intent, const char *name, struct vpc_err *err)
{
	int r = begin(intent->cdb, err);

	if (r)
		return r;
	return end(intent->cdb, delete_host(intent->cdb, name, err), err);
}
