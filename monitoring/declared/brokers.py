"""What the brokers export through the Prometheus JMX exporter: names, meaning, and the MBean that each comes from.

These series are made by the exporter inside the broker, by rules that `monitoring.broker_rules` writes from this list;
a broker exports no `kafka_…` name but these. The exporter adds `jvm_…`, `process_…` and `jmx_…` of its own, of which
those that we rely on are declared here too. Names of MBeans are those of Apache Kafka 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from monitoring.declared.base import (
    DEFENCE,
    FLOW,
    INTEGRITY,
    PEERS,
    READINESS,
    SPARE,
    WATCH,
    Metric,
    counter,
    gauge,
)


@dataclass(frozen=True, slots=True)
class Bean:
    """Where the exporter finds the numbers of one metric.

    `properties` are the object name's, in its order; where the value is `*`, it becomes a label. `attribute` is what is
    read, times `factor`; `fixed` are labels that it always has (which quantile it is).
    """

    domain: str
    properties: tuple[tuple[str, str], ...]
    attribute: str
    factor: float = 1.0
    fixed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerMetric:
    """A declared metric and its beans; none for what the exporter makes by itself."""

    metric: Metric
    beans: tuple[Bean, ...]


def _bean(name: str, attribute: str, factor: float = 1.0, **fixed: str) -> Bean:
    domain, _, rest = name.partition(":")
    pairs = tuple((key, value) for key, _, value in (each.partition("=") for each in rest.split(",")))
    return Bean(domain, pairs, attribute, factor, tuple(fixed.items()))


def _of(metric: Metric, *beans: Bean) -> BrokerMetric:
    return BrokerMetric(metric, beans)


REQUESTS: Final = (
    *("Produce", "Fetch", "FetchConsumer", "ListOffsets", "Metadata", "ApiVersions", "InitProducerId"),
    *("AddPartitionsToTxn", "AddOffsetsToTxn", "EndTxn", "TxnOffsetCommit", "FindCoordinator", "JoinGroup"),
    *("Heartbeat", "OffsetCommit", "OffsetFetch", "DescribeAcls", "CreateAcls", "DeleteAcls", "CreateTopics"),
    *("DeleteTopics", "AlterConfigs", "IncrementalAlterConfigs", "DeleteRecords"),
)
"""the requests that this hub's roles make, and those that would change rights or topics"""

_REPLICAS: Final = "kafka.server:type=ReplicaManager,name="
_CONTROLLER: Final = "kafka.controller:type=KafkaController,name="
_TOPIC: Final = "kafka.server:type=BrokerTopicMetrics,name="
_SOCKET: Final = "kafka.server:type=socket-server-metrics,listener=*,networkProcessor=*"
_GROUPS: Final = "kafka.server:type=group-coordinator-metrics,"
_TIMES: Final = "kafka.network:type=RequestMetrics,name="

SERIES: Final[tuple[BrokerMetric, ...]] = (
    _of(gauge("kafka_under_replicated_partitions", "partitions", "",
              "Partitions with fewer copies in step than they should have.", "複製が不足しているパーティション数。",
              WATCH, SPARE, READINESS), _bean(_REPLICAS + "UnderReplicatedPartitions", "Value")),
    _of(gauge("kafka_under_min_isr_partitions", "partitions", "",
              "Partitions that take no writes because too few copies are in step.",
              "同期済み複製が下限未満で書込みできないパーティション数。",
              WATCH, SPARE, READINESS), _bean(_REPLICAS + "UnderMinIsrPartitionCount", "Value")),
    _of(gauge("kafka_offline_partitions", "partitions", "",
              "Partitions without a leader: nobody can read or write them.", "リーダー不在のパーティション数。",
              WATCH, SPARE, READINESS), _bean(_CONTROLLER + "OfflinePartitionsCount", "Value")),
    _of(gauge("kafka_offline_log_directories", "directories", "",
              "Data directories that the broker has given up.", "使用不能となったデータディレクトリ数。",
              WATCH, SPARE, READINESS), _bean("kafka.log:type=LogManager,name=OfflineLogDirectoryCount", "Value")),
    _of(counter("kafka_isr_shrinks_total", "partitions", "",
                "Times that a copy fell out of step.", "同期済み複製から外れた回数。", WATCH, SPARE),
        _bean(_REPLICAS + "IsrShrinksPerSec", "Count")),
    _of(counter("kafka_isr_expands_total", "partitions", "",
                "Times that a copy came back into step.", "同期済み複製に復帰した回数。", WATCH, SPARE),
        _bean(_REPLICAS + "IsrExpandsPerSec", "Count")),
    _of(gauge("kafka_partitions", "partitions", "",
              "Partitions on this broker.", "このブローカーのパーティション数。", WATCH),
        _bean(_REPLICAS + "PartitionCount", "Value")),
    _of(gauge("kafka_producer_ids", "producers", "",
              "Producers that this broker keeps a state for.", "状態を保持している送信者の数。", WATCH),
        _bean(_REPLICAS + "ProducerIdCount", "Value")),
    _of(gauge("kafka_active_controllers", "controllers", "",
              "1 on the broker that is the controller; the sum over all must be 1.",
              "コントローラーなら1（全体の合計は1）。", WATCH, READINESS),
        _bean(_CONTROLLER + "ActiveControllerCount", "Value")),
    _of(gauge("kafka_active_brokers", "brokers", "",
              "Brokers that the controller counts as alive.", "稼働中のブローカー数。", WATCH, SPARE),
        _bean(_CONTROLLER + "ActiveBrokerCount", "Value")),
    _of(gauge("kafka_fenced_brokers", "brokers", "",
              "Brokers that the controller has fenced off.", "切り離されたブローカー数。", WATCH, SPARE),
        _bean(_CONTROLLER + "FencedBrokerCount", "Value")),
    _of(gauge("kafka_topics", "topics", "", "Topics of the cluster.", "クラスタのトピック数。", WATCH, DEFENCE),
        _bean(_CONTROLLER + "GlobalTopicCount", "Value")),
    _of(counter("kafka_metadata_errors_total", "errors", "",
                "Errors of the controller while it applied metadata.", "メタデータ適用時のエラー数。",
                WATCH, READINESS),
        _bean(_CONTROLLER + "MetadataErrorCount", "Value")),
    _of(counter("kafka_requests_total", "requests", "request",
                "Requests answered.", "応答した要求数。", WATCH),
        _bean(_TIMES + "TotalTimeMs,request=*", "Count")),
    _of(gauge("kafka_request_seconds", "seconds", "request quantile",
              "Time from a request's arrival to its answer; a fetch that waits for data waits here.",
              "要求の所要時間（分位値）。", WATCH),
        _bean(_TIMES + "TotalTimeMs,request=*", "50thPercentile", 0.001, quantile="0.5"),
        _bean(_TIMES + "TotalTimeMs,request=*", "99thPercentile", 0.001, quantile="0.99")),
    _of(gauge("kafka_request_queue_seconds", "seconds", "request quantile",
              "Time that a request waited for a free thread.", "要求の待ち時間（分位値）。", WATCH),
        _bean(_TIMES + "RequestQueueTimeMs,request=*", "99thPercentile", 0.001, quantile="0.99")),
    _of(counter("kafka_request_errors_total", "requests", "request error",
                "Answers by error code; `NONE` is none. Refused rights are among them.",
                "要求の結果（エラーコード別）。権限拒否を含む。", WATCH, DEFENCE, PEERS),
        _bean(_TIMES + "ErrorsPerSec,request=*,error=*", "Count")),
    _of(gauge("kafka_request_queue_length", "requests", "",
              "Requests that wait for a thread.", "処理待ちの要求数。", WATCH),
        _bean("kafka.network:type=RequestChannel,name=RequestQueueSize", "Value")),
    _of(gauge("kafka_request_handlers_idle_ratio", "ratio", "",
              "Share of the last minute in which request threads had nothing to do.",
              "要求処理スレッドの空き率（直近1分）。", WATCH),
        _bean("kafka.server:type=KafkaRequestHandlerPool,name=RequestHandlerAvgIdlePercent", "OneMinuteRate")),
    _of(gauge("kafka_network_processors_idle_ratio", "ratio", "",
              "Share of time in which network threads had nothing to do.", "通信スレッドの空き率。", WATCH),
        _bean("kafka.network:type=SocketServer,name=NetworkProcessorAvgIdlePercent", "Value")),
    _of(counter("kafka_topic_received_bytes_total", "bytes", "topic",
                "Bytes written to a topic.", "トピックへの書込みバイト数。", WATCH, FLOW),
        _bean(_TOPIC + "BytesInPerSec,topic=*", "Count")),
    _of(counter("kafka_topic_sent_bytes_total", "bytes", "topic",
                "Bytes read from a topic.", "トピックからの読出しバイト数。", WATCH, FLOW),
        _bean(_TOPIC + "BytesOutPerSec,topic=*", "Count")),
    _of(counter("kafka_topic_records_total", "records", "topic",
                "Records written to a topic.", "トピックへ書き込まれた件数。", WATCH, FLOW),
        _bean(_TOPIC + "MessagesInPerSec,topic=*", "Count")),
    _of(counter("kafka_failed_produces_total", "requests", "",
                "Writes that failed.", "失敗した書込み要求数。", WATCH, READINESS),
        _bean(_TOPIC + "FailedProduceRequestsPerSec", "Count")),
    _of(counter("kafka_failed_fetches_total", "requests", "",
                "Reads that failed.", "失敗した読出し要求数。", WATCH, READINESS),
        _bean(_TOPIC + "FailedFetchRequestsPerSec", "Count")),
    _of(counter("kafka_invalid_records_total", "records", "",
                "Records with a wrong checksum.", "チェックサム不正の件数。", WATCH, INTEGRITY),
        _bean(_TOPIC + "InvalidMessageCrcRecordsPerSec", "Count")),
    _of(counter("kafka_failed_authentications_total", "connections", "listener processor",
                "Connections refused in the TLS handshake.", "TLS認証に失敗した接続数。", WATCH, DEFENCE, PEERS),
        _bean(_SOCKET, "failed-authentication-total")),
    _of(counter("kafka_authentications_total", "connections", "listener processor",
                "Connections that were let in.", "TLS認証に成功した接続数。", WATCH, PEERS),
        _bean(_SOCKET, "successful-authentication-total")),
    _of(counter("kafka_expired_connections_total", "connections", "listener processor",
                "Connections closed because their session had run out.", "期限切れで切断した接続数。", WATCH, DEFENCE),
        _bean(_SOCKET, "expired-connections-killed-count")),
    _of(gauge("kafka_connections", "connections", "listener processor",
              "Open connections.", "現在の接続数。", WATCH, PEERS), _bean(_SOCKET, "connection-count")),
    _of(gauge("kafka_cipher_connections", "connections", "cipher protocol listener processor",
              "Open connections by TLS protocol and cipher.", "現在の接続数（TLS版・暗号方式別）。",
              WATCH, INTEGRITY, DEFENCE),
        _bean("kafka.server:type=socket-server-metrics,cipher=*,protocol=*,listener=*,networkProcessor=*",
              "connections")),
    _of(gauge("kafka_log_bytes", "bytes", "topic partition",
              "Size of a partition on disk.", "パーティションのディスク使用量。", WATCH, SPARE),
        _bean("kafka.log:type=Log,name=Size,topic=*,partition=*", "Value")),
    _of(gauge("kafka_last_stable_offset_lag_records", "records", "topic partition",
              "Records that readers of committed records cannot see yet; a transaction that hangs keeps it up.",
              "未確定トランザクションにより読み出せない件数。", WATCH, FLOW, READINESS),
        _bean("kafka.cluster:type=Partition,name=LastStableOffsetLag,topic=*,partition=*", "Value")),
    _of(gauge("kafka_classic_groups", "groups", "state",
              "Consumer groups by state.", "コンシューマーグループ数（状態別）。", WATCH),
        _bean(_GROUPS + "state=*", "classic-group-count")),
    _of(gauge("kafka_group_coordinator_partitions", "partitions", "state",
              "Partitions of the group coordinator by state; `failed` must be 0.",
              "グループ調整用パーティション数（状態別）。", WATCH, READINESS),
        _bean(_GROUPS + "state=*", "num-partitions")),
    _of(counter("kafka_group_offset_commits_total", "commits", "",
                "Offsets that groups committed.", "グループのオフセット確定数。", WATCH, FLOW),
        _bean(_GROUPS.removesuffix(","), "offset-commit-count")),
    _of(counter("kafka_transaction_verification_failures_total", "transactions", "",
                "Transactions whose partitions could not be verified.", "検証に失敗したトランザクション数。",
                WATCH, INTEGRITY),
        _bean("kafka.server:type=AddPartitionsToTxnManager,name=VerificationFailureRate", "Count")),
    # by the exporter itself
    _of(gauge("jvm_memory_used_bytes", "bytes", "area",
              "Memory that Java uses.", "Javaの使用メモリ。", WATCH)),
    _of(gauge("jvm_memory_max_bytes", "bytes", "area",
              "Memory that Java may use; -1 without a limit.", "Javaのメモリ上限。", WATCH)),
    _of(counter("jvm_gc_collection_seconds_count", "collections", "gc",
                "Garbage collections.", "ガベージコレクションの回数。", WATCH)),
    _of(counter("jvm_gc_collection_seconds_sum", "seconds", "gc",
                "Time spent in garbage collections.", "ガベージコレクションの所要時間。", WATCH)),
    _of(gauge("jvm_threads_current", "threads", "", "Threads of Java.", "Javaのスレッド数。", WATCH)),
    _of(gauge("jvm_threads_deadlocked", "threads", "",
              "Threads that wait for each other for ever.", "デッドロック中のスレッド数。", WATCH, READINESS)),
    _of(gauge("jmx_scrape_duration_seconds", "seconds", "",
              "Time that the exporter took to read all beans.", "JMX読出しの所要時間。", WATCH)),
    _of(gauge("jmx_scrape_error", "boolean", "",
              "1 if the exporter could not read the beans.", "JMX読出し失敗（1）。", WATCH, READINESS)),
)  # fmt: skip
METRICS: Final[tuple[Metric, ...]] = tuple(each.metric for each in SERIES)
