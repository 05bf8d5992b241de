//! The metrics as a scraper reads them: their names, types and labels are what alarms are built on.

use std::collections::BTreeSet;
use testserver::Site;

/// In their order; a histogram stands for its buckets, sum and count.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("portcullis_revision", "gauge", "Revision of the state that decisions are taken on."),
    ("portcullis_records", "gauge", "Records of each kind."),
    (
        "portcullis_webhook_refusals_total",
        "counter",
        "Requests of webhooks without a certificate that counts.",
    ),
    (
        "portcullis_webhook_certificate_expiry_seconds",
        "gauge",
        "When the newest certificate in use of a cluster ends.",
    ),
    ("portcullis_unreadable_records", "gauge", "Stored records that cannot be read and are set aside."),
    ("portcullis_requests_total", "counter", "Requests answered."),
    ("portcullis_request_seconds", "histogram", "Time from request to answer."),
];

struct Sample {
    name: String,
    labels: String,
    value: f64,
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap().to_owned();
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap() }
}

async fn scraped(site: &Site) -> String {
    let address = format!("http://{}/metrics", site.running.metrics_address);
    let answer = site.http.get(address).send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    answer.text().await.unwrap()
}

#[tokio::test]
async fn families_have_the_names_types_and_help_that_alarms_are_built_on() {
    let site = Site::start(|_| {}).await;
    let text = scraped(&site).await;
    let mut lines = text.lines().peekable();
    for (name, kind, help) in FAMILIES {
        assert_eq!(lines.next().unwrap(), format!("# HELP {name} {help}"));
        assert_eq!(lines.next().unwrap(), format!("# TYPE {name} {kind}"));
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let found = sample(line);
            let suffix = found.name.strip_prefix(name).unwrap();
            let expected: &[&str] = if *kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(expected.contains(&suffix), "{line}");
        }
    }
    assert_eq!(lines.next(), None);
    assert!(text.ends_with('\n'));
}

#[tokio::test]
async fn every_series_stands_once_and_counts_what_was_answered() {
    let site = Site::start(|_| {}).await;
    for path in ["/v1.0/me", "/v1.0/users", "/healthz"] {
        site.send(site.http.get(site.url(path))).await;
    }
    let text = scraped(&site).await;
    let samples: Vec<Sample> = text.lines().filter(|line| !line.starts_with('#')).map(sample).collect();
    let value = |name: &str, labels: &str| {
        let found = samples.iter().find(|each| each.name == name && each.labels == labels);
        found.unwrap_or_else(|| panic!("{name}{{{labels}}} in {text}")).value
    };
    let series: BTreeSet<_> = samples.iter().map(|each| (&each.name, &each.labels)).collect();
    assert_eq!(series.len(), samples.len());
    assert_eq!(value("portcullis_records", "kind=\"users\""), 1.0);
    assert_eq!(value("portcullis_requests_total", "surface=\"graph\",status=\"4xx\""), 2.0);
    assert_eq!(value("portcullis_requests_total", "surface=\"health\",status=\"2xx\""), 1.0);
    assert_eq!(value("portcullis_requests_total", "surface=\"portal\",status=\"5xx\""), 0.0);
    let bounds = ["0.0001", "0.0005", "0.001", "0.005", "0.025", "0.1", "0.5", "2.5", "10", "+Inf"];
    let below = bounds.map(|bound| {
        value("portcullis_request_seconds_bucket", &format!("surface=\"graph\",le=\"{bound}\""))
    });
    assert!(below.is_sorted(), "{below:?}");
    assert_eq!(below[9], 2.0);
    assert_eq!(value("portcullis_request_seconds_count", "surface=\"graph\""), 2.0);
    assert!(value("portcullis_request_seconds_sum", "surface=\"graph\"") > 0.0);
}
