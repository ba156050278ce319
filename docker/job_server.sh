#!/bin/sh
# Starts Beam's job server of an engine from the class path that `make flink-jars` or `make
# spark-jars` fetched. Flags go to the server; without an address of a cluster, each job gets a
# local engine inside this process.
#
#     sh docker/job_server.sh flink --job-port=8099
#     sh docker/job_server.sh flink --job-port=8099 --flink-master=flink-jobmanager:8081
#     sh docker/job_server.sh spark --job-port=8099 --spark-master-url='local[2]'
set -eu

engine=${1:-}
case $engine in
    flink) main=flink.FlinkJobServerDriver master='--flink-master=[local]' ;;
    spark) main=spark.SparkJobServerDriver master='--spark-master-url=local[*]' ;;
    *)
        echo "job_server: the first argument must be flink or spark, received '$engine'" >&2
        exit 64
        ;;
esac
shift

here=$(cd "$(dirname "$0")" && pwd)
jars=$here/../build/$engine/jars
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

if [ ! -e "$jars/.complete" ]; then
    echo "job_server: no class path at $jars: run 'make $engine-jars' (needs a JDK and Maven)" >&2
    exit 69
fi
# The expansion service is for pipelines of several languages.
exec "$java" "@$here/$engine/java.options" -cp "$jars/*" "org.apache.beam.runners.$main" \
    --job-host=127.0.0.1 --expansion-port=-1 "$master" "$@"
