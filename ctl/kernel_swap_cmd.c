// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl kernel swap: another vpc.ko in the running one's place, with the state of every namespace carried over. What
 * scripts/upgrade-module.sh runs, which sees to the agents meanwhile.
 *
 * Everything that can be judged or read beforehand is: forwarding stands still from the first port unbound to the last
 * one bound, and in between there is nothing but that, the two system calls and the content's transactions. Content
 * comes before ports, so that no guest hears of a route that is not there yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../lib/digest.h"
#include "../lib/kmodfile.h"
#include "../lib/kstate.h"
#include "kernel_ctl.h"
#include "netns_list.h"

#define MODULE	      "vpc"
#define STATUS_BACK   3 /* the new module failed, the old one is back with everything */
#define STATUS_BROKEN 4 /* neither runs with everything */

static const char help[] =
	"Usage: vpcctl kernel swap NEW old OLD [save DIR] [check]\n\n"
	"Replaces the running vpc.ko, which is of file OLD, by NEW; every namespace's state goes along, with its\n"
	"epochs and digests. `check` only looks whether it could. save: writes each namespace's state into DIR first.\n"
	"Exit status: 0 done, 2 refused and nothing changed, 3 NEW failed and OLD is back with everything, 4 neither:\n"
	"restore from DIR. Agents must not run meanwhile: see scripts/upgrade-module.sh.\n";

/* One namespace that has anything of the module's. */
struct space {
	const struct netns *ns;
	struct kernel *k;
	struct kstate ks;
	size_t bound; /* ports that have their device */
};

struct swap {
	struct ctl *ctl;
	struct kmodfile old, new;
	char params[512]; /* of the module: they stay */
	struct netns *list;
	size_t n_list;
	struct space *spaces;
	size_t n_spaces;
	uint64_t unbound_us, removed_us, inserted_us, bound_us; /* when each was done */
	uint64_t start_us;
};

/* -- before -------------------------------------------------------------------------------------------------------- */

static int count_bound(struct space *space, struct vpc_err *err)
{
	struct kernel_port *ports = NULL;
	size_t n = 0;
	int r = kernel_port_list(space->k, &ports, &n, err);

	for (size_t i = 0; !r && i < n; i++)
		space->bound += !!ports[i].ifindex;
	kernel_ports_free(ports, n);
	return r;
}

static int read_space(const struct netns *ns, struct space *space, struct vpc_err *err)
{
	int r;

	*space = (struct space){ .ns = ns };
	kstate_init(&space->ks);
	r = kernel_open(ns->path, &space->k, err);
	if (!r)
		r = kstate_read(space->k, NULL, 0, &space->ks, err);
	if (!r)
		r = count_bound(space, err);
	return r ? vpc_err_prefix(err, r, "network namespace %s", ns->name) : 0;
}

static void space_clear(struct space *space)
{
	kernel_close(space->k);
	kstate_clear(&space->ks);
}

/* Each bound port holds the module once. */
static int check_all_reached(const struct swap *swap, struct vpc_err *err)
{
	_cleanup_fclose_ FILE *file = fopen("/sys/module/" MODULE "/refcnt", "re");
	size_t bound = 0;
	unsigned int refs;

	for (size_t i = 0; i < swap->n_spaces; i++)
		bound += swap->spaces[i].bound;
	if (!file || fscanf(file, "%u", &refs) != 1)
		return vpc_err_set(err, -ENOENT, "module %s is not loaded", MODULE);
	if (refs != bound)
		return vpc_err_set(err, -EBUSY,
				   "the module is used %u times, but %zu bound ports are found: a network namespace is "
				   "out of reach (give it a name, or end it), or something changes ports right now",
				   refs, bound);
	return 0;
}

static int read_spaces(struct swap *swap, struct vpc_err *err)
{
	int r = netns_list(&swap->list, &swap->n_list, err);

	if (r)
		return r;
	swap->spaces = calloc(swap->n_list + 1, sizeof(*swap->spaces));
	if (!swap->spaces)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < swap->n_list; i++) {
		struct space *space = &swap->spaces[swap->n_spaces];

		r = read_space(&swap->list[i], space, err);
		if (r) {
			space_clear(space);
			return r;
		}
		if (space->ks.has_host || space->ks.n_vpcs || space->ks.n_ports)
			swap->n_spaces++;
		else
			space_clear(space);
	}
	return check_all_reached(swap, err);
}

static int check_files(struct swap *swap, const char *new, const char *old, struct vpc_err *err)
{
	int r = kmodfile_open(new, MODULE, &swap->new, err);

	if (!r)
		r = kmodfile_open(old, MODULE, &swap->old, err);
	if (r)
		return r;
	if (!kmodfile_is_running(&swap->old, MODULE))
		return vpc_err_set(err, -EINVAL,
				   "%s: the running module is of another build: there would be no way back", old);
	if (strcmp(swap->new.vermagic, swap->old.vermagic))
		return vpc_err_set(err, -EINVAL, "%s: built for kernel '%.80s', the running one is '%.80s'", new,
				   swap->new.vermagic, swap->old.vermagic);
	return kmodfile_params(MODULE, swap->params, sizeof(swap->params), err);
}

static int save_space(const struct space *space, const char *dir, struct vpc_err *err)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/netns-%ju.txt", dir, (uintmax_t)space->ns->ino);
	file = fopen(path, "we");
	if (!file)
		return vpc_err_set(err, -errno, "%s: %s", path, strerror(errno));
	fprintf(file, "# network namespace %s\n", space->ns->name);
	if (kstate_print(&space->ks, file))
		return vpc_err_set(err, -EIO, "%s: %s", path, strerror(errno));
	return 0;
}

/* -- the swap ------------------------------------------------------------------------------------------------------ */

/* VPCs and the host need not be deleted: they go with the module. */
static int unbind(struct swap *swap, struct vpc_err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < swap->n_spaces; i++)
		for (size_t j = 0; !r && j < swap->spaces[i].ks.n_ports; j++) {
			r = kernel_port_del(swap->spaces[i].k, swap->spaces[i].ks.ports[j].dev, err);
			if (r == -ENOENT)
				r = 0;
		}
	return r;
}

/* The family's id may be another one now: sockets are opened anew. */
static int restore(struct swap *swap, struct vpc_err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < swap->n_spaces; i++) {
		struct space *space = &swap->spaces[i];

		kernel_close(space->k);
		space->k = NULL;
		r = kernel_open(space->ns->path, &space->k, err);
		if (!r)
			r = kstate_apply(space->k, &space->ks, err);
		if (r)
			vpc_err_prefix(err, r, "network namespace %s", space->ns->name);
	}
	return r;
}

/* What forwarding reads now against what was read before. After forwarding goes on: it takes its time. */
static int verify(struct swap *swap, struct vpc_err *err)
{
	struct vpc_digest found;
	struct kernel_vpc vpc;
	int r = 0;

	for (size_t i = 0; !r && i < swap->n_spaces; i++)
		for (size_t j = 0; !r && j < swap->spaces[i].ks.n_vpcs; j++) {
			const struct vpc_state *want = &swap->spaces[i].ks.vpcs[j].state;

			r = kernel_verify(swap->spaces[i].k, want->vni, &vpc, &found, err);
			if (!r && (vpc.epoch != want->epoch || vpc.faults || !vpc_digest_equal(&found, &want->digest)))
				r = vpc_err_set(err, -EBADMSG,
						"network namespace %s: VPC %u did not come back as it was",
						swap->spaces[i].ns->name, want->vni);
		}
	return r;
}

static int run(struct swap *swap, struct vpc_err *err)
{
	int r;

	swap->start_us = now_monotonic_us();
	r = unbind(swap, err);
	swap->unbound_us = now_monotonic_us();
	if (!r)
		r = kmodfile_remove(MODULE, err);
	swap->removed_us = now_monotonic_us();
	if (!r)
		r = kmodfile_insert(&swap->new, swap->params, err);
	swap->inserted_us = now_monotonic_us();
	if (!r)
		r = restore(swap, err);
	swap->bound_us = now_monotonic_us();
	return r ? r : verify(swap, err);
}

/* Whichever module is in, or none: the old one, with everything. */
static int go_back(struct swap *swap, struct vpc_err *err)
{
	int r = 0;

	if (!kmodfile_is_running(&swap->old, MODULE)) {
		unbind(swap, NULL);
		r = kmodfile_remove(MODULE, err);
		if (r == -ENOENT)
			r = 0;
		if (!r)
			r = kmodfile_insert(&swap->old, swap->params, err);
	}
	if (!r)
		r = restore(swap, err);
	return r ? r : verify(swap, err);
}

static void report(const struct swap *swap)
{
	size_t vpcs = 0, ports = 0, routes = 0;
	struct json_object *object;

	for (size_t i = 0; i < swap->n_spaces; i++) {
		vpcs += swap->spaces[i].ks.n_vpcs;
		ports += swap->spaces[i].ks.n_ports;
		for (size_t j = 0; j < swap->spaces[i].ks.n_vpcs; j++)
			routes += swap->spaces[i].ks.vpcs[j].state.n_routes;
	}
	if (!swap->ctl->json) {
		printf("%zu namespaces, %zu VPCs, %zu routes, %zu ports carried over; "
		       "forwarding stood still for %.1f ms (ports unbound %.1f, module removed %.1f, inserted %.1f, "
		       "state restored %.1f)\n",
		       swap->n_spaces, vpcs, routes, ports, (swap->bound_us - swap->start_us) / 1e3,
		       (swap->unbound_us - swap->start_us) / 1e3, (swap->removed_us - swap->unbound_us) / 1e3,
		       (swap->inserted_us - swap->removed_us) / 1e3, (swap->bound_us - swap->inserted_us) / 1e3);
		return;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "namespaces", swap->n_spaces);
	ctl_add_u64(object, "vpcs", vpcs);
	ctl_add_u64(object, "routes", routes);
	ctl_add_u64(object, "ports", ports);
	ctl_add_u64(object, "still_us", swap->bound_us - swap->start_us);
	ctl_add_u64(object, "unbind_us", swap->unbound_us - swap->start_us);
	ctl_add_u64(object, "remove_us", swap->removed_us - swap->unbound_us);
	ctl_add_u64(object, "insert_us", swap->inserted_us - swap->removed_us);
	ctl_add_u64(object, "restore_us", swap->bound_us - swap->inserted_us);
	ctl_print(swap->ctl, object);
}

/* Once begun it ends: an interrupted half would leave the machine without a router. */
static void ignore_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_IGN);
}

static int do_swap(struct swap *swap)
{
	struct ctl *ctl = swap->ctl;
	struct vpc_err back = { "" };
	int r;

	ignore_signals();
	r = run(swap, &ctl->err);
	if (!r) {
		report(swap);
		return 0;
	}
	if (go_back(swap, &back)) {
		ctl->status = STATUS_BROKEN;
		return vpc_err_set(&ctl->err, r, "%s; and then: %s", ctl->err.text, back.text);
	}
	ctl->status = STATUS_BACK;
	return vpc_err_set(&ctl->err, r, "%s; the old module is back with everything", ctl->err.text);
}

int cmd_kernel_swap(struct ctl *ctl, int argc, char **argv)
{
	struct swap swap = { .ctl = ctl };
	const char *new = NULL, *old = NULL, *save = NULL;
	bool check = false;
	struct ctl_arg args[] = { { "NEW", CTL_WORD, &new, .required = true },
				  { "old", CTL_WORD, &old, .required = true },
				  { "save", CTL_WORD, &save },
				  { "check", CTL_FLAG, &check } };
	int r;

	if (argc && (!strcmp(argv[0], "help") || !strcmp(argv[argc - 1], "--help"))) {
		fputs(help, stdout);
		return 0;
	}
	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = check_files(&swap, new, old, &ctl->err);
	if (!r)
		r = read_spaces(&swap, &ctl->err);
	for (size_t i = 0; save && !r && i < swap.n_spaces; i++)
		r = save_space(&swap.spaces[i], save, &ctl->err);
	if (!r && !check)
		r = do_swap(&swap);
	for (size_t i = 0; i < swap.n_spaces; i++)
		space_clear(&swap.spaces[i]);
	free(swap.spaces);
	netns_list_free(swap.list, swap.n_list);
	kmodfile_close(&swap.new);
	kmodfile_close(&swap.old);
	return r;
}
