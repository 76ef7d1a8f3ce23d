#!/bin/sh
# Runs kafka.Kafka on /etc/kafka/server.properties, as process 1's only child, below /var/lib/kafka.
#   /etc/kafka     server.properties, PEM files; if there: log4j2.xml, cluster.id, exporter.json and exporter.address
#   HUB_KAFKA_HEAP Java's -Xmx (512m); HUB_KAFKA_COMPILER=quick for a node that lives for minutes
#   KAFKA_CLUSTER_ID where there is no cluster.id; a node alone may have neither
# A data directory that is new is formatted. One that lost what makes it readable is refused: Kafka would take its
# topics for strays and delete them.
set -eu
umask 077
config=/etc/kafka/server.properties
home=/var/lib/kafka
cd "$home"
mkdir -p logs tmp
data=$(sed -n 's/^log\.dirs=//p' "$config")
mkdir -p "$data"

options="-Xmx${HUB_KAFKA_HEAP:-512m} -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError -XX:-UsePerfData
  -XX:-CreateCoredumpOnCrash -XX:ErrorFile=$home/logs/java-%p.log -Xshare:auto -Xlog:disable -Xlog:all=error:stderr
  --sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED
  -Djava.io.tmpdir=$home/tmp -Djava.awt.headless=true -Dlog4j2.disable.jmx=true"
[ "${HUB_KAFKA_COMPILER:-full}" != quick ] || options="$options -XX:TieredStopAtLevel=1"
[ ! -f /etc/kafka/log4j2.xml ] || options="$options -Dlog4j2.configurationFile=/etc/kafka/log4j2.xml"
unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS # they could load agents

partitions=$(find "$data" -maxdepth 1 -type d -name '*-[0-9]*' ! -name '__cluster_metadata-0' | head -n 1)
metadata=$(find "$data" -path '*/__cluster_metadata-0/*.log' 2>/dev/null | head -n 1)
if [ -n "$partitions" ] && { [ ! -f "$data/meta.properties" ] || [ -z "$metadata" ]; }; then
  echo "kafka: $data has topics, and has lost meta.properties or the metadata log; nothing was touched" >&2
  exit 1
fi
if [ ! -f "$data/meta.properties" ] || [ -z "$metadata" ]; then
  id=${KAFKA_CLUSTER_ID:-}
  [ ! -f /etc/kafka/cluster.id ] || id=$(cat /etc/kafka/cluster.id)
  if [ -z "$id" ]; then
    if grep -q '^controller.quorum.voters=.*,' "$config"; then
      echo "kafka: a member of a cluster needs cluster.id or KAFKA_CLUSTER_ID" >&2
      exit 1
    fi
    # shellcheck disable=SC2086
    id=$(/opt/java/bin/java $options -cp "$(cat /opt/kafka/classpath)" kafka.tools.StorageTool random-uuid)
  fi
  # shellcheck disable=SC2086
  /opt/java/bin/java $options -cp "$(cat /opt/kafka/classpath)" kafka.tools.StorageTool format \
    --ignore-formatted --config "$config" "--cluster-id=$id"
fi
if [ -f /etc/kafka/exporter.json ]; then
  options="$options -Djava.security.properties=/etc/kafka/java.security"
  options="$options -javaagent:/opt/kafka/agent.jar=$(cat /etc/kafka/exporter.address):/etc/kafka/exporter.json"
fi
# shellcheck disable=SC2086
exec /opt/java/bin/java $options -cp "$(cat /opt/kafka/classpath)" kafka.Kafka "$config"
