// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel in memory, for the agent's unit tests; see agent_fake.h.
 */
#include "agent_fake.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include "../../lib/digest.h"
#include "../../lib/util.h"

#define MAX_VPCS 1100
#define MAX_PORTS 512
#define MAX_EVENTS 16

struct kernel {
	int fd; /* events; -1: a command socket */
};

struct fake_vpc {
	struct vpc_state state; /* state.digest is the running one; first, a pointer to it is one to this */
	uint64_t quota;
	uint32_t flags;
};

struct fake_calls fake_calls;
static struct fake_vpc vpcs[MAX_VPCS];
static size_t n_vpcs;
static struct vpc_port ports[MAX_PORTS];
static size_t n_ports;
static struct kernel_host host;
static bool present;
static uint64_t instance;
static uint32_t verify_faults;
static int content_code;
static int refuse_code;
static unsigned int refuse_times;
static void (*after_dump)(void);
static void (*on_explain)(void);
static int dump_code;
static unsigned int dump_times;
static struct kernel_event events[MAX_EVENTS];
static size_t n_events;
static bool events_lost;
static struct kernel *event_socket;
/* A thread of the agent dumps while the test goes on: held by who changes or copies a VPC's tables. */
static pthread_mutex_t tables = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static void tables_unlock(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

#define TABLES_LOCK() \
	_cleanup_(tables_unlock) pthread_mutex_t *locked = (pthread_mutex_lock(&tables), &tables)

/* -- what tests do ------------------------------------------------------------------------------------------------- */

static void port_remove(size_t i)
{
	vpc_port_clear(&ports[i]);
	ports[i] = ports[--n_ports];
}

void fake_kernel_reset(void)
{
	TABLES_LOCK();

	while (n_vpcs)
		vpc_state_clear(&vpcs[--n_vpcs].state);
	while (n_ports)
		port_remove(0);
	present = true;
	host = (struct kernel_host){ .instance = ++instance, .version = "fake" };
	fake_calls = (struct fake_calls){ 0 };
	refuse_times = dump_times = 0;
	verify_faults = 0;
	content_code = 0;
	n_events = 0;
	events_lost = false;
}

void fake_kernel_unload(void)
{
	present = false;
}

struct vpc_state *fake_kernel_vpc(uint32_t vni)
{
	for (size_t i = 0; i < n_vpcs; i++)
		if (vpcs[i].state.vni == vni)
			return &vpcs[i].state;
	return NULL;
}

uint64_t fake_kernel_quota(uint32_t vni)
{
	return ((struct fake_vpc *)fake_kernel_vpc(vni))->quota;
}

const struct vpc_port *fake_kernel_port(const char *dev)
{
	for (size_t i = 0; i < n_ports; i++)
		if (!strcmp(ports[i].dev, dev))
			return &ports[i];
	return NULL;
}

static void state_copy(struct vpc_state *to, const struct vpc_state *from)
{
	vpc_state_clear(to);
	to->vni = from->vni;
	to->epoch = from->epoch;
	to->digest = from->digest;
	for (size_t i = 0; i < from->n_nexthops; i++)
		vpc_state_add_nexthop(to, &from->nexthops[i]);
	for (size_t i = 0; i < from->n_members; i++)
		vpc_state_add_member(to, &from->members[i]);
	for (size_t i = 0; i < from->n_routes; i++)
		vpc_state_add_route(to, &from->routes[i]);
}

void fake_kernel_put_vpc(const struct vpc_state *state)
{
	TABLES_LOCK();
	struct vpc_state *there = fake_kernel_vpc(state->vni);

	if (!there) {
		vpcs[n_vpcs].quota = 0;
		there = &vpcs[n_vpcs++].state;
		vpc_state_init(there, state->vni);
	}
	state_copy(there, state);
}

void fake_kernel_refuse(int code, unsigned int times)
{
	refuse_code = code;
	refuse_times = times;
}

void fake_kernel_fail_dumps(int code, unsigned int times)
{
	dump_code = code;
	dump_times = times;
}

void fake_kernel_on_explain(void (*fn)(void))
{
	on_explain = fn;
}

void fake_kernel_after_dump(void (*fn)(void))
{
	after_dump = fn;
}

void fake_kernel_fail_content(int code)
{
	content_code = code;
}

void fake_kernel_faults(uint32_t faults)
{
	verify_faults = faults;
}

void fake_kernel_skew(uint32_t vni)
{
	fake_kernel_vpc(vni)->digest.h[0] += 77;
}

void fake_kernel_event(const struct kernel_event *event)
{
	events[n_events++] = *event;
	eventfd_write(event_socket->fd, 1);
}

void fake_kernel_lose_events(void)
{
	events_lost = true;
	eventfd_write(event_socket->fd, 1);
}

/* -- lib/kernel.h -------------------------------------------------------------------------------------------------- */

static int gone(struct vpc_err *err)
{
	return present ? 0 : vpc_err_set(err, -ENODEV, "no module");
}

static int dump_begin(struct vpc_err *err)
{
	if (!present || !dump_times)
		return gone(err);
	dump_times--;
	return vpc_err_set(err, dump_code, "the dump was interrupted by the test");
}

int kernel_open(const char *netns, struct kernel **ret_kernel, struct vpc_err *err)
{
	if (!present)
		return vpc_err_set(err, -ENOENT, "no module");
	*ret_kernel = calloc(1, sizeof(**ret_kernel));
	(*ret_kernel)->fd = -1;
	return 0;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	if (k->fd >= 0)
		close(k->fd);
	if (k == event_socket)
		event_socket = NULL;
	free(k);
}

void kernel_closep(struct kernel **k)
{
	kernel_close(*k);
}

int kernel_host_set(struct kernel *k, const struct vpc_addr *vtep4, const struct vpc_addr *vtep6, uint16_t udp_port,
		    struct vpc_err *err)
{
	fake_calls.host_set++;
	if (!present)
		return gone(err);
	host.vtep4 = *vtep4;
	host.vtep6 = *vtep6;
	host.udp_port = udp_port;
	return 0;
}

int kernel_host_get(struct kernel *k, struct kernel_host *ret_host, struct vpc_err *err)
{
	if (present)
		*ret_host = host;
	return gone(err);
}

int kernel_vpc_set(struct kernel *k, uint32_t vni, uint64_t quota, const uint32_t *flags, struct vpc_err *err)
{
	TABLES_LOCK();

	fake_calls.vpc_set++;
	if (!present)
		return gone(err);
	if (!fake_kernel_vpc(vni)) {
		vpcs[n_vpcs].flags = 0;
		vpc_state_init(&vpcs[n_vpcs++].state, vni);
	}
	((struct fake_vpc *)fake_kernel_vpc(vni))->quota = quota;
	if (flags)
		((struct fake_vpc *)fake_kernel_vpc(vni))->flags = *flags;
	return 0;
}

static void vpc_fill(const struct vpc_state *state, struct kernel_vpc *ret)
{
	*ret = (struct kernel_vpc){ .vni = state->vni,
				    .epoch = state->epoch,
				    .digest = state->digest,
				    .n_routes = state->n_routes,
				    .n_nexthops = state->n_nexthops,
				    .n_members = state->n_members,
				    .flags = ((const struct fake_vpc *)state)->flags,
				    .quota = fake_kernel_quota(state->vni) };
	for (size_t i = 0; i < n_ports; i++)
		ret->n_ports += ports[i].vni == state->vni;
}

int kernel_vpc_del(struct kernel *k, uint32_t vni, struct vpc_err *err)
{
	TABLES_LOCK();
	struct vpc_state *state = fake_kernel_vpc(vni);
	struct kernel_vpc vpc;

	fake_calls.vpc_del++;
	if (!present || !state)
		return present ? vpc_err_set(err, -ENOENT, "no VPC %u", vni) : gone(err);
	vpc_fill(state, &vpc);
	if (vpc.n_ports)
		return vpc_err_set(err, -EBUSY, "VPC %u has %u ports", vni, vpc.n_ports);
	vpc_state_clear(state);
	*(struct fake_vpc *)state = vpcs[--n_vpcs];
	return 0;
}

int kernel_vpc_get(struct kernel *k, uint32_t vni, struct kernel_vpc *ret_vpc, struct vpc_err *err)
{
	const struct vpc_state *state = fake_kernel_vpc(vni);

	if (!present || !state)
		return present ? vpc_err_set(err, -ENOENT, "no VPC %u", vni) : gone(err);
	vpc_fill(state, ret_vpc);
	return 0;
}

int kernel_vpc_list(struct kernel *k, struct kernel_vpc **ret_vpcs, size_t *ret_n, struct vpc_err *err)
{
	int res = dump_begin(err);

	if (res)
		return res;
	*ret_vpcs = calloc(n_vpcs + 1, sizeof(**ret_vpcs));
	for (size_t i = 0; i < n_vpcs; i++)
		vpc_fill(&vpcs[i].state, &(*ret_vpcs)[i]);
	*ret_n = n_vpcs;
	return 0;
}

static void port_copy(struct vpc_port *to, const struct vpc_port *from)
{
	*to = *from;
	to->addrs = NULL;
	if (!from->n_addrs)
		return;
	to->addrs = calloc(from->n_addrs, sizeof(*to->addrs));
	memcpy(to->addrs, from->addrs, from->n_addrs * sizeof(*to->addrs));
}

static const struct vpc_port *address_owner(const struct vpc_port *port)
{
	for (size_t i = 0; i < n_ports; i++) {
		if (ports[i].vni != port->vni || !strcmp(ports[i].dev, port->dev))
			continue;
		for (size_t a = 0; a < ports[i].n_addrs; a++)
			for (size_t b = 0; b < port->n_addrs; b++)
				if (!vpc_prefix_cmp(&ports[i].addrs[a], &port->addrs[b]))
					return &ports[i];
	}
	return NULL;
}

int kernel_port_set(struct kernel *k, const struct vpc_port *port, struct vpc_err *err)
{
	const struct vpc_port *there = fake_kernel_port(port->dev), *owner = address_owner(port);

	fake_calls.port_set++;
	if (!present)
		return gone(err);
	if (!fake_kernel_vpc(port->vni))
		return vpc_err_set(err, -ENOENT, "port %s: no VPC %u", port->dev, port->vni);
	if (there && there->vni != port->vni)
		return vpc_err_set(err, -EBUSY, "port %s is in VPC %u", port->dev, there->vni);
	if (port->flags & FAKE_PORT_F_REFUSED)
		return vpc_err_set(err, -EINVAL, "port %s: unknown flags", port->dev);
	if (owner)
		return vpc_err_set(err, -EEXIST, "port %s: port %s has the address", port->dev, owner->dev);
	if (there)
		port_remove(there - ports);
	port_copy(&ports[n_ports++], port);
	return 0;
}

int kernel_port_del(struct kernel *k, const char *dev, struct vpc_err *err)
{
	const struct vpc_port *port = fake_kernel_port(dev);

	fake_calls.port_del++;
	if (!present || !port)
		return present ? vpc_err_set(err, -ENOENT, "no port %s", dev) : gone(err);
	port_remove(port - ports);
	return 0;
}

int kernel_port_list(struct kernel *k, struct kernel_port **ret_ports, size_t *ret_n, struct vpc_err *err)
{
	int res = dump_begin(err);

	if (res)
		return res;
	*ret_ports = calloc(n_ports + 1, sizeof(**ret_ports));
	for (size_t i = 0; i < n_ports; i++) {
		port_copy(&(*ret_ports)[i].conf, &ports[i]);
		(*ret_ports)[i].conf.id = 0;
	}
	*ret_n = n_ports;
	return 0;
}

void kernel_ports_free(struct kernel_port *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vpc_port_clear(&list[i].conf);
	free(list);
}

/* @next: owned. The running digest moves by what was added and taken away, so that a skewed one stays skewed. */
static int commit(struct vpc_state *state, struct vpc_state *next, bool afresh, const struct vpc_digest *want,
		  struct vpc_err *err)
{
	struct vpc_digest before = vpc_digest_of_state(state), after = vpc_digest_of_state(next);

	if (!afresh) {
		after.h[0] += state->digest.h[0] - before.h[0];
		after.h[1] += state->digest.h[1] - before.h[1];
	}
	if (!vpc_digest_equal(&after, want)) {
		vpc_state_clear(next);
		return vpc_err_set(err, -EBADMSG, "VPC %u: another digest", state->vni);
	}
	vpc_state_clear(state);
	*state = *next;
	state->digest = after;
	return 0;
}

static int refused(struct vpc_err *err)
{
	if (!present)
		return gone(err);
	if (!refuse_times)
		return 0;
	refuse_times--;
	return vpc_err_set(err, refuse_code, "refused by the test");
}

int kernel_apply(struct kernel *k, const struct vpc_delta *deltas, size_t n, struct vpc_err *err)
{
	TABLES_LOCK();
	struct vpc_state *state = fake_kernel_vpc(deltas->vni), next;
	int res = refused(err);

	fake_calls.apply++;
	fake_calls.apply_ops = 0;
	for (size_t i = 0; i < n; i++)
		fake_calls.apply_ops += deltas[i].n_nexthops + deltas[i].n_members + deltas[i].n_routes;
	if (res)
		return res;
	if (!state || state->epoch != deltas->base)
		return vpc_err_set(err, -ESTALE, "VPC %u: another epoch", deltas->vni);
	vpc_state_init(&next, deltas->vni);
	state_copy(&next, state);
	for (size_t i = 0; i < n && !res; i++)
		res = vpc_state_apply(&next, &deltas[i], err);
	if (!res)
		res = vpc_state_check(&next, err);
	if (res) {
		vpc_state_clear(&next);
		return res;
	}
	return commit(state, &next, false, &deltas[n - 1].digest, err);
}

int kernel_replace(struct kernel *k, const struct vpc_state *state, const uint64_t *base, const char *change,
		   struct vpc_err *err)
{
	TABLES_LOCK();
	struct vpc_state *there = fake_kernel_vpc(state->vni), next;
	int res = refused(err);

	fake_calls.replace++;
	if (res)
		return res;
	if (!there || (base && there->epoch != *base) || there->epoch > state->epoch)
		return vpc_err_set(err, -ESTALE, "VPC %u: another epoch", state->vni);
	vpc_state_init(&next, state->vni);
	state_copy(&next, state);
	return commit(there, &next, true, &state->digest, err);
}

int kernel_dump(struct kernel *k, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err)
{
	TABLES_LOCK();
	struct vpc_state *state = fake_kernel_vpc(vni);
	int res = dump_begin(err);

	fake_calls.dump++;
	if (!res && content_code) {
		res = vpc_err_set(err, content_code, "VPC %u: no content", vni);
		content_code = 0;
	}
	if (res || !state)
		return res ?: vpc_err_set(err, -ENOENT, "no VPC %u", vni);
	vpc_state_init(ret_state, vni);
	state_copy(ret_state, state);
	if (after_dump) {
		void (*fn)(void) = after_dump;

		after_dump = NULL;
		fn();
	}
	return 0;
}

int kernel_verify(struct kernel *k, uint32_t vni, struct kernel_vpc *ret_vpc, struct vpc_digest *ret_found,
		  struct vpc_err *err)
{
	int res = kernel_vpc_get(k, vni, ret_vpc, err);

	if (res)
		return res;
	*ret_found = vpc_digest_of_state(fake_kernel_vpc(vni));
	ret_vpc->faults = verify_faults;
	return 0;
}

/* Tables as they are, one lookup after the other, as far as a nexthop that is not local. */
int kernel_explain(struct kernel *k, const struct kernel_lookup *lookup, struct kernel_explain *ret,
		   struct vpc_err *err)
{
	const struct vpc_port *port;
	const struct vpc_state *state;
	const struct vpc_nl_nexthop *nh = NULL;
	uint32_t table;

	if (on_explain)
		on_explain();
	port = fake_kernel_port(lookup->ifname);
	state = port ? fake_kernel_vpc(port->vni) : NULL;
	if (!present || !state)
		return present ? vpc_err_set(err, -ENOENT, "no port %s", lookup->ifname) : gone(err);
	*ret = (struct kernel_explain){ .verdict = VPC_VERDICT_DROP, .reason = VPC_DROP_NO_ROUTE };
	table = port->table;
	do {
		struct kernel_step *step = &ret->steps[ret->n_steps++];
		const struct vpc_route *best = NULL;

		*step = (struct kernel_step){ .step = VPC_STEP_ROUTE, .has_table = true, .table = table };
		for (size_t i = 0; i < state->n_routes; i++)
			if (state->routes[i].table == table &&
			    vpc_prefix_has_addr(&state->routes[i].prefix, &lookup->dst) &&
			    (!best || best->prefix.plen < state->routes[i].prefix.plen))
				best = &state->routes[i];
		if (!best)
			return 0;
		step->has_prefix = step->ok = true;
		step->prefix = best->prefix;
		nh = vpc_state_find_nexthop(state, best->nexthop);
		ret->steps[ret->n_steps++] = (struct kernel_step){
			.step = VPC_STEP_NEXTHOP, .ok = true, .has_nexthop = true, .nexthop = *nh
		};
		if (!table)
			break;
		table = 0;
	} while (nh->type == VPC_NEXTHOP_LOCAL);
	ret->reason = nh->type == VPC_NEXTHOP_BLACKHOLE ? VPC_DROP_BLACKHOLE :
		      nh->type == VPC_NEXTHOP_PROHIBIT	? VPC_DROP_PROHIBIT :
							  VPC_DROP_NO_UNDERLAY;
	return 0;
}

int kernel_events_without(struct kernel *k, enum vpc_event event, struct vpc_err *err)
{
	return 0;
}

int kernel_events_join(struct kernel *k, struct vpc_err *err)
{
	k->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event_socket = k;
	return 0;
}

int kernel_fd(struct kernel *k)
{
	return k->fd;
}

int kernel_event_next(struct kernel *k, struct kernel_event *ret_event, struct vpc_err *err)
{
	eventfd_t value;

	if (events_lost) {
		events_lost = false;
		return vpc_err_set(err, -ENOBUFS, "events were lost");
	}
	if (!n_events) {
		eventfd_read(k->fd, &value);
		return -EAGAIN;
	}
	*ret_event = events[0];
	memmove(events, events + 1, --n_events * sizeof(*events));
	return 0;
}
