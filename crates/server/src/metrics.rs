//! Metrics in the text form of Prometheus, on a loopback address of their own.

use std::{fmt::Write, net::SocketAddr, sync::Arc};

use app::App;
use axum::{Router, extract::State, routing::get};
use tokio::net::TcpListener;
use web::trace::{Counts, DURATION_BOUNDS};

/// The surfaces that are counted, in the order of [`surface_of`].
pub const SURFACES: [&str; 7] = ["authority", "graph", "arm", "webhook", "kubernetes", "portal", "health"];

/// Which surface a path belongs to: its place in [`SURFACES`].
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

/// Where the metrics are.
pub fn address(listener: &TcpListener) -> std::io::Result<SocketAddr> {
    listener.local_addr()
}

async fn render(State((app, counts)): State<(App, Arc<Counts>)>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, &app, &counts);
    text
}

fn write_all(text: &mut String, app: &App, counts: &Counts) -> std::fmt::Result {
    let snapshot = app.state().snapshot();
    writeln!(text, "# HELP portcullis_revision Revision of the state that decisions are taken on.")?;
    writeln!(text, "# TYPE portcullis_revision gauge\nportcullis_revision {}", snapshot.revision())?;
    let sizes = [
        ("users", snapshot.directory().users().count()),
        ("groups", snapshot.directory().groups().count()),
        ("role_assignments", snapshot.azure().assignments().count()),
        ("clusters", snapshot.clusters().count()),
    ];
    writeln!(text, "# HELP portcullis_records Records of each kind.\n# TYPE portcullis_records gauge")?;
    for (kind, count) in sizes {
        writeln!(text, "portcullis_records{{kind=\"{kind}\"}} {count}")?;
    }
    write_webhooks(text, app)?;
    writeln!(
        text,
        "# HELP portcullis_unreadable_records Stored records that cannot be read and are set aside."
    )?;
    writeln!(text, "# TYPE portcullis_unreadable_records gauge")?;
    writeln!(text, "portcullis_unreadable_records {}", snapshot.unreadable().count())?;
    writeln!(
        text,
        "# HELP portcullis_requests_total Requests answered.\n# TYPE portcullis_requests_total counter"
    )?;
    for surface in counts.surfaces() {
        for class in 1..=5 {
            let answers = surface.answers(class);
            writeln!(
                text,
                "portcullis_requests_total{{surface=\"{}\",status=\"{class}xx\"}} {answers}",
                surface.name
            )?;
        }
    }
    writeln!(
        text,
        "# HELP portcullis_request_seconds Time from request to answer.\n# TYPE portcullis_request_seconds histogram"
    )?;
    for surface in counts.surfaces() {
        let durations = surface.durations();
        let mut below = 0;
        for (bound, count) in DURATION_BOUNDS.iter().zip(durations) {
            below += count;
            writeln!(
                text,
                "portcullis_request_seconds_bucket{{surface=\"{}\",le=\"{bound}\"}} {below}",
                surface.name
            )?;
        }
        let all: u64 = durations.iter().sum();
        writeln!(
            text,
            "portcullis_request_seconds_bucket{{surface=\"{}\",le=\"+Inf\"}} {all}",
            surface.name
        )?;
        writeln!(
            text,
            "portcullis_request_seconds_sum{{surface=\"{}\"}} {}",
            surface.name,
            surface.time().as_secs_f64()
        )?;
        writeln!(text, "portcullis_request_seconds_count{{surface=\"{}\"}} {all}", surface.name)?;
    }
    Ok(())
}

/// What keeps attached clusters from asking, and what will.
fn write_webhooks(text: &mut String, app: &App) -> std::fmt::Result {
    writeln!(
        text,
        "# HELP portcullis_webhook_refusals_total Requests of webhooks without a certificate that counts.\n\
         # TYPE portcullis_webhook_refusals_total counter"
    )?;
    for (refused, count) in app.kubernetes().webhook_refusals() {
        writeln!(text, "portcullis_webhook_refusals_total{{reason=\"{}\"}} {count}", refused.word())?;
    }
    writeln!(
        text,
        "# HELP portcullis_webhook_certificate_expiry_seconds When the newest certificate in use of a cluster ends.\n\
         # TYPE portcullis_webhook_certificate_expiry_seconds gauge"
    )?;
    let now = app.now();
    for cluster in app.state().snapshot().clusters() {
        let mut newest = cluster.webhook_certificates.iter().rev();
        let in_use = newest.find(|each| each.seen.is_some() && each.counts(now));
        if let Some(until) = in_use.and_then(domain::webhook_certificate::WebhookCertificate::until) {
            writeln!(
                text,
                "portcullis_webhook_certificate_expiry_seconds{{cluster=\"{}\",id=\"{}\"}} {}",
                cluster.name,
                cluster.id,
                until.as_second()
            )?;
        }
    }
    Ok(())
}
