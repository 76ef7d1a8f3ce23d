BEGIN TRANSACTION;
CREATE TABLE case_file (
  event INTEGER NOT NULL, 
  revision INTEGER NOT NULL, 
  due_on VARCHAR(10), 
  replaces TEXT, 
  withdraws TEXT, 
  assignee TEXT, 
  assigned_at_ms BIGINT, 
  PRIMARY KEY (event), 
  FOREIGN KEY(event) REFERENCES event (number)
);
INSERT INTO "case_file" VALUES(1,1,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE content (
  event INTEGER NOT NULL, 
  epoch INTEGER NOT NULL, 
  ciphertext BLOB NOT NULL, 
  PRIMARY KEY (event), 
  FOREIGN KEY(event) REFERENCES event (number), 
  FOREIGN KEY(epoch) REFERENCES store_key (epoch)
);
INSERT INTO "content" VALUES(1,203001,X'7365616C6564');
INSERT INTO "content" VALUES(2,203001,X'7365616C6564');
CREATE TABLE data_key (
  event INTEGER NOT NULL, 
  wrapped BLOB NOT NULL, 
  PRIMARY KEY (event), 
  FOREIGN KEY(event) REFERENCES event (number)
);
INSERT INTO "data_key" VALUES(1,X'77726170706564');
INSERT INTO "data_key" VALUES(2,X'77726170706564');
CREATE TABLE decision (
  number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
  event INTEGER NOT NULL, 
  revision INTEGER NOT NULL, 
  decision VARCHAR(16) NOT NULL, 
  reason VARCHAR(64) NOT NULL, 
  decided_by TEXT NOT NULL, 
  decided_at_ms BIGINT NOT NULL, 
  tax_items TEXT NOT NULL, 
  answer_by VARCHAR(10), 
  event_id VARCHAR(36), 
  leaf BLOB, 
  told_at_ms BIGINT, 
  failed VARCHAR(64), 
  CONSTRAINT decision_once UNIQUE (event, revision), 
  FOREIGN KEY(event) REFERENCES event (number)
);
INSERT INTO "decision" VALUES(1,1,1,'accept','complete','reviewer',1800000000000,'["resident-tax"]',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE decision_message (
  decision INTEGER NOT NULL, 
  epoch INTEGER NOT NULL, 
  ciphertext BLOB NOT NULL, 
  wrapped BLOB NOT NULL, 
  PRIMARY KEY (decision), 
  FOREIGN KEY(decision) REFERENCES decision (number), 
  FOREIGN KEY(epoch) REFERENCES store_key (epoch)
);
CREATE TABLE event (
  number INTEGER NOT NULL, 
  tenant VARCHAR(6) NOT NULL, 
  producer TEXT NOT NULL, 
  event_id VARCHAR(36) NOT NULL, 
  leaf BLOB NOT NULL, 
  session BLOB NOT NULL, 
  sequence BIGINT NOT NULL, 
  topic VARCHAR(200) NOT NULL, 
  partition INTEGER NOT NULL, 
  "offset" BIGINT NOT NULL, 
  kind VARCHAR(16) NOT NULL, 
  receipt_number TEXT NOT NULL, 
  procedure TEXT NOT NULL, 
  procedure_version INTEGER NOT NULL, 
  tax_item TEXT, 
  accepted_at_ms BIGINT NOT NULL, 
  produced_at_ms BIGINT NOT NULL, 
  stored_at_ms BIGINT NOT NULL, 
  calculation_check VARCHAR(16) NOT NULL, 
  signature_check VARCHAR(16) NOT NULL, 
  status VARCHAR(16) NOT NULL, 
  findings INTEGER NOT NULL, 
  cause_event_id VARCHAR(36), 
  cause_leaf BLOB, 
  confirmed_at_ms BIGINT, 
  replays INTEGER NOT NULL, 
  "conflict" BOOLEAN NOT NULL, 
  PRIMARY KEY (number), 
  CONSTRAINT event_once UNIQUE (tenant, producer, event_id, leaf)
);
INSERT INTO "event" VALUES(1,'999997','portal','00000000-0000-7000-8000-000000000000',X'2DFC772EED7D343CF66FAC2371BD21214BB9F6E8C1FDB0DDFCD0B97208D9B54B',X'3F3AF1ECEBBD1410AB417EC0D27BBFCB5D340E177AE159B59FC8626C2DFD9175',0,'rehearsal.999997.review',0,0,'submission','R7-99999-000000000','heir-representative-designation',1,NULL,1800000000000,1800000000000,1800000000000,'not_performed','not_performed','accepted',0,NULL,NULL,NULL,0,0);
INSERT INTO "event" VALUES(2,'999997','portal','00000000-0000-7000-8000-000000000001',X'41960F3A2100196B10E51B8A56B22B422AE33B9D02C6B514741C6D85C9A87EF5',X'3F3AF1ECEBBD1410AB417EC0D27BBFCB5D340E177AE159B59FC8626C2DFD9175',1,'rehearsal.999997.review',0,1,'submission','R7-99999-000000001','heir-representative-designation',1,NULL,1800000000000,1800000000000,1800000000000,'not_performed','not_performed','stored',0,NULL,NULL,NULL,0,0);
CREATE TABLE frontier (
  only INTEGER NOT NULL, 
  size BIGINT NOT NULL, 
  root BLOB NOT NULL, 
  state BLOB NOT NULL, 
  head BLOB NOT NULL, 
  PRIMARY KEY (only)
);
CREATE TABLE handover (
  number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
  decision INTEGER NOT NULL, 
  tax_item VARCHAR(64) NOT NULL, 
  event_id VARCHAR(36), 
  leaf BLOB, 
  told_at_ms BIGINT, 
  failed VARCHAR(64), 
  CONSTRAINT handover_once UNIQUE (decision, tax_item), 
  FOREIGN KEY(decision) REFERENCES decision (number)
);
INSERT INTO "handover" VALUES(1,1,'resident-tax',NULL,NULL,NULL,NULL);
CREATE TABLE log (
  number INTEGER NOT NULL, 
  kind VARCHAR(16) NOT NULL, 
  entry BLOB NOT NULL, 
  PRIMARY KEY (number)
);
CREATE TABLE notice (
  leaf BLOB NOT NULL, 
  session BLOB NOT NULL, 
  partition INTEGER NOT NULL, 
  sequence BIGINT NOT NULL, 
  tenant VARCHAR(6) NOT NULL, 
  event_id VARCHAR(36) NOT NULL, 
  receipt_number TEXT NOT NULL, 
  reason TEXT NOT NULL, 
  at_ms BIGINT NOT NULL, 
  PRIMARY KEY (leaf)
);
CREATE TABLE outbox (
  number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
  topic VARCHAR(200) NOT NULL, 
  partition INTEGER NOT NULL, 
  "key" BLOB NOT NULL, 
  value BLOB NOT NULL, 
  kind VARCHAR(16) NOT NULL, 
  speaks_of INTEGER NOT NULL
);
CREATE TABLE owner (
  name TEXT NOT NULL, 
  schema_version INTEGER NOT NULL, 
  PRIMARY KEY (name)
);
INSERT INTO "owner" VALUES('rehearsal/review-999997',2);
CREATE TABLE position (
  topic VARCHAR(200) NOT NULL, 
  partition INTEGER NOT NULL, 
  next_offset BIGINT NOT NULL, 
  PRIMARY KEY (topic, partition)
);
INSERT INTO "position" VALUES('rehearsal.999997.review',0,2);
CREATE TABLE promise (
  session BLOB NOT NULL, 
  partition INTEGER NOT NULL, 
  sequence BIGINT NOT NULL, 
  tenant VARCHAR(6) NOT NULL, 
  leaf BLOB NOT NULL, 
  void BOOLEAN NOT NULL, 
  at_ms BIGINT NOT NULL, 
  PRIMARY KEY (session, partition, sequence)
);
CREATE TABLE remark (
  number INTEGER NOT NULL, 
  leaf BLOB NOT NULL, 
  what VARCHAR(32) NOT NULL, 
  detail TEXT NOT NULL, 
  at_ms BIGINT NOT NULL, 
  PRIMARY KEY (number), 
  CONSTRAINT remark_once UNIQUE (leaf, what, detail)
);
CREATE TABLE store_key (
  epoch INTEGER NOT NULL, 
  key_id BLOB NOT NULL, 
  sealed BLOB NOT NULL, 
  PRIMARY KEY (epoch)
);
INSERT INTO "store_key" VALUES(203001,X'3132333435363738',X'7365616C65642073746F7265206B6579');
CREATE TABLE tree_head (
  size BIGINT NOT NULL, 
  root BLOB NOT NULL, 
  head BLOB NOT NULL, 
  PRIMARY KEY (size)
);
CREATE INDEX event_id_lookup ON event (event_id);
CREATE INDEX event_receipt ON event (receipt_number);
CREATE INDEX event_unconfirmed ON event (stored_at_ms) WHERE confirmed_at_ms IS NULL;
CREATE INDEX event_place ON event (session, partition, sequence);
CREATE INDEX ix_notice_receipt_number ON notice (receipt_number);
CREATE INDEX ix_case_file_withdraws ON case_file (withdraws);
CREATE INDEX ix_case_file_replaces ON case_file (replaces);
CREATE INDEX decision_untold ON decision (number) WHERE told_at_ms IS NULL AND failed IS NULL;
CREATE INDEX handover_untold ON handover (number) WHERE told_at_ms IS NULL AND failed IS NULL;
CREATE TRIGGER log_refuses_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER log_refuses_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER tree_head_refuses_update BEFORE UPDATE ON tree_head BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER tree_head_refuses_delete BEFORE DELETE ON tree_head BEGIN SELECT RAISE(ABORT, 'append only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('decision',1);
INSERT INTO "sqlite_sequence" VALUES('handover',1);
COMMIT;
