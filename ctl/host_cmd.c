// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl host: the machines that ports live on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/cdb_row.h"
#include "../lib/zk_auth.h"
#include "../proto/znode.h"
#include "ctl.h"

static void print_done(struct ctl *ctl, const char *name, const char *what, bool changed)
{
	struct json_object *object;

	if (ctl->in_batch)
		return;
	if (!ctl->json) {
		printf("host %s %s\n", name, what);
		return;
	}
	object = json_object_new_object();
	ctl_add_string(object, "host", name);
	json_object_object_add(object, "changed", json_object_new_boolean(changed));
	ctl_print(ctl, object);
}

static int host_add(struct ctl *ctl, int argc, char **argv)
{
	uint16_t udp_port = VPC_UDP_PORT;
	struct intent intent;
	struct vpc_addr vtep;
	const char *name;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vtep", CTL_ADDR, &vtep, .required = true),
		CTL_ARG("udp-port", CTL_U16, &udp_port),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_host_add(&intent, name, &vtep, udp_port, &ctl->err);
	if (!r)
		print_done(ctl, name, "added", true);
	return r;
}

static int host_set(struct ctl *ctl, int argc, char **argv)
{
	struct intent intent;
	struct vpc_addr vtep;
	const char *name;
	uint16_t udp_port;
	bool changed;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vtep", CTL_ADDR, &vtep),
		CTL_ARG("udp-port", CTL_U16, &udp_port),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_host_set(&intent, name, ctl_given(args, ARRAY_SIZE(args), "vtep") ? &vtep : NULL,
			    ctl_given(args, ARRAY_SIZE(args), "udp-port") ? &udp_port : NULL, &changed, &ctl->err);
	if (!r)
		print_done(ctl, name, changed ? "changed" : "stays as it is, nothing to change", changed);
	return r;
}

static int host_del(struct ctl *ctl, int argc, char **argv)
{
	struct intent intent;
	const char *name;
	struct ctl_arg args[] = { CTL_ARG("NAME", CTL_WORD, &name, .required = true) };
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_host_del(&intent, name, &ctl->err);
	if (!r)
		print_done(ctl, name, "deleted", true);
	return r;
}

struct host_row {
	char name[64];
	uint32_t id, family, udp_port, ports;
	uint64_t revision;
	struct cdb_bin vtep;
};

static int print_host(struct ctl *ctl, const struct host_row *row)
{
	struct json_object *object;
	char text[VPC_ADDR_STRLEN];
	struct vpc_addr vtep;
	int r;

	r = cdb_addr_check("host", 0, row->family, &row->vtep, &vtep, &ctl->err);
	if (r)
		return r;
	if (!ctl->json) {
		printf("%s id %u vtep %s udp-port %u ports %u revision %llu\n", row->name, row->id,
		       vpc_addr_format(&vtep, text), row->udp_port, row->ports, (unsigned long long)row->revision);
		return 0;
	}
	object = json_object_new_object();
	ctl_add_string(object, "name", row->name);
	ctl_add_u64(object, "id", row->id);
	ctl_add_addr(object, "vtep", &vtep);
	ctl_add_u64(object, "udp_port", row->udp_port);
	ctl_add_u64(object, "ports", row->ports);
	ctl_add_u64(object, "revision", row->revision);
	ctl_list_add(ctl, object);
	return 0;
}

static int host_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	const char *name = NULL, *vpc_name = NULL;
	struct cdb_vpc vpc = {};
	struct host_row row;
	struct ctl_arg args[] = { CTL_ARG("NAME", CTL_WORD, &name), CTL_ARG("vpc", CTL_WORD, &vpc_name) };
	bool more;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r && vpc_name)
		r = cdb_vpc_find(ctl->cdb, vpc_name, &vpc, &ctl->err);
	if (!r)
		r = cdb_query(
			ctl->cdb, &rows, &ctl->err,
			"SELECT h.name, h.id, h.family, h.vtep, h.udp_port, h.ports_revision, "
			"(SELECT COUNT(*) FROM port p WHERE p.host = h.id) + "
			"(SELECT COUNT(*) FROM port_standby b WHERE b.host = h.id) FROM host h "
			"WHERE (? IS NULL OR h.name = ?) AND (? = 0 OR h.id IN (SELECT host FROM port WHERE vni = ? "
			"UNION SELECT host FROM port_standby WHERE vni = ?)) ORDER BY h.name",
			"ssuuu>suubuUu", name, name, vpc.vni, vpc.vni, vpc.vni, row.name, sizeof(row.name), &row.id,
			&row.family, &row.vtep, &row.udp_port, &row.revision, &row.ports);
	if (r)
		return r;
	ctl_list_begin(ctl);
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		r = print_host(ctl, &row);
		if (r)
			return r;
	}
	if (!r)
		ctl_list_end(ctl);
	return r;
}

/* Not from CDB: any name has one, under the publisher's. */
static int host_credential(struct ctl *ctl, int argc, char **argv)
{
	char publisher[ZK_CREDENTIAL_MAX], credential[ZK_CREDENTIAL_MAX];
	const char *name, *file;
	struct ctl_arg args[] = { CTL_ARG("NAME", CTL_WORD, &name, .required = true) };
	struct json_object *object;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r && !ctl->cdb)
		r = vpc_config_load(ctl->config_path, &ctl->config, &ctl->err);
	if (r)
		return r;
	file = ctl->config.zk_credential_file;
	if (!vpc_host_name_valid(name))
		return vpc_err_set(&ctl->err, -EINVAL, "'%.80s' is not a host's name", name);
	if (!file)
		return vpc_err_set(&ctl->err, -EINVAL,
				   "[zookeeper] credential_file is not set: name the publisher's there");
	r = zk_credential_load(file, publisher, &ctl->err);
	if (r)
		return r;
	zk_credential_host(publisher, name, credential);
	explicit_bzero(publisher, sizeof(publisher));
	if (!ctl->json) {
		printf("%s\n", credential);
		return 0;
	}
	object = json_object_new_object();
	ctl_add_string(object, "host", name);
	ctl_add_string(object, "credential", credential);
	ctl_print(ctl, object);
	return 0;
}

static const struct ctl_verb verbs[] = {
	{ "add", host_add, "NAME vtep ADDRESS [udp-port N]", true },
	{ "set", host_set, "NAME [vtep ADDRESS] [udp-port N]", true },
	{ "del", host_del, "NAME", true },
	{ "show", host_show, "[NAME] [vpc VPC]", false },
	{ "credential", host_credential, "NAME", false },
};

const struct ctl_object ctl_host = {
	.name = "host",
	.about = "the machines that ports live on",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "vtep: the host's address in the underlay, where tunnel packets go. It can't change "
		 "while the host has ports. vpc: hosts with a place of one of its ports.\n"
		 "credential: what the host's agent needs as [zookeeper] credential_file; it is made from the "
		 "publisher's, which [zookeeper] credential_file must name here.\n",
};
