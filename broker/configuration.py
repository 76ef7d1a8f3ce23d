"""The configuration of the embedded node, as pure text.

Paths are relative to the node's directory, in which Java runs: properties files are Latin-1 and `log.dirs` is a
list with commas, so a directory's own name must not have to stand in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from broker.storage import NODE_ID

DATA: Final = "data"
KEYSTORE: Final = "config/keystore.pem"
TRUSTSTORE: Final = "config/ca.crt"
CIPHER_SUITES: Final = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""keys of 256 bits only: what is recorded today must not be readable later"""
CONNECTION_IDLE_SECONDS: Final = 20
"""after which the broker closes a connection on which nothing moves, a request that waits included"""


@dataclass(frozen=True, slots=True)
class NodeConfiguration:
    """One KRaft node that is broker and controller: mTLS only, on loopback only, rights by ACL only."""

    client_port: int
    controller_port: int
    super_users: Sequence[str]

    def properties(self) -> str:
        """The server.properties text."""
        users = ";".join(f"User:CN={name}" for name in self.super_users)
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(NODE_ID),
            "controller.quorum.voters": f"{NODE_ID}@127.0.0.1:{self.controller_port}",
            "listeners": f"MTLS://127.0.0.1:{self.client_port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"MTLS://127.0.0.1:{self.client_port}",
            "listener.security.protocol.map": "MTLS:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "MTLS",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": DATA,
            # named peers only, and nothing in the clear
            "ssl.client.auth": "required",
            "ssl.enabled.protocols": "TLSv1.3",
            "ssl.protocol": "TLSv1.3",
            "ssl.cipher.suites": ",".join(CIPHER_SUITES),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": KEYSTORE,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": TRUSTSTORE,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": users,
            "auto.create.topics.enable": "false",
            # rights are looked at when a request comes in; one that then waits here for data must not outlast them
            "connections.max.idle.ms": str(CONNECTION_IDLE_SECONDS * 1_000),
            # one node: everything that is replicated in a cluster has one copy here
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "unclean.leader.election.enable": "false",
            # 8 MiB sealed at the ingress; dead letters may hold twice that
            "message.max.bytes": str(17 * 2**20),
            "replica.fetch.max.bytes": str(17 * 2**20),
            "socket.request.max.bytes": str(64 * 2**20),
            "log.segment.bytes": str(256 * 2**20),
            "log.retention.check.interval.ms": "300000",
            # a hung client must not keep a transaction, and with it every read_committed reader, waiting
            "transaction.max.timeout.ms": "60000",
            # one broker and its controller live and die together: no need to wait for a session to end
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # the default sets 128 MiB of the heap aside for compaction
            "log.cleaner.dedupe.buffer.size": str(8 * 2**20),
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def logging() -> str:
    """The log4j2 configuration: three files under logs/, INFO for the server; refusals of rights and handshakes apart.

    authorizer.log and network.log are read by programs: one event, one line, times with their offset, no line break
    but its end (a group's name may hold one). network.log has a line for each handshake, done or failed, and the text
    of what failed, which is the only place where Kafka says why.
    """
    return """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Properties>
    <Property name="time">%d{yyyy-MM-dd'T'HH:mm:ss.SSS}{UTC}Z</Property>
    <Property name="line">${time} %p %enc{%m%notEmpty{ | %ex{short.message}}}{CRLF} (%c)%n</Property>
  </Properties>
  <Appenders>
    <RollingFile name="server" fileName="logs/server.log" filePattern="logs/server.%i.log">
      <PatternLayout pattern="%d{ISO8601} %p %m (%c)%n"/>
      <Policies><SizeBasedTriggeringPolicy size="20 MB"/></Policies><DefaultRolloverStrategy max="3"/>
    </RollingFile>
    <RollingFile name="authorizer" fileName="logs/authorizer.log" filePattern="logs/authorizer.%i.log">
      <PatternLayout pattern="${line}"/>
      <Policies><SizeBasedTriggeringPolicy size="20 MB"/></Policies><DefaultRolloverStrategy max="3"/>
    </RollingFile>
    <RollingFile name="network" fileName="logs/network.log" filePattern="logs/network.%i.log">
      <RegexFilter regex=".*SSL [Hh]andshake (completed|failed).*" onMatch="ACCEPT" onMismatch="DENY"/>
      <PatternLayout pattern="${line}"/>
      <Policies><SizeBasedTriggeringPolicy size="20 MB"/></Policies><DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Logger name="kafka.authorizer.logger" level="INFO" additivity="false"><AppenderRef ref="authorizer"/></Logger>
    <Logger name="org.apache.kafka.common.network.SslTransportLayer" level="DEBUG" additivity="false">
      <AppenderRef ref="network"/><AppenderRef ref="server" level="INFO"/>
    </Logger>
    <Logger name="org.apache.kafka.common.config" level="WARN"/>
    <Logger name="kafka.server.KafkaConfig" level="WARN"/>
    <Root level="INFO"><AppenderRef ref="server"/></Root>
  </Loggers>
</Configuration>
"""
