// SPDX-License-Identifier: Apache-2.0
/*
 * The text of `vpcctl kernel save` back into a state (kstate.h), for `vpcctl kernel restore`. A million lines of routes
 * are ordinary: a line is split in place in one buffer, and nothing is allocated for it.
 *
 * Lines are checked alone as they come, their sum at the end. What is wrong with the sum is said of an element, whose
 * line is then looked for.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "kstate.h"
#include "util.h"

#define LINE_MAX_LEN 8192
/* The most that a line has: VPC_PORT_ADDRS_MAX addresses of a port, each behind its keyword, and the rest of it. */
#define WORDS_MAX (2 * VPC_PORT_ADDRS_MAX + 24)

/**
 * struct parser - one pass over the text
 * @vpc: the VPC of the last line: neighbours mostly share theirs
 * @given: digests as the vpc lines have them, by the VPC's position; @has: whether they do
 * @word: the current line's; @pos: the next to be read
 */
struct parser {
	const char *name;
	unsigned int line;
	struct kstate ks;
	size_t vpc;
	struct vpc_digest *given;
	unsigned int *lines;
	bool *has;
	struct vpc_err *err;
	char buf[LINE_MAX_LEN + 1];
	char *word[WORDS_MAX];
	unsigned int n_words, pos;
};

/* -- words --------------------------------------------------------------------------------------------------------- */

static int bad(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(struct parser *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return vpc_err_set(p->err, -EINVAL, "%s:%u: %s", p->name, p->line, text);
}

/* What a parser of lib/addr.h said. */
static int bad_said(struct parser *p, int r)
{
	return vpc_err_prefix(p->err, r, "%s:%u", p->name, p->line);
}

static bool more(const struct parser *p)
{
	return p->pos < p->n_words;
}

/* The next word; NULL, and said so, when there is none. */
static const char *next_word(struct parser *p, const char *what)
{
	if (more(p))
		return p->word[p->pos++];
	bad(p, "%s is missing behind '%.64s'", what, p->word[p->n_words - 1]);
	return NULL;
}

static bool digits_read(const char *word, uint64_t *ret)
{
	uint64_t value = 0;

	if (!*word)
		return false;
	for (; *word; word++) {
		unsigned int digit = (unsigned char)*word - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

static int next_number(struct parser *p, const char *what, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *word = next_word(p, what);
	uint64_t value;

	if (!word)
		return -EINVAL;
	if (!digits_read(word, &value))
		return bad(p, "%s '%.64s' is not a number", what, word);
	if (value < min || value > max)
		return bad(p, "%s %.64s is out of range: %llu to %llu", what, word, (unsigned long long)min,
			   (unsigned long long)max);
	*ret = value;
	return 0;
}

static int next_u32(struct parser *p, const char *what, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t value;
	int r = next_number(p, what, min, max, &value);

	if (!r)
		*ret = value;
	return r;
}

static int next_addr(struct parser *p, const char *what, uint8_t family, struct vpc_addr *ret)
{
	const char *word = next_word(p, what);
	struct vpc_addr addr;
	int r;

	if (!word)
		return -EINVAL;
	r = vpc_addr_parse(word, &addr, p->err);
	if (r)
		return bad_said(p, r);
	if (family && addr.family != family)
		return bad(p, "%s '%.64s' is not an IPv%c address", what, word, family == AF_INET ? '4' : '6');
	*ret = addr;
	return 0;
}

static int next_prefix(struct parser *p, const char *what, struct vpc_prefix *ret)
{
	const char *word = next_word(p, what);
	int r;

	if (!word)
		return -EINVAL;
	r = vpc_prefix_parse(word, ret, p->err);
	return r ? bad_said(p, r) : 0;
}

static int next_mac(struct parser *p, uint8_t ret[6])
{
	const char *word = next_word(p, "MAC");
	int r;

	if (!word)
		return -EINVAL;
	r = vpc_mac_parse(word, ret, p->err);
	return r ? bad_said(p, r) : 0;
}

/* Keywords of one line, each at most once. @i: its place in @names. */
static int next_keyword(struct parser *p, const char *const *names, unsigned int n, unsigned int *seen,
			unsigned int *ret)
{
	const char *word = p->word[p->pos++];
	unsigned int i = 0;

	while (i < n && strcmp(word, names[i]))
		i++;
	if (i == n)
		return bad(p, "unknown word '%.64s'", word);
	if (*seen & 1U << i)
		return bad(p, "'%s' is given twice", word);
	*seen |= 1U << i;
	*ret = i;
	return 0;
}

static int no_more(struct parser *p)
{
	return more(p) ? bad(p, "unknown word '%.64s'", p->word[p->pos]) : 0;
}

/* -- host and vpc -------------------------------------------------------------------------------------------------- */

static int line_host(struct parser *p)
{
	static const char *const names[] = { "vtep4", "vtep6", "port" };
	struct kstate *ks = &p->ks;
	unsigned int seen = 0, i = 0;
	uint32_t udp_port = VPC_UDP_PORT;
	int r = 0;

	if (ks->has_host)
		return bad(p, "a second 'host'");
	while (!r && more(p)) {
		r = next_keyword(p, names, ARRAY_SIZE(names), &seen, &i);
		if (r)
			return r;
		if (i == 0)
			r = next_addr(p, "VTEP", AF_INET, &ks->vtep4);
		else if (i == 1)
			r = next_addr(p, "VTEP", AF_INET6, &ks->vtep6);
		else
			r = next_u32(p, "port", 1, UINT16_MAX, &udp_port);
	}
	if (r)
		return r;
	if (!ks->vtep4.family && !ks->vtep6.family)
		return bad(p, "'host' needs vtep4 or vtep6");
	ks->has_host = true;
	ks->udp_port = udp_port;
	return 0;
}

static int next_digest(struct parser *p, struct vpc_digest *ret)
{
	const char *word = next_word(p, "digest");

	if (!word)
		return -EINVAL;
	return vpc_digest_parse(word, ret) ? bad(p, "digest '%.64s' is not 32 hex digits", word) : 0;
}

/* Room for one more VPC in the array and in what goes with it. */
static int grow_vpcs(struct parser *p)
{
	size_t cap = p->ks.cap_vpcs ? 2 * p->ks.cap_vpcs : 16;
	struct kstate_vpc *vpcs;
	struct vpc_digest *given;
	unsigned int *lines;
	bool *has;

	if (p->ks.n_vpcs < p->ks.cap_vpcs)
		return 0;
	vpcs = reallocarray(p->ks.vpcs, cap, sizeof(*vpcs));
	if (vpcs)
		p->ks.vpcs = vpcs;
	given = reallocarray(p->given, cap, sizeof(*given));
	if (given)
		p->given = given;
	lines = reallocarray(p->lines, cap, sizeof(*lines));
	if (lines)
		p->lines = lines;
	has = reallocarray(p->has, cap, sizeof(*has));
	if (has)
		p->has = has;
	if (!vpcs || !given || !lines || !has)
		return vpc_err_set(p->err, -ENOMEM, "out of memory");
	p->ks.cap_vpcs = cap;
	return 0;
}

/* The VPC of a line about its content: its own line must be above. */
static int find_vpc(struct parser *p, uint32_t vni)
{
	size_t i;

	if (p->vpc < p->ks.n_vpcs && p->ks.vpcs[p->vpc].state.vni == vni)
		return 0;
	for (i = 0; i < p->ks.n_vpcs && p->ks.vpcs[i].state.vni != vni; i++)
		;
	if (i == p->ks.n_vpcs)
		return bad(p, "VPC %u has no line 'vpc %u' above", vni, vni);
	p->vpc = i;
	return 0;
}

static int next_vpc(struct parser *p, uint32_t *ret_vni)
{
	int r = next_u32(p, "VNI", 1, VPC_VNI_MAX, ret_vni);

	return r ?: find_vpc(p, *ret_vni);
}

static int line_vpc(struct parser *p)
{
	static const char *const names[] = { "epoch", "digest", "quota", "strict" };
	unsigned int seen = 0, i = 0;
	struct kstate_vpc *vpc;
	uint32_t vni;
	size_t at;
	int r = next_u32(p, "VNI", 1, VPC_VNI_MAX, &vni);

	if (!r)
		r = grow_vpcs(p);
	if (r)
		return r;
	for (at = 0; at < p->ks.n_vpcs; at++)
		if (p->ks.vpcs[at].state.vni == vni)
			return bad(p, "a second 'vpc %u'", vni);
	vpc = &p->ks.vpcs[at];
	*vpc = (struct kstate_vpc){ 0 };
	vpc_state_init(&vpc->state, vni);
	while (!r && more(p)) {
		r = next_keyword(p, names, ARRAY_SIZE(names), &seen, &i);
		if (r)
			return r;
		if (i == 0)
			r = next_number(p, "epoch", 0, INT64_MAX, &vpc->state.epoch);
		else if (i == 1)
			r = next_digest(p, &p->given[at]);
		else if (i == 2)
			r = next_number(p, "quota", 0, UINT64_MAX, &vpc->quota);
		else
			vpc->flags |= VPC_F_STRICT;
	}
	if (r)
		return r;
	vpc->has_epoch = seen & 1;
	p->has[at] = seen & 2;
	p->lines[at] = p->line;
	p->ks.n_vpcs++;
	p->vpc = at;
	return 0;
}

/* -- content ------------------------------------------------------------------------------------------------------- */

static int line_nexthop_peer(struct parser *p, struct vpc_nl_nexthop *nh)
{
	static const char *const names[] = { "table" };
	unsigned int seen = 0, i;
	int r = next_u32(p, "peer VNI", 1, VPC_VNI_MAX, &nh->vni);

	while (!r && more(p)) {
		r = next_keyword(p, names, ARRAY_SIZE(names), &seen, &i);
		if (!r)
			r = next_u32(p, "table", 0, VPC_TABLES_MAX - 1, &nh->table);
	}
	return r;
}

static int line_nexthop_vtep(struct parser *p, struct vpc_nl_nexthop *nh)
{
	static const char *const names[] = { "vni", "mac" };
	unsigned int seen = 0, i = 0;
	struct vpc_addr vtep;
	int r = next_addr(p, "VTEP", 0, &vtep);

	if (r)
		return r;
	nh->family = vtep.family;
	memcpy(nh->addr, vtep.bytes, sizeof(nh->addr));
	while (!r && more(p)) {
		r = next_keyword(p, names, ARRAY_SIZE(names), &seen, &i);
		if (!r)
			r = i ? next_mac(p, nh->mac) : next_u32(p, "VNI", 0, VPC_VNI_MAX, &nh->vni);
	}
	return r;
}

static int line_nexthop(struct parser *p)
{
	struct vpc_nl_nexthop nh = { .op = VPC_OP_SET };
	const char *type, *fault;
	uint32_t vni;
	int r = next_vpc(p, &vni);

	if (!r)
		r = next_u32(p, "nexthop", 1, UINT32_MAX, &nh.id);
	if (r)
		return r;
	type = next_word(p, "type");
	if (!type)
		return -EINVAL;
	if (vpc_nexthop_type_parse(type, &nh.type))
		return bad(p, "unknown type of nexthop '%.64s'", type);
	if (nh.type == VPC_NEXTHOP_PEER)
		r = line_nexthop_peer(p, &nh);
	else if (nh.type == VPC_NEXTHOP_HOST || nh.type == VPC_NEXTHOP_GATEWAY)
		r = line_nexthop_vtep(p, &nh);
	if (!r)
		r = no_more(p);
	if (r)
		return r;
	fault = vpc_nexthop_fault(&nh);
	if (fault)
		return bad(p, "nexthop %u: %s", nh.id, fault);
	r = vpc_state_add_nexthop(&p->ks.vpcs[p->vpc].state, &nh);
	return r ? vpc_err_set(p->err, r, "out of memory") : 0;
}

static int line_member(struct parser *p)
{
	static const char *const names[] = { "weight" };
	struct vpc_nl_member member = { .op = VPC_OP_SET };
	unsigned int seen = 0, i;
	uint32_t vni, weight = 1;
	int r = next_vpc(p, &vni);

	if (!r)
		r = next_u32(p, "group", 1, UINT32_MAX, &member.group);
	if (!r)
		r = next_u32(p, "nexthop", 1, UINT32_MAX, &member.nexthop);
	while (!r && more(p)) {
		r = next_keyword(p, names, ARRAY_SIZE(names), &seen, &i);
		if (!r)
			r = next_u32(p, "weight", 1, VPC_WEIGHT_MAX, &weight);
	}
	if (r)
		return r;
	member.weight = weight;
	r = vpc_state_add_member(&p->ks.vpcs[p->vpc].state, &member);
	return r ? vpc_err_set(p->err, r, "out of memory") : 0;
}

static int line_route(struct parser *p)
{
	struct vpc_route route = { 0 };
	uint32_t vni;
	int r = next_vpc(p, &vni);

	if (!r)
		r = next_u32(p, "table", 0, UINT32_MAX, &route.table);
	if (!r)
		r = next_prefix(p, "prefix", &route.prefix);
	if (!r)
		r = next_u32(p, "nexthop", 1, UINT32_MAX, &route.nexthop);
	if (!r)
		r = no_more(p);
	if (r)
		return r;
	r = vpc_state_add_route(&p->ks.vpcs[p->vpc].state, &route);
	return r ? vpc_err_set(p->err, r, "out of memory") : 0;
}

/* -- ports --------------------------------------------------------------------------------------------------------- */

/* As the kernel has it: not a group's address, not the router's, not 0. */
static int check_port_mac(struct parser *p, const uint8_t mac[6])
{
	static const uint8_t router[6] = VPC_ROUTER_MAC, none[6];
	char text[VPC_MAC_STRLEN];

	if (mac[0] & 1 || !memcmp(mac, none, sizeof(none)) || !memcmp(mac, router, sizeof(router)))
		return bad(p, "MAC '%s' cannot be a port's", vpc_mac_format(mac, text));
	return 0;
}

static int next_subnet6(struct parser *p, struct vpc_prefix *ret)
{
	char text[VPC_PREFIX_STRLEN];
	int r = next_prefix(p, "subnet", ret);

	if (!r && ret->family != AF_INET6)
		return bad(p, "subnet6 '%s' is not an IPv6 prefix", vpc_prefix_format(ret, text));
	return r;
}

/* The words behind the device. @addrs: room for VPC_PORT_ADDRS_MAX. */
static int port_words(struct parser *p, struct vpc_port *port, struct vpc_prefix *addrs, unsigned int *ret_seen)
{
	enum { VPC, MAC, TABLE, ADDR, GATEWAY4, GATEWAY6, SUBNET6, NO_SOURCE_CHECK };
	static const char *const names[] = { [VPC] = "vpc",		[MAC] = "mac",
					     [TABLE] = "table",		[ADDR] = "addr",
					     [GATEWAY4] = "gateway4",	[GATEWAY6] = "gateway6",
					     [SUBNET6] = "subnet6",	[NO_SOURCE_CHECK] = "no-source-check" };
	unsigned int i = 0;
	int r = 0;

	while (!r && more(p)) {
		*ret_seen &= ~(1U << ADDR);
		r = next_keyword(p, names, ARRAY_SIZE(names), ret_seen, &i);
		if (r)
			return r;
		if (i == VPC)
			r = next_vpc(p, &port->vni);
		else if (i == MAC)
			r = next_mac(p, port->mac) ?: check_port_mac(p, port->mac);
		else if (i == TABLE)
			r = next_u32(p, "table", 0, UINT32_MAX, &port->table);
		else if (i == GATEWAY4)
			r = next_addr(p, "gateway", AF_INET, &port->gateway4);
		else if (i == GATEWAY6)
			r = next_addr(p, "gateway", AF_INET6, &port->gateway6);
		else if (i == SUBNET6)
			r = next_subnet6(p, &port->subnet6);
		else if (i == NO_SOURCE_CHECK)
			port->flags |= VPC_PORT_F_NO_SOURCE_CHECK;
		else if (port->n_addrs == VPC_PORT_ADDRS_MAX)
			r = bad(p, "more than %d times 'addr'", VPC_PORT_ADDRS_MAX);
		else
			r = next_prefix(p, "address", &addrs[port->n_addrs++]);
	}
	return r;
}

static int add_port(struct parser *p, struct vpc_port *port, const struct vpc_prefix *addrs)
{
	struct kstate *ks = &p->ks;
	size_t cap = ks->cap_ports ? 2 * ks->cap_ports : 16;
	struct vpc_port *ports;

	if (ks->n_ports == ks->cap_ports) {
		ports = reallocarray(ks->ports, cap, sizeof(*ports));
		if (!ports)
			return vpc_err_set(p->err, -ENOMEM, "out of memory");
		ks->ports = ports;
		ks->cap_ports = cap;
	}
	if (port->n_addrs) {
		port->addrs = malloc(port->n_addrs * sizeof(*addrs));
		if (!port->addrs)
			return vpc_err_set(p->err, -ENOMEM, "out of memory");
		memcpy(port->addrs, addrs, port->n_addrs * sizeof(*addrs));
	}
	/* While it is being read, id is the line. */
	port->id = p->line;
	ks->ports[ks->n_ports++] = *port;
	return 0;
}

static int line_port(struct parser *p)
{
	struct vpc_prefix addrs[VPC_PORT_ADDRS_MAX];
	struct vpc_port port = { 0 };
	unsigned int seen = 0;
	const char *dev = next_word(p, "device");
	int r;

	if (!dev)
		return -EINVAL;
	if (strlen(dev) >= sizeof(port.dev) || strpbrk(dev, "/:") || !strcmp(dev, ".") || !strcmp(dev, ".."))
		return bad(p, "'%.64s' is not a device's name", dev);
	strcpy(port.dev, dev);
	r = port_words(p, &port, addrs, &seen);
	if (r)
		return r;
	if (!(seen & 1) || !(seen & 2))
		return bad(p, "port %s needs '%s'", port.dev, seen & 1 ? "mac" : "vpc");
	return add_port(p, &port, addrs);
}

/* -- the sum ------------------------------------------------------------------------------------------------------- */

static int port_dev_cmp(const void *a, const void *b)
{
	const struct vpc_port *x = a, *y = b;
	int cmp = strcmp(x->dev, y->dev);

	return cmp ? cmp : x->id < y->id ? -1 : 1;
}

struct port_addr {
	const struct vpc_port *port;
	const struct vpc_prefix *addr;
};

static int port_addr_cmp(const void *a, const void *b)
{
	const struct port_addr *x = a, *y = b;

	if (x->port->vni != y->port->vni)
		return x->port->vni < y->port->vni ? -1 : 1;
	return vpc_prefix_cmp(x->addr, y->addr);
}

/* An address is one port's. */
static int check_port_addrs(struct parser *p)
{
	_cleanup_free_ struct port_addr *all = NULL;
	char text[VPC_PREFIX_STRLEN];
	size_t n = 0;

	for (size_t i = 0; i < p->ks.n_ports; i++)
		n += p->ks.ports[i].n_addrs;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return vpc_err_set(p->err, -ENOMEM, "out of memory");
	n = 0;
	for (size_t i = 0; i < p->ks.n_ports; i++)
		for (size_t j = 0; j < p->ks.ports[i].n_addrs; j++)
			all[n++] = (struct port_addr){ &p->ks.ports[i], &p->ks.ports[i].addrs[j] };
	qsort(all, n, sizeof(*all), port_addr_cmp);
	for (size_t i = 1; i < n; i++) {
		const struct vpc_port *a = all[i - 1].port, *b = all[i].port;

		if (port_addr_cmp(&all[i - 1], &all[i]))
			continue;
		p->line = a->id > b->id ? a->id : b->id;
		return bad(p, "address %s of VPC %u is given twice", vpc_prefix_format(all[i].addr, text), b->vni);
	}
	return 0;
}

static int check_ports(struct parser *p)
{
	struct kstate *ks = &p->ks;
	int r;

	if (ks->n_ports)
		qsort(ks->ports, ks->n_ports, sizeof(*ks->ports), port_dev_cmp);
	for (size_t i = 1; i < ks->n_ports; i++)
		if (!strcmp(ks->ports[i - 1].dev, ks->ports[i].dev)) {
			p->line = ks->ports[i].id;
			return bad(p, "a second 'port %s'", ks->ports[i].dev);
		}
	r = check_port_addrs(p);
	for (size_t i = 0; i < ks->n_ports; i++)
		ks->ports[i].id = 0;
	return r;
}

/* Whether what vpc_state_sort() or vpc_state_check() said begins with the element of the current line. */
static bool line_is_meant(const struct parser *p, const char *said)
{
	const struct vpc_state *state;
	char text[VPC_PREFIX_STRLEN], element[128];
	size_t len;

	if (!p->ks.n_vpcs)
		return false;
	state = &p->ks.vpcs[p->vpc].state;
	if (!strcmp(p->word[0], "nexthop"))
		snprintf(element, sizeof(element), "VPC %u: nexthop %u", state->vni,
			 state->nexthops[state->n_nexthops - 1].id);
	else if (!strcmp(p->word[0], "member"))
		snprintf(element, sizeof(element), "VPC %u: member %u of group %u", state->vni,
			 state->members[state->n_members - 1].nexthop, state->members[state->n_members - 1].group);
	else if (!strcmp(p->word[0], "route"))
		snprintf(element, sizeof(element), "VPC %u: route %s in table %u", state->vni,
			 vpc_prefix_format(&state->routes[state->n_routes - 1].prefix, text),
			 state->routes[state->n_routes - 1].table);
	else
		return false;
	len = strlen(element);
	return !strncmp(said, element, len) && (said[len] == ':' || said[len] == ' ');
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

/* Copies a line and cuts it at blanks. */
static int split(struct parser *p, const char *line, size_t len)
{
	char *pos = p->buf;

	p->n_words = p->pos = 0;
	if (len > LINE_MAX_LEN)
		return bad(p, "a line of %zu characters, at most %d are allowed", len, LINE_MAX_LEN);
	if (memchr(line, 0, len))
		return bad(p, "a NUL character");
	memcpy(p->buf, line, len);
	p->buf[len] = 0;
	for (;;) {
		pos += strspn(pos, " \t\r");
		if (!*pos || (!p->n_words && *pos == '#'))
			return 0;
		if (p->n_words == WORDS_MAX)
			return bad(p, "more than %d words", WORDS_MAX);
		p->word[p->n_words++] = pos;
		pos += strcspn(pos, " \t\r");
		if (*pos)
			*pos++ = 0;
	}
}

static int parse_line(struct parser *p, const char *line, size_t len)
{
	static const struct {
		const char *word;
		int (*parse)(struct parser *p);
	} lines[] = {
		{ "route", line_route }, { "nexthop", line_nexthop }, { "member", line_member },
		{ "port", line_port },	 { "vpc", line_vpc },	      { "host", line_host },
	};
	int r = split(p, line, len);

	if (r || !p->n_words)
		return r;
	p->pos = 1;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strcmp(p->word[0], lines[i].word))
			return lines[i].parse(p);
	return bad(p, "unknown word '%.64s'", p->word[0]);
}

/* Every line; with @said, until the last one that it speaks of: that becomes @ret_line. */
static int parse_lines(struct parser *p, const char *text, size_t len, const char *said, unsigned int *ret_line)
{
	const char *end = text + len, *eol;
	int r = 0;

	for (; !r && text < end; text = eol + 1) {
		eol = memchr(text, '\n', end - text);
		if (!eol)
			eol = end;
		p->line++;
		r = parse_line(p, text, eol - text);
		if (!r && said && p->n_words && line_is_meant(p, said))
			*ret_line = p->line;
	}
	return r;
}

static void parser_clear(struct parser *p)
{
	kstate_clear(&p->ks);
	free(p->given);
	free(p->lines);
	free(p->has);
}

/* The line of what @err says, read again as far as it goes; the last one, when it is there twice. */
static int blame_line(const char *name, const char *text, size_t len, int code, struct vpc_err *err)
{
	struct parser *p = calloc(1, sizeof(*p));
	struct vpc_err skip, said = *err;
	unsigned int line = 0;

	if (!p)
		return code;
	p->name = name;
	p->err = &skip;
	parse_lines(p, text, len, said.text, &line);
	parser_clear(p);
	free(p);
	return line ? vpc_err_set(err, code, "%s:%u: %s", name, line, said.text) :
		      vpc_err_prefix(err, code, "%s", name);
}

static int finish_vpc(struct parser *p, size_t at, const char *text, size_t len)
{
	struct vpc_state *state = &p->ks.vpcs[at].state;
	char want[VPC_DIGEST_STRLEN], have[VPC_DIGEST_STRLEN];
	struct vpc_err said = { "" };
	int r = vpc_state_sort(state, &said);

	if (!r)
		r = vpc_state_check(state, &said);
	if (r) {
		blame_line(p->name, text, len, r, &said);
		return vpc_err_set(p->err, -EINVAL, "%s", said.text);
	}
	state->digest = vpc_digest_of_state(state);
	if (p->has[at] && !vpc_digest_equal(&state->digest, &p->given[at]))
		return vpc_err_set(p->err, -EBADMSG, "%s:%u: VPC %u: its content has digest %s, not %s", p->name,
				   p->lines[at], state->vni, vpc_digest_format(&state->digest, have),
				   vpc_digest_format(&p->given[at], want));
	return 0;
}

static int vpc_cmp(const void *a, const void *b)
{
	uint32_t x = ((const struct kstate_vpc *)a)->state.vni, y = ((const struct kstate_vpc *)b)->state.vni;

	return x < y ? -1 : x > y;
}

int kstate_parse(const char *name, const char *text, size_t len, struct kstate *ret, struct vpc_err *err)
{
	struct parser *p = calloc(1, sizeof(*p));
	struct vpc_err local;
	int r;

	if (!p)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	kstate_init(&p->ks);
	p->name = name;
	p->err = err ? err : &local;
	r = parse_lines(p, text, len, NULL, NULL);
	for (size_t i = 0; !r && i < p->ks.n_vpcs; i++)
		r = finish_vpc(p, i, text, len);
	if (!r)
		r = check_ports(p);
	if (!r) {
		if (p->ks.n_vpcs)
			qsort(p->ks.vpcs, p->ks.n_vpcs, sizeof(*p->ks.vpcs), vpc_cmp);
		*ret = p->ks;
		kstate_init(&p->ks);
	}
	parser_clear(p);
	free(p);
	return r;
}
