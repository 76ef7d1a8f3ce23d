"""The configuration of a node, as pure text: one alone, or a member of a cluster.

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
LOOPBACK: Final = "127.0.0.1"
CIPHER_SUITES: Final = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""keys of 256 bits only: what is recorded today must not be readable later"""
CONNECTION_IDLE_SECONDS: Final = 20
"""after which the broker closes a connection on which nothing moves, a request that waits included"""
MOST_COPIES: Final = 3


@dataclass(frozen=True, slots=True)
class Member:
    """A node as clients and the other nodes reach it."""

    client_port: int
    controller_port: int
    node_id: int = NODE_ID
    host: str = LOOPBACK

    @property
    def client(self) -> str:
        """`<host>:<port>` of its mTLS listener."""
        return f"{self.host}:{self.client_port}"

    @property
    def controller(self) -> str:
        """`<host>:<port>` of its controller's listener."""
        return f"{self.host}:{self.controller_port}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a node finds its files; by default below the directory in which it runs."""

    data: str = DATA
    keystore: str = KEYSTORE
    truststore: str = TRUSTSTORE


@dataclass(frozen=True, slots=True)
class NodeConfiguration:
    """One KRaft node that is broker and controller: mTLS on every listener, rights by ACL only.

    `members` are all nodes of its cluster, itself among them; none means that it is alone. `listen` is the address
    that it listens on where that is not its own name (in a container: `0.0.0.0`).
    """

    own: Member
    super_users: Sequence[str]
    members: Sequence[Member] = ()
    places: Places = Places()
    listen: str = ""

    @property
    def copies(self) -> int:
        """How many copies Kafka's own topics have, and a topic of which nobody says how many."""
        return min(MOST_COPIES, max(1, len(self.members)))

    @property
    def least_in_sync(self) -> int:
        """How many copies must have a record before it is acknowledged: one may be away, if there are several."""
        return max(1, self.copies - 1)

    def properties(self) -> str:
        """The server.properties text."""
        users = ";".join(f"User:CN={name}" for name in self.super_users)
        members, own = self.members or (self.own,), self.own
        listen, copies, in_sync = self.listen or own.host, str(self.copies), str(self.least_in_sync)
        alone = len(members) == 1
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(own.node_id),
            "controller.quorum.voters": ",".join(f"{each.node_id}@{each.controller}" for each in members),
            "listeners": f"MTLS://{listen}:{own.client_port},CONTROLLER://{listen}:{own.controller_port}",
            "advertised.listeners": f"MTLS://{own.client},CONTROLLER://{own.controller}",
            "listener.security.protocol.map": "MTLS:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "MTLS",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.places.data,
            # named peers only, and nothing in the clear
            "ssl.client.auth": "required",
            "ssl.enabled.protocols": "TLSv1.3",
            "ssl.protocol": "TLSv1.3",
            "ssl.cipher.suites": ",".join(CIPHER_SUITES),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.places.keystore,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.places.truststore,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": users,
            "auto.create.topics.enable": "false",
            # rights are looked at when a request comes in; one that then waits here for data must not outlast them
            "connections.max.idle.ms": str(CONNECTION_IDLE_SECONDS * 1_000),
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
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
            # one broker and its controller live and die together: no need to wait for a session to end.
            # Of several one is taken for dead after this time, and others lead what it led
            "broker.session.timeout.ms": "3000" if alone else "6000",
            "broker.heartbeat.interval.ms": "500" if alone else "1000",
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
