#!/bin/sh
# Starts Beam's Flink job server from the class path that `make flink-jars` fetched. Flags go to the
# server; without --flink-master each job gets a local Flink inside this process.
#
#     sh docker/flink/job_server.sh --job-port=8099
#     sh docker/flink/job_server.sh --job-port=8099 --flink-master=flink-jobmanager:8081
set -eu

here=$(cd "$(dirname "$0")" && pwd)
jars=${FLINK_JARS:-$here/../../build/flink/jars}
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

if [ ! -e "$jars/.complete" ]; then
    echo "job_server: no class path at $jars: run 'make flink-jars' (needs a JDK and Maven)" >&2
    exit 69
fi
# The expansion service is for pipelines of several languages.
exec "$java" "@$here/java.options" -cp "$jars/*" \
    org.apache.beam.runners.flink.FlinkJobServerDriver \
    --job-host=127.0.0.1 --expansion-port=-1 --flink-master='[local]' "$@"
