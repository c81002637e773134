// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl db: CDB itself: create, upgrade, look after.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/cdb_init.h"
#include "../lib/cdb_stmt.h"
#include "../lib/digest.h"
#include "ctl.h"

static const char *const password_vars[CDB_N_ACCOUNTS] = {
	[CDB_ACCOUNT_WRITER] = "VPC_WRITER_PASSWORD",
	[CDB_ACCOUNT_PUBLISHER] = "VPC_PUBLISHER_PASSWORD",
	[CDB_ACCOUNT_AUDITOR] = "VPC_AUDITOR_PASSWORD",
};

/* As a line, or into @object. */
static void print_account(struct ctl *ctl, const char *name, const char *given, const char *made,
			  struct json_object *object)
{
	if (!ctl->json)
		printf("account %s %s%s\n", name,
		       *made   ? "password "
		       : given ? "password as given"
			       : "keeps its password",
		       made);
	ctl_add_string(object, "name", name);
	ctl_add_string(object, "password", *made ? made : NULL);
}

static int init_accounts(struct ctl *ctl, struct json_object *object)
{
	struct json_object *accounts = json_object_new_array(), *account;
	char made[CDB_PASSWORD_LEN + 1];
	const char *given, *name;
	int r;

	json_object_object_add(object, "accounts", accounts);
	for (int kind = 0; kind < CDB_N_ACCOUNTS; kind++) {
		given = getenv(password_vars[kind]);
		name = cdb_account_name(kind);
		r = cdb_account_init(ctl->cdb, kind, given, made, &ctl->err);
		if (r)
			return r;
		account = json_object_new_object();
		print_account(ctl, name, given, made, account);
		json_object_array_add(accounts, account);
	}
	return 0;
}

static int db_init(struct ctl *ctl, int argc, char **argv)
{
	struct json_object *object;
	bool accounts = false;
	unsigned int from, to;
	struct ctl_arg args[] = { CTL_ARG("--accounts", CTL_FLAG, &accounts) };
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb_connect(ctl);
	if (!r)
		r = cdb_init(ctl->cdb, &from, &to, &ctl->err);
	if (r)
		return r;
	object = json_object_new_object();
	ctl_add_string(object, "database", ctl->config.cdb_database);
	ctl_add_u64(object, "from", from);
	ctl_add_u64(object, "version", to);
	if (!ctl->json && from == to)
		printf("database %s has schema version %u already\n", ctl->config.cdb_database, to);
	else if (!ctl->json)
		printf("database %s: schema version %u, was %u\n", ctl->config.cdb_database, to, from);
	if (accounts)
		r = init_accounts(ctl, object);
	if (ctl->json && !r)
		ctl_print(ctl, object);
	else
		json_object_put(object);
	return r;
}

static int db_show(struct ctl *ctl, int argc, char **argv)
{
	uint64_t version, vpcs, hosts, ports, outbox, oldest, now = now_wall_ms();
	struct json_object *object;
	char server[64];
	int r;

	r = ctl_args(ctl, NULL, 0, argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = cdb_get(ctl->cdb, &ctl->err,
			    "SELECT VERSION(), (SELECT MAX(version) FROM schema_version), (SELECT COUNT(*) FROM vpc), "
			    "(SELECT COUNT(*) FROM host), (SELECT COUNT(*) FROM port), (SELECT COUNT(*) FROM outbox), "
			    "(SELECT COALESCE(MIN(created), 0) FROM outbox)",
			    ">sUUUUUU", server, sizeof(server), &version, &vpcs, &hosts, &ports, &outbox, &oldest);
	if (r)
		return r;
	if (!ctl->json) {
		printf("database %s schema %llu server %s vpcs %llu hosts %llu ports %llu outbox %llu",
		       ctl->config.cdb_database, (unsigned long long)version, server, (unsigned long long)vpcs,
		       (unsigned long long)hosts, (unsigned long long)ports, (unsigned long long)outbox);
		if (oldest)
			printf(" oldest %llus", (unsigned long long)(oldest < now ? now - oldest : 0) / 1000);
		puts("");
		return 0;
	}
	object = json_object_new_object();
	ctl_add_string(object, "database", ctl->config.cdb_database);
	ctl_add_u64(object, "version", version);
	ctl_add_string(object, "server", server);
	ctl_add_u64(object, "vpcs", vpcs);
	ctl_add_u64(object, "hosts", hosts);
	ctl_add_u64(object, "ports", ports);
	ctl_add_u64(object, "outbox", outbox);
	ctl_print(ctl, object);
	return 0;
}

/* @ret_sound: whether what is kept is what the rows say. */
static int check_vpc(struct ctl *ctl, const struct cdb_vpc *vpc, bool *ret_sound)
{
	char kept[VPC_DIGEST_STRLEN], found[VPC_DIGEST_STRLEN];
	_cleanup_(vpc_state_clear) struct vpc_state state;
	struct json_object *object;
	struct vpc_digest digest;
	int r;

	vpc_state_init(&state, vpc->vni);
	r = cdb_state_load(ctl->cdb, vpc->vni, &state, &ctl->err);
	if (!r)
		r = vpc_state_check(&state, &ctl->err);
	if (r)
		return r;
	digest = vpc_digest_of_state(&state);
	*ret_sound = vpc_digest_equal(&digest, &state.digest);
	vpc_digest_format(&state.digest, kept);
	vpc_digest_format(&digest, found);
	if (!ctl->json) {
		printf("%s vni %u epoch %llu digest %s %s%s\n", vpc->name, vpc->vni, (unsigned long long)state.epoch,
		       kept, *ret_sound ? "ok" : "differs from its rows: ", *ret_sound ? "" : found);
		return 0;
	}
	object = json_object_new_object();
	ctl_add_string(object, "name", vpc->name);
	ctl_add_u64(object, "vni", vpc->vni);
	ctl_add_u64(object, "epoch", state.epoch);
	ctl_add_string(object, "digest", kept);
	ctl_add_string(object, "found", found);
	json_object_object_add(object, "ok", json_object_new_boolean(*ret_sound));
	ctl_list_add(ctl, object);
	return 0;
}

static int check_all(struct ctl *ctl, const struct cdb_vpc *vpcs, size_t n)
{
	const struct cdb_vpc *bad = NULL;
	bool sound;
	int r;

	ctl_list_begin(ctl);
	for (size_t i = 0; i < n; i++) {
		r = check_vpc(ctl, &vpcs[i], &sound);
		if (r)
			return r;
		if (!sound)
			bad = &vpcs[i];
	}
	ctl_list_end(ctl);
	if (bad)
		return vpc_err_set(&ctl->err, -EBADMSG, "VPC %s: the rows were changed behind its digest", bad->name);
	return 0;
}

static int db_check(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	const char *name = NULL;
	struct cdb_vpc one;
	size_t n = 1;
	struct ctl_arg args[] = { CTL_ARG("VPC", CTL_WORD, &name) };
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = cdb_snapshot_begin(ctl->cdb, &ctl->err);
	if (!r)
		r = name ? cdb_vpc_find(ctl->cdb, name, &one, &ctl->err) : cdb_vpc_list(ctl->cdb, &vpcs, &n, &ctl->err);
	if (!r)
		r = check_all(ctl, name ? &one : vpcs, n);
	return r ?: cdb_snapshot_end(ctl->cdb, &ctl->err);
}

static int db_auditor(struct ctl *ctl, int argc, char **argv)
{
	/* Not the shared account's: with that in the environment all hosts would get one password. */
	const char *given = getenv("VPC_HOST_AUDITOR_PASSWORD"), *host = NULL;
	struct ctl_arg args[] = { CTL_ARG("HOST", CTL_WORD, &host, .required = true) };
	char made[CDB_PASSWORD_LEN + 1], name[CDB_AUDITOR_MAX];
	struct json_object *object;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = cdb_auditor_init(ctl->cdb, host, given, made, &ctl->err);
	if (r)
		return r;
	snprintf(name, sizeof(name), "%s:%s", cdb_account_name(CDB_ACCOUNT_AUDITOR), host);
	object = json_object_new_object();
	print_account(ctl, name, given, made, object);
	if (ctl->json)
		ctl_print(ctl, object);
	else
		json_object_put(object);
	return 0;
}

static const struct ctl_verb verbs[] = {
	{ "init", db_init, "[--accounts]", false },
	{ "auditor", db_auditor, "HOST", false },
	{ "show", db_show, "", false },
	{ "check", db_check, "[VPC]", false },
};

const struct ctl_object ctl_db = {
	.name = "db",
	.about = "CDB itself: create, upgrade, look after",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "init: creates the database and its schema, or upgrades it step by step. --accounts: "
		 "also the accounts vpc_writer,\n"
		 "vpc_publisher and vpc_auditor with exactly the rights they need. Passwords come from "
		 "VPC_WRITER_PASSWORD,\n"
		 "VPC_PUBLISHER_PASSWORD and VPC_AUDITOR_PASSWORD; without them a new account gets a "
		 "random one, which is printed,\n"
		 "and one that exists keeps its own. Needs an account that may do all this, such as root.\n"
		 "auditor: the account vpc_auditor:HOST, for that host's vpc_reconcile, which may record for no other "
		 "host; its\npassword comes from VPC_HOST_AUDITOR_PASSWORD, else it is made as above.\n"
		 "check: recomputes each VPC's digest from its rows and compares it with the one kept; "
		 "exit status 2 when they differ.\n",
};
