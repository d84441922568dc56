//! Names of components that the Collector (core and contrib) has and Trunkline
//! does not have yet, so that a configuration with one is told so.

use crate::component::Kind;

const RECEIVERS: &str = "activedirectoryds aerospike apache apachespark awscloudwatch awscontainerinsightreceiver awsecscontainermetrics awsfirehose awss3 awsxray azure_blob azure_event_hub azure_monitor azureblob azureeventhub azuremonitor bigip carbon chrony ciscoos cloudflare cloudfoundry collectd couchdb datadog docker_stats elasticsearch envoyals expvar faro file_log file_stats filelog filestats flinkmetrics fluent_forward fluentforward github gitlab googlecloudmonitoring googlecloudpubsub googlecloudspanner haproxy host_metrics hostmetrics http_check httpcheck iis influxdb jaeger jmx journald k8s_cluster k8s_events k8sobjects k8s_objects kafka kafkametrics kubeletstats libhoney loki memcached mongodb mongodbatlas mysql named_pipe namedpipe netflow netscaler nginx ntp nsxt oracledb osquery otelarrow otlp_json_file otlpjsonfile podman_stats postgresql prometheus prometheus_remote_write prometheusremotewrite pulsar purefa purefb rabbitmq receiver_creator redis redfish riak saphana signalfx simpleprometheus skywalking snmp snowflake solace splunk_hec splunkenterprise sqlquery sqlserver sshcheck statsd stef syslog systemd tcpcheck tcplog tlscheck udplog vcenter webhookevent windowseventlog windowsperfcounters windowsservice yanggrpc zipkin zookeeper";
const PROCESSORS: &str = "coralogix cumulativetodelta cumulative_to_delta deltatocumulative delta_to_cumulative deltatorate delta_to_rate dnslookup dns_lookup experimental_metricsgeneration geoip groupbyattrs groupbytrace interval isolationforest k8sattributes k8s_attributes log_dedup logdedup logstransform logs_transform lookup metric_start_time metricsgeneration metricstarttime metricstransform metrics_transform probabilistic_sampler queue_batch redaction remotetap resourcedetection resource_detection schema span sumologic tail_sampling unroll";
const EXPORTERS: &str = "alertmanager alibabacloud_logservice awscloudwatchlogs awsemf awskinesis awss3 awsxray azureblob azure_blob azuredataexplorer azuremonitor azure_monitor bmchelix carbon cassandra clickhouse coralogix datadog dataset doris elasticsearch faro googlecloud googlecloudpubsub googlecloudstorage googlemanagedprometheus honeycombmarker influxdb kafka loadbalancing load_balancing logging logicmonitor logzio mezmo opensearch otelarrow prometheus prometheus_remote_write prometheusremotewrite pulsar rabbitmq sapm sematext sentry signalfx splunk_hec stef sumologic syslog tencentcloud_logservice tinybird zipkin";
const CONNECTORS: &str = "count datadog exceptions failover grafanacloud metricsaslogs otlpjson otlp_json roundrobin servicegraph service_graph signaltometrics signal_to_metrics slowsql spanmetrics span_metrics spanmetricsconnector sum";
const EXTENSIONS: &str = "ack asapclient aws_proxy awsproxy avro_log_encoding azure_auth azure_encoding azureauth basicauth basic_auth bearertokenauth bearer_token_auth cfgarden cgroup_runtime cgroupruntime datadog db_storage docker_observer ecs_observer ecs_task_observer file_storage google_cloud_logentry_encoding googleclientauth headers_setter healthcheckv2 host_observer http_forwarder jaeger_encoding jaegerremotesampling json_log_encoding k8s_leader_elector k8s_observer kafka_topics_observer memory_limiter oauth2client oidc opamp opampcustommessages otlp_encoding redis_storage remotetap sigv4auth skywalking_encoding solarwindsapmsettings sumologic text_encoding zipkin_encoding";

/// The names of a kind.
pub fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    match kind {
        Kind::Receiver => RECEIVERS,
        Kind::Processor => PROCESSORS,
        Kind::Exporter => EXPORTERS,
        Kind::Connector => CONNECTORS,
        Kind::Extension => EXTENSIONS,
    }
    .split_ascii_whitespace()
}
