-- SPDX-License-Identifier: Apache-2.0
--
-- CDB: what the customers asked for, and the history of it. Compiled into vpcctl, which creates and upgrades it
-- (`vpcctl db init`, lib/cdb_init.c). Written by lib/cdb_change.c and lib/intent*.c, one transaction a change; read by
-- vpc_publisher and vpc_reconcile (lib/cdb_read.c).
--
-- Each "version N" line begins a step; a step that was released is never changed, later ones are added at the end.
-- Statements are separated by blank lines, and each can be run again, so that an interrupted step is simply repeated.
--
-- Families are 4 and 6. Addresses are 4 or 16 bytes in network byte order, so that they sort as the model sorts them.
-- Numbers of enum columns are those of proto/vpc_genl.h; the canonical bytes in change_op those of proto/vpc_canon.h.

-- version 1

CREATE TABLE IF NOT EXISTS schema_version (
	version INT UNSIGNED NOT NULL PRIMARY KEY,
	applied TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Its row is the lock of the whole VPC: every change begins with SELECT ... FOR UPDATE on it.
CREATE TABLE IF NOT EXISTS vpc (
	vni INT UNSIGNED NOT NULL PRIMARY KEY,
	name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	epoch BIGINT UNSIGNED NOT NULL DEFAULT 0,
	digest0 BIGINT UNSIGNED NOT NULL DEFAULT 0,
	digest1 BIGINT UNSIGNED NOT NULL DEFAULT 0,
	quota BIGINT UNSIGNED NOT NULL DEFAULT 0,
	change_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
	UNIQUE KEY vpc_name (name),
	CONSTRAINT vpc_vni CHECK (vni BETWEEN 1 AND 16777215),
	CONSTRAINT vpc_name_form CHECK (name REGEXP '^[A-Za-z][A-Za-z0-9_.-]*$'),
	CONSTRAINT vpc_epoch CHECK (epoch <= 9223372036854775807),
	CONSTRAINT vpc_quota CHECK (quota <= 9223372036854775807)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS vpc_range (
	vni INT UNSIGNED NOT NULL,
	family TINYINT UNSIGNED NOT NULL,
	addr VARBINARY(16) NOT NULL,
	plen TINYINT UNSIGNED NOT NULL,
	PRIMARY KEY (vni, family, addr),
	CONSTRAINT vpc_range_vpc FOREIGN KEY (vni) REFERENCES vpc (vni),
	CONSTRAINT vpc_range_family CHECK ((family = 4 AND LENGTH(addr) = 4 AND plen BETWEEN 1 AND 32)
		OR (family = 6 AND LENGTH(addr) = 16 AND plen BETWEEN 1 AND 128)),
	CONSTRAINT vpc_range_host_bits CHECK (CASE
		WHEN family = 4 THEN CAST(CONV(HEX(addr), 16, 10) AS UNSIGNED) & ~(~0 << (32 - plen)) & 0xffffffff
		WHEN plen >= 64 THEN CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (128 - plen))
		ELSE CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED)
			| CAST(CONV(HEX(LEFT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (64 - plen)) END = 0)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Table 0 is the mapping, made from the ports; 1.. are the customer's.
CREATE TABLE IF NOT EXISTS route_table (
	vni INT UNSIGNED NOT NULL,
	id INT UNSIGNED NOT NULL,
	name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (vni, id),
	UNIQUE KEY route_table_name (vni, name),
	CONSTRAINT route_table_vpc FOREIGN KEY (vni) REFERENCES vpc (vni),
	CONSTRAINT route_table_id CHECK (id <= 1023),
	CONSTRAINT route_table_name_form CHECK (name REGEXP '^[A-Za-z][A-Za-z0-9_.-]*$')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Ids 1..0x7fffffff are the customer's, 0x80000000 is "local", 0x80000000|host.id is a host (lib/model.h).
CREATE TABLE IF NOT EXISTS nexthop (
	vni INT UNSIGNED NOT NULL,
	id INT UNSIGNED NOT NULL,
	type TINYINT UNSIGNED NOT NULL,
	family TINYINT UNSIGNED NOT NULL DEFAULT 0,
	vtep VARBINARY(16) NOT NULL DEFAULT '',
	nh_vni INT UNSIGNED NOT NULL DEFAULT 0,
	nh_table INT UNSIGNED NOT NULL DEFAULT 0,
	mac BINARY(6) NOT NULL DEFAULT x'000000000000',
	PRIMARY KEY (vni, id),
	UNIQUE KEY nexthop_by_id (id, vni),
	CONSTRAINT nexthop_vpc FOREIGN KEY (vni) REFERENCES vpc (vni),
	CONSTRAINT nexthop_id CHECK (id > 0),
	CONSTRAINT nexthop_type CHECK (type BETWEEN 1 AND 8 AND type <> 5),
	CONSTRAINT nexthop_system CHECK ((type = 1) = (id = 2147483648) AND (type = 2) = (id > 2147483648)),
	CONSTRAINT nexthop_vtep CHECK (CASE WHEN type IN (2, 3)
		THEN (family = 4 AND LENGTH(vtep) = 4) OR (family = 6 AND LENGTH(vtep) = 16)
		ELSE family = 0 AND LENGTH(vtep) = 0 AND mac = x'000000000000' END),
	CONSTRAINT nexthop_vtep_given CHECK (vtep NOT IN (x'00000000', x'00000000000000000000000000000000')),
	CONSTRAINT nexthop_vni CHECK (nh_vni <= 16777215 AND (nh_vni = 0 OR type IN (2, 3, 4)) AND (nh_vni > 0 OR type <> 4)),
	CONSTRAINT nexthop_table CHECK (nh_table <= 1023 AND (nh_table = 0 OR type = 4))
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The second key begins with nexthop: beginning with vni, the server would take it for the primary one whenever its
-- statistics are old, and read the whole VPC for each single route that is changed.
CREATE TABLE IF NOT EXISTS route (
	vni INT UNSIGNED NOT NULL,
	table_id INT UNSIGNED NOT NULL,
	family TINYINT UNSIGNED NOT NULL,
	addr VARBINARY(16) NOT NULL,
	plen TINYINT UNSIGNED NOT NULL,
	nexthop INT UNSIGNED NOT NULL,
	PRIMARY KEY (vni, table_id, family, addr, plen),
	KEY route_nexthop (nexthop, vni),
	CONSTRAINT route_table_fk FOREIGN KEY (vni, table_id) REFERENCES route_table (vni, id),
	CONSTRAINT route_nexthop_fk FOREIGN KEY (nexthop, vni) REFERENCES nexthop (id, vni),
	CONSTRAINT route_family CHECK ((family = 4 AND LENGTH(addr) = 4 AND plen BETWEEN 0 AND 32)
		OR (family = 6 AND LENGTH(addr) = 16 AND plen BETWEEN 0 AND 128)),
	CONSTRAINT route_host_bits CHECK (CASE
		WHEN family = 4 THEN CAST(CONV(HEX(addr), 16, 10) AS UNSIGNED) & ~(~0 << (32 - plen)) & 0xffffffff
		WHEN plen >= 64 THEN CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (128 - plen))
		ELSE CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED)
			| CAST(CONV(HEX(LEFT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (64 - plen)) END = 0)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS subnet (
	vni INT UNSIGNED NOT NULL,
	name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	family TINYINT UNSIGNED NOT NULL,
	addr VARBINARY(16) NOT NULL,
	plen TINYINT UNSIGNED NOT NULL,
	gateway VARBINARY(16) NOT NULL,
	table_id INT UNSIGNED NOT NULL,
	PRIMARY KEY (vni, name),
	UNIQUE KEY subnet_prefix (vni, family, addr),
	CONSTRAINT subnet_vpc FOREIGN KEY (vni) REFERENCES vpc (vni),
	CONSTRAINT subnet_table_fk FOREIGN KEY (vni, table_id) REFERENCES route_table (vni, id),
	CONSTRAINT subnet_name_form CHECK (name REGEXP '^[A-Za-z][A-Za-z0-9_.-]*$'),
	CONSTRAINT subnet_table CHECK (table_id >= 1),
	CONSTRAINT subnet_gateway CHECK (LENGTH(gateway) = LENGTH(addr)),
	CONSTRAINT subnet_family CHECK ((family = 4 AND LENGTH(addr) = 4 AND plen BETWEEN 1 AND 32)
		OR (family = 6 AND LENGTH(addr) = 16 AND plen BETWEEN 1 AND 128)),
	CONSTRAINT subnet_host_bits CHECK (CASE
		WHEN family = 4 THEN CAST(CONV(HEX(addr), 16, 10) AS UNSIGNED) & ~(~0 << (32 - plen)) & 0xffffffff
		WHEN plen >= 64 THEN CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (128 - plen))
		ELSE CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED)
			| CAST(CONV(HEX(LEFT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (64 - plen)) END = 0)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The id makes the nexthop id, so it is signed: 1..0x7fffffff, and no host gets the id of one that was.
CREATE TABLE IF NOT EXISTS host (
	id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
	name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	family TINYINT UNSIGNED NOT NULL,
	vtep VARBINARY(16) NOT NULL,
	udp_port SMALLINT UNSIGNED NOT NULL DEFAULT 4789,
	ports_revision BIGINT UNSIGNED NOT NULL DEFAULT 1,
	UNIQUE KEY host_name (name),
	UNIQUE KEY host_vtep (vtep),
	CONSTRAINT host_name_form CHECK (name REGEXP '^[A-Za-z0-9][A-Za-z0-9_.-]*$'),
	CONSTRAINT host_vtep_family CHECK ((family = 4 AND LENGTH(vtep) = 4) OR (family = 6 AND LENGTH(vtep) = 16)),
	CONSTRAINT host_vtep_given CHECK (vtep NOT IN (x'00000000', x'00000000000000000000000000000000')),
	CONSTRAINT host_udp_port CHECK (udp_port > 0),
	CONSTRAINT host_revision CHECK (ports_revision BETWEEN 1 AND 9223372036854775807)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS port (
	id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	vni INT UNSIGNED NOT NULL,
	name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	subnet VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	host INT NOT NULL,
	dev VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	mac BINARY(6) NOT NULL,
	flags INT UNSIGNED NOT NULL DEFAULT 0,
	UNIQUE KEY port_name (vni, name),
	UNIQUE KEY port_mac (vni, mac),
	UNIQUE KEY port_dev (host, dev),
	UNIQUE KEY port_vpc (vni, id),
	CONSTRAINT port_subnet_fk FOREIGN KEY (vni, subnet) REFERENCES subnet (vni, name),
	CONSTRAINT port_host_fk FOREIGN KEY (host) REFERENCES host (id),
	CONSTRAINT port_name_form CHECK (name REGEXP '^[A-Za-z][A-Za-z0-9_.-]*$'),
	CONSTRAINT port_host CHECK (host > 0),
	CONSTRAINT port_dev_form CHECK (dev REGEXP '^[!-.0-9;-~]+$' AND dev NOT IN ('.', '..')),
	CONSTRAINT port_mac_unicast CHECK ((ORD(mac) & 1) = 0 AND mac NOT IN (x'000000000000', x'feee00000001')),
	CONSTRAINT port_flags CHECK (flags <= 1)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS port_addr (
	vni INT UNSIGNED NOT NULL,
	family TINYINT UNSIGNED NOT NULL,
	addr VARBINARY(16) NOT NULL,
	plen TINYINT UNSIGNED NOT NULL,
	port INT UNSIGNED NOT NULL,
	PRIMARY KEY (vni, family, addr),
	CONSTRAINT port_addr_port_fk FOREIGN KEY (vni, port) REFERENCES port (vni, id),
	CONSTRAINT port_addr_family CHECK ((family = 4 AND LENGTH(addr) = 4 AND plen BETWEEN 1 AND 32)
		OR (family = 6 AND LENGTH(addr) = 16 AND plen BETWEEN 1 AND 128)),
	CONSTRAINT port_addr_host_bits CHECK (CASE
		WHEN family = 4 THEN CAST(CONV(HEX(addr), 16, 10) AS UNSIGNED) & ~(~0 << (32 - plen)) & 0xffffffff
		WHEN plen >= 64 THEN CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (128 - plen))
		ELSE CAST(CONV(HEX(RIGHT(addr, 8)), 16, 10) AS UNSIGNED)
			| CAST(CONV(HEX(LEFT(addr, 8)), 16, 10) AS UNSIGNED) & ~(~0 << (64 - plen)) END = 0)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The history, append-only. It outlives its VPC, and a VNI that is used again goes on from its last epoch.
-- digest0 and digest1: the VPC's digest at this epoch. created: milliseconds since 1970.
CREATE TABLE IF NOT EXISTS change_log (
	vni INT UNSIGNED NOT NULL,
	epoch BIGINT UNSIGNED NOT NULL,
	change_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	author VARCHAR(64) NOT NULL,
	created BIGINT UNSIGNED NOT NULL,
	summary VARCHAR(255) NOT NULL,
	n_ops INT UNSIGNED NOT NULL,
	digest0 BIGINT UNSIGNED NOT NULL,
	digest1 BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (vni, epoch),
	UNIQUE KEY change_log_change (change_id),
	CONSTRAINT change_log_epoch CHECK (epoch BETWEEN 1 AND 9223372036854775807)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One element of a change: its canonical bytes before and after, NULL where it was or is not there.
-- kind: the canonical bytes' first, 1 nexthop, 2 route.
CREATE TABLE IF NOT EXISTS change_op (
	vni INT UNSIGNED NOT NULL,
	epoch BIGINT UNSIGNED NOT NULL,
	seq INT UNSIGNED NOT NULL,
	kind TINYINT UNSIGNED NOT NULL,
	was VARBINARY(48) NULL,
	is_now VARBINARY(48) NULL,
	PRIMARY KEY (vni, epoch, seq),
	CONSTRAINT change_op_log_fk FOREIGN KEY (vni, epoch) REFERENCES change_log (vni, epoch),
	CONSTRAINT change_op_either CHECK (was IS NOT NULL OR is_now IS NOT NULL),
	CONSTRAINT change_op_kind CHECK (kind IN (1, 2) AND ORD(COALESCE(was, is_now)) = kind AND ORD(COALESCE(is_now, was)) = kind)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What the publisher still has to tell. host is a name, so that a host's end can be told as well.
CREATE TABLE IF NOT EXISTS outbox (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	kind ENUM('vpc', 'host') NOT NULL,
	vni INT UNSIGNED NULL,
	host VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NULL,
	created BIGINT UNSIGNED NOT NULL,
	CONSTRAINT outbox_kind CHECK ((kind = 'vpc') = (vni IS NOT NULL) AND (kind = 'host') = (host IS NOT NULL)),
	CONSTRAINT outbox_vni CHECK (vni BETWEEN 1 AND 16777215),
	CONSTRAINT outbox_host CHECK (host <> '')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TRIGGER IF NOT EXISTS change_log_no_update BEFORE UPDATE ON change_log FOR EACH ROW
	SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'change_log is append-only';

CREATE TRIGGER IF NOT EXISTS change_log_no_delete BEFORE DELETE ON change_log FOR EACH ROW
	SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'change_log is append-only';

CREATE TRIGGER IF NOT EXISTS change_op_no_update BEFORE UPDATE ON change_op FOR EACH ROW
	SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'change_op is append-only';

CREATE TRIGGER IF NOT EXISTS change_op_no_delete BEFORE DELETE ON change_op FOR EACH ROW
	SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'change_op is append-only';

-- version 2: groups of nexthops, peerings, strict mode, changes of several VPCs at once

-- Strict: packets from the wire must come from where a reply would go (VPC_F_STRICT). As the quota it is not versioned.
ALTER TABLE vpc ADD COLUMN IF NOT EXISTS flags INT UNSIGNED NOT NULL DEFAULT 0 CHECK (flags <= 1);

ALTER TABLE nexthop DROP CONSTRAINT IF EXISTS nexthop_type;

ALTER TABLE nexthop ADD CONSTRAINT IF NOT EXISTS nexthop_type CHECK (type BETWEEN 1 AND 8);

-- The VPC that a peer leads to, so that the table there is not deleted under it.
ALTER TABLE nexthop ADD COLUMN IF NOT EXISTS peer INT UNSIGNED AS (CASE WHEN type = 4 THEN nh_vni END) STORED;

ALTER TABLE nexthop ADD CONSTRAINT nexthop_peer_fk FOREIGN KEY IF NOT EXISTS (peer, nh_table)
	REFERENCES route_table (vni, id);

ALTER TABLE nexthop ADD KEY IF NOT EXISTS nexthop_type (type, vni);

-- A group's members; the second key as route's. Weights: VPC_WEIGHT_MAX.
CREATE TABLE IF NOT EXISTS nexthop_member (
	vni INT UNSIGNED NOT NULL,
	group_id INT UNSIGNED NOT NULL,
	nexthop INT UNSIGNED NOT NULL,
	weight SMALLINT UNSIGNED NOT NULL,
	PRIMARY KEY (vni, group_id, nexthop),
	KEY nexthop_member_nexthop (nexthop, vni),
	CONSTRAINT nexthop_member_group_fk FOREIGN KEY (vni, group_id) REFERENCES nexthop (vni, id),
	CONSTRAINT nexthop_member_nexthop_fk FOREIGN KEY (nexthop, vni) REFERENCES nexthop (id, vni),
	CONSTRAINT nexthop_member_weight CHECK (weight BETWEEN 1 AND 256)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Members are in groups, and groups in no group.
CREATE TRIGGER IF NOT EXISTS nexthop_member_types BEFORE INSERT ON nexthop_member FOR EACH ROW
	IF (SELECT type FROM nexthop WHERE vni = NEW.vni AND id = NEW.group_id) <> 5
		OR (SELECT type FROM nexthop WHERE vni = NEW.vni AND id = NEW.nexthop) = 5 THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a member is in a group, and no group itself';
	END IF;

CREATE TRIGGER IF NOT EXISTS nexthop_type_kept BEFORE UPDATE ON nexthop FOR EACH ROW
	IF (OLD.type = 5) <> (NEW.type = 5) AND EXISTS (SELECT 1 FROM nexthop_member m
		WHERE (m.vni = OLD.vni AND m.group_id = OLD.id) OR (m.nexthop = OLD.id AND m.vni = OLD.vni)) THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a nexthop with members, or in a group, keeps its type';
	END IF;

ALTER TABLE change_op DROP CONSTRAINT IF EXISTS change_op_kind;

ALTER TABLE change_op ADD CONSTRAINT IF NOT EXISTS change_op_kind
	CHECK (kind IN (1, 2, 3) AND ORD(COALESCE(was, is_now)) = kind AND ORD(COALESCE(is_now, was)) = kind);

-- One change may be an epoch of several VPCs.
ALTER TABLE change_log DROP KEY IF EXISTS change_log_change;

ALTER TABLE change_log ADD UNIQUE KEY IF NOT EXISTS change_log_id (change_id, vni);

-- version 3: the history of what is no element, two places of one port

-- NULL: the change was made before change_item was there, so nothing but its elements can be turned back.
ALTER TABLE change_log ADD COLUMN IF NOT EXISTS n_items INT UNSIGNED NULL;

-- What a change did to the rest of a VPC: the object as JSON before and after (lib/cdb_item.c), NULL where it was or is
-- not there. name: of the object; the prefix of a range, the id of a table, the VPC's is empty.
CREATE TABLE IF NOT EXISTS change_item (
	vni INT UNSIGNED NOT NULL,
	epoch BIGINT UNSIGNED NOT NULL,
	seq INT UNSIGNED NOT NULL,
	kind ENUM('vpc', 'range', 'table', 'subnet', 'port') NOT NULL,
	name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	was TEXT NULL,
	is_now TEXT NULL,
	PRIMARY KEY (vni, epoch, seq),
	CONSTRAINT change_item_log_fk FOREIGN KEY (vni, epoch) REFERENCES change_log (vni, epoch),
	CONSTRAINT change_item_either CHECK (was IS NOT NULL OR is_now IS NOT NULL)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TRIGGER IF NOT EXISTS change_item_no_update BEFORE UPDATE ON change_item FOR EACH ROW
	SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'change_item is append-only';

CREATE TRIGGER IF NOT EXISTS change_item_no_delete BEFORE DELETE ON change_item FOR EACH ROW
	SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'change_item is append-only';

-- A port that moves has a second place meanwhile: where it will be, then where it was.
CREATE TABLE IF NOT EXISTS port_standby (
	vni INT UNSIGNED NOT NULL,
	port INT UNSIGNED NOT NULL,
	host INT NOT NULL,
	dev VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (port),
	UNIQUE KEY port_standby_dev (host, dev),
	KEY port_standby_vpc (vni, port),
	CONSTRAINT port_standby_port_fk FOREIGN KEY (vni, port) REFERENCES port (vni, id),
	CONSTRAINT port_standby_host_fk FOREIGN KEY (host) REFERENCES host (id),
	CONSTRAINT port_standby_dev_form CHECK (dev REGEXP '^[!-.0-9;-~]+$' AND dev NOT IN ('.', '..'))
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- version 4: what the audits of all hosts say (lib/cdb_fleet.h). Written by vpc_reconcile and nobody else; bounded and
-- pruned by who writes, so nothing here is history.

-- One row for as long as a host's audit says the same, milliseconds since 1970 by the server's clock. host is a name,
-- as it may be reported for one that is not there any more. signature: of the differences.
CREATE TABLE IF NOT EXISTS reconcile_run (
	host VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	began BIGINT UNSIGNED NOT NULL,
	last BIGINT UNSIGNED NOT NULL,
	rounds BIGINT UNSIGNED NOT NULL,
	result ENUM('consistent', 'lagging', 'drifted', 'failed') NOT NULL,
	consistent INT UNSIGNED NOT NULL,
	lagging INT UNSIGNED NOT NULL,
	drifted INT UNSIGNED NOT NULL,
	failed INT UNSIGNED NOT NULL,
	drifts BIGINT UNSIGNED NOT NULL,
	lag_ms BIGINT UNSIGNED NOT NULL,
	duration_us BIGINT UNSIGNED NOT NULL,
	signature BIGINT UNSIGNED NOT NULL,
	reason VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (host, began),
	KEY reconcile_run_last (last)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What differs on a host now, the first of it. since: of the change, milliseconds since 1970; 0: not known.
CREATE TABLE IF NOT EXISTS reconcile_diff (
	host VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	seq INT UNSIGNED NOT NULL,
	vni INT UNSIGNED NOT NULL,
	class VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	leg VARCHAR(31) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	object VARCHAR(127) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	want VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	have VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	change_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	since BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (host, seq)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- version 5: an audit's account of its own for a host, vpc_auditor:HOST, writes that host's rows and no others
-- (cdb_auditor_init()); of others it may delete what lib/cdb_fleet.c deletes for all, too. Other accounts are as before.
-- USER() is who is connected; CURRENT_USER() is a trigger's owner. BINARY, as accounts are told apart by case.

CREATE TRIGGER IF NOT EXISTS reconcile_run_insert BEFORE INSERT ON reconcile_run FOR EACH ROW
	IF LEFT(USER(), 12) = 'vpc_auditor:'
		AND BINARY LEFT(USER(), 13 + LENGTH(NEW.host)) <> CONCAT('vpc_auditor:', NEW.host, '@') THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this account records for its own host alone';
	END IF;

CREATE TRIGGER IF NOT EXISTS reconcile_run_update BEFORE UPDATE ON reconcile_run FOR EACH ROW
	IF LEFT(USER(), 12) = 'vpc_auditor:' AND (NEW.host <> OLD.host
		OR BINARY LEFT(USER(), 13 + LENGTH(OLD.host)) <> CONCAT('vpc_auditor:', OLD.host, '@')) THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this account records for its own host alone';
	END IF;

CREATE TRIGGER IF NOT EXISTS reconcile_run_delete BEFORE DELETE ON reconcile_run FOR EACH ROW
	IF LEFT(USER(), 12) = 'vpc_auditor:'
		AND BINARY LEFT(USER(), 13 + LENGTH(OLD.host)) <> CONCAT('vpc_auditor:', OLD.host, '@')
		AND OLD.last + 30 * 86400000 >= UNIX_TIMESTAMP(NOW(3)) * 1000 THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this account records for its own host alone';
	END IF;

CREATE TRIGGER IF NOT EXISTS reconcile_diff_insert BEFORE INSERT ON reconcile_diff FOR EACH ROW
	IF LEFT(USER(), 12) = 'vpc_auditor:'
		AND BINARY LEFT(USER(), 13 + LENGTH(NEW.host)) <> CONCAT('vpc_auditor:', NEW.host, '@') THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this account records for its own host alone';
	END IF;

CREATE TRIGGER IF NOT EXISTS reconcile_diff_update BEFORE UPDATE ON reconcile_diff FOR EACH ROW
	IF LEFT(USER(), 12) = 'vpc_auditor:' AND (NEW.host <> OLD.host
		OR BINARY LEFT(USER(), 13 + LENGTH(OLD.host)) <> CONCAT('vpc_auditor:', OLD.host, '@')) THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this account records for its own host alone';
	END IF;

CREATE TRIGGER IF NOT EXISTS reconcile_diff_delete BEFORE DELETE ON reconcile_diff FOR EACH ROW
	IF LEFT(USER(), 12) = 'vpc_auditor:'
		AND BINARY LEFT(USER(), 13 + LENGTH(OLD.host)) <> CONCAT('vpc_auditor:', OLD.host, '@')
		AND EXISTS (SELECT 1 FROM reconcile_run r WHERE r.host = OLD.host) THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this account records for its own host alone';
	END IF;
