//! Metrics in the Prometheus text format, on a separate loopback address.

use std::{fmt, net::SocketAddr, sync::Arc};

use app::{App, RecordCounts};
use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet, prometheus_text},
    metrics::MetricType,
    registry::Registry,
};
use tokio::net::TcpListener;
use web::trace::{Counts, DURATION_BOUNDS};

/// The names of the counted surfaces; [`surface_of`] gives the index.
pub const SURFACES: [&str; 7] = ["authority", "graph", "arm", "webhook", "kubernetes", "portal", "health"];

/// The index in [`SURFACES`] of the surface that serves a path.
pub fn surface_of(path: &str) -> usize {
    match path.split('/').find(|segment| !segment.is_empty()).unwrap_or_default() {
        "v1.0" | "beta" => 1,
        "subscriptions" | "providers" | "tenants" | "metadata" => 2,
        "webhooks" => 3,
        "clusters" => 4,
        "portal" | "devicelogin" => 5,
        "healthz" | "livez" | "readyz" => 6,
        _ => 0,
    }
}

/// Serves `/metrics` until `stop` is ready.
pub async fn serve(
    listener: TcpListener,
    app: App,
    counts: Arc<Counts>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let router = Router::new().route("/metrics", get(render)).with_state((app, counts));
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
        tracing::error!(%error, "the metrics are not served any more");
    }
}

/// The address of the metrics.
pub fn address(listener: &TcpListener) -> std::io::Result<SocketAddr> {
    listener.local_addr()
}

async fn render(State((app, counts)): State<(App, Arc<Counts>)>) -> Result<impl IntoResponse, StatusCode> {
    let mut registry = Registry::with_prefix("portcullis");
    registry.register_collector(Box::new(Measured { app, counts }));
    let mut text = String::new();
    // Writing to a String cannot fail.
    prometheus_text::encode(&mut text, &registry).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text))
}

/// Collects values from the application at each scrape, so that no counters are duplicated.
#[derive(Debug)]
struct Measured {
    app: App,
    counts: Arc<Counts>,
}

impl Collector for Measured {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.app.record_counts();
        encode_records(&mut encoder, counts)?;
        self.encode_webhooks(&mut encoder)?;
        let help = "Stored records that cannot be read and are set aside.";
        gauges(&mut encoder, "unreadable_records", help, [(NO_LABELS, counts.unreadable)])?;
        self.encode_requests(&mut encoder)
    }
}

impl Measured {
    /// What keeps attached clusters from asking, and what will.
    fn encode_webhooks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let refusals = self
            .app
            .kubernetes()
            .webhook_refusals()
            .map(|(refused, count)| ([("reason", refused.word())], count));
        let help = "Requests of webhooks without a certificate that counts.";
        counters(encoder, "webhook_refusals", help, refusals)?;
        let ends = self.app.kubernetes().webhook_certificate_ends().into_iter();
        let ends =
            ends.map(|end| ([("cluster", end.name), ("id", end.cluster.to_string())], end.at.as_second()));
        let help = "When the newest certificate in use of a cluster ends.";
        gauges(encoder, "webhook_certificate_expiry_seconds", help, ends)
    }

    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let classes = [(1, "1xx"), (2, "2xx"), (3, "3xx"), (4, "4xx"), (5, "5xx")];
        let answers = self.counts.surfaces().iter().flat_map(|surface| {
            classes.map(|(class, status)| {
                ([("surface", surface.name), ("status", status)], surface.answers(class))
            })
        });
        counters(encoder, "requests", "Requests answered.", answers)?;
        let help = "Time from request to answer.";
        let mut family = encoder.encode_descriptor("request_seconds", help, None, MetricType::Histogram)?;
        for surface in self.counts.surfaces() {
            let durations = surface.durations();
            let bounds = DURATION_BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(durations).collect();
            let (sum, count) = (surface.time().as_secs_f64(), durations.iter().sum());
            let labels = [("surface", surface.name)];
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

fn encode_records(encoder: &mut DescriptorEncoder<'_>, counts: RecordCounts) -> fmt::Result {
    let help = "Revision of the state that decisions are taken on.";
    gauges(encoder, "revision", help, [(NO_LABELS, counts.revision)])?;
    let records = [
        ("users", counts.users),
        ("groups", counts.groups),
        ("role_assignments", counts.role_assignments),
        ("clusters", counts.clusters),
    ];
    let records = records.map(|(kind, count)| ([("kind", kind)], count));
    gauges(encoder, "records", "Records of each kind.", records)
}

/// A family of gauges: a value for each set of labels.
fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, impl EncodeGaugeValue)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    values.into_iter().try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
}

/// Encodes a family of counters. The encoder adds `_total` to its name.
fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    values.into_iter().try_for_each(|(labels, value)| {
        family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&value, None)
    })
}

const NO_LABELS: [(&str, &str); 0] = [];
