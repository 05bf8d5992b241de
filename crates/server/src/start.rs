//! Starts and stops the server. Only this module starts the server's tasks; each has a name and gets the stop signal.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use app::{
    App, FirstAdministrator, Installation, Parts, kubernetes::ClusterAuthority, state::clock::SystemClock,
};
use axum::{Router, response::Response};
use crypto::random::System;
use http::{HeaderValue, Request, StatusCode, header};
use kubeapi::Webhook;
use store::{Store, StoreConfig, StoreError};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use web::{
    page::plain,
    serve::{Answers, AskedBody, CertificateFiles, ClientAuthority, Limits, ServerCertificate, Tls},
    trace::{Counts, RequestContext},
};

use crate::{
    first_start::{DataDirectory, OwnTls, first_administrator},
    health,
    metrics::{self, SURFACES, surface_of},
    outbound::Https,
    recover,
    say::say,
    settings::{Settings, Storage},
    transport,
};

/// A running server.
#[derive(Debug)]
pub struct Running {
    pub app: App,
    /// The URL that users and clients use.
    pub url: String,
    pub address: SocketAddr,
    pub metrics_address: SocketAddr,
    /// The CA that clients must trust, in PEM.
    pub authority: String,
    pub installation: Installation,
    /// The first administrator, if the installation is new.
    pub first_administrator: Option<FirstAdministrator>,
    data_directory: Option<PathBuf>,
    stop: watch::Sender<bool>,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

/// Starts a server and returns when it accepts connections.
pub async fn start(settings: Settings) -> anyhow::Result<Running> {
    let random = Arc::new(System::default());
    let clock = Arc::new(SystemClock);
    let now = app::Clock::now(&*clock);
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("listening on {}: is another server running there?", settings.listen))?;
    let address = listener.local_addr()?;
    let url =
        settings.external_url.clone().unwrap_or_else(|| format!("https://localhost:{}", address.port()));

    let temporary;
    let (directory, config) = match &settings.storage {
        Storage::Directory(path) => {
            let directory = DataDirectory::open(path)?;
            let config = StoreConfig::Embedded { path: directory.path().to_owned() };
            (directory, config)
        }
        Storage::Memory => {
            temporary = tempfile::tempdir().context("making a temporary directory")?;
            (DataDirectory::open(temporary.path())?, StoreConfig::Memory)
        }
    };
    let own = directory.own_tls(&names(&url), now, &*random)?;
    let sealer = directory.sealer(&*random)?;
    let (certificate, files, authority) = certificate(&settings, own).await?;

    let store = open_store(&config).await?;
    let parts = Parts {
        store,
        clock,
        random: random.clone(),
        sealer,
        settings: app::Settings { external_url: url.clone(), authority_certificate: authority.clone() },
    };
    let (app, follow) = App::open(parts).await.context("reading the state")?;
    app.connect_outbound(Arc::new(Https::new(settings.outside_authorities.as_deref())?));
    if let Some(own) =
        settings.external_issuers.iter().find(|each| each.issuer.starts_with(&format!("{url}/")))
    {
        bail!("authority \"{}\": its issuer is this installation itself", own.name);
    }
    app.sign_in().trust_authorities(settings.external_issuers.clone());
    if let Some(reuse) = settings.refresh_reuse {
        app.sign_in().let_refresh_tokens_be_reused_for(reuse);
    }
    let (stop, stopping) = watch::channel(false);
    let mut tasks: Vec<(&'static str, JoinHandle<()>)> = Vec::new();
    let follower = app.clone();
    tasks.push(("follow", tokio::spawn(async move {
        if let Err(error) = follow.await {
            tracing::error!(%error, "changes are not followed any more: the state grows stale and nothing is allowed");
        }
        follower.mark_stale();
    })));

    let mut first = None;
    let is_kept = matches!(settings.storage, Storage::Directory(_));
    let installation = app
        .install(|| {
            let made = first_administrator(settings.first_password.clone(), &*random)?;
            if is_kept {
                let written = directory.write_first_admin(&url, None, &made);
                written.map_err(|error| app::Error::Unavailable(format!("{error:#}")))?;
            }
            let upn = made.upn.clone();
            let password = made.password.clone();
            first = Some(FirstAdministrator { upn, password });
            Ok(made)
        })
        .await
        .context(match &settings.first_password {
            Some(_) => "making the installation, with the password of PORTCULLIS_ADMIN_PASSWORD",
            None => "making the installation",
        })?;
    if let (Some(first), true) = (&first, is_kept) {
        directory.write_first_admin(&url, Some(&installation), first)?;
    }
    recover::recover(&app, &settings, &directory, (&url, &installation), &*random).await?;
    app.kubernetes()
        .restore_bootstrap_objects()
        .await
        .context("putting back the default objects of clusters")?;
    kubeapi::mend::mend_stored_objects(&app).await.context("mending objects that cannot be decoded")?;
    if let Err(error) = app.kubernetes().finish_namespaces(None).await {
        tracing::warn!(?error, "some namespaces are still being deleted");
    }

    let tls = Tls::new(certificate)?;
    tls.trust(client_authorities(&app.kubernetes().cluster_authorities()))?;
    let counts = Arc::new(Counts::new(&SURFACES, surface_of));
    let metrics_listener = TcpListener::bind(settings.metrics_listen)
        .await
        .with_context(|| format!("listening for metrics on {}", settings.metrics_listen))?;
    let metrics_address = metrics_listener.local_addr()?;
    let metrics = metrics::serve(metrics_listener, app.clone(), counts.clone(), stopped(stopping.clone()));
    tasks.push(("metrics", tokio::spawn(metrics)));
    tasks.push(("trust", tokio::spawn(keep_trust(app.clone(), tls.clone(), stopping.clone()))));
    let (finishing, finishing_stop) = (app.clone(), stopped(stopping.clone()));
    tasks.push(("finish", tokio::spawn(async move { finishing.keep_finishing(finishing_stop).await })));
    let (jobs, folding) = (app.clone(), app.clone());
    let (jobs_stop, folding_stop) = (stopped(stopping.clone()), stopped(stopping.clone()));
    tasks.push(("jobs", tokio::spawn(async move { jobs.run_jobs(jobs_stop).await })));
    tasks.push(("fold", tokio::spawn(async move { folding.keep_folded(folding_stop).await })));
    let (uses, uses_stop) = (app.clone(), stopped(stopping.clone()));
    tasks.push((
        "webhook certificates",
        tokio::spawn(async move { uses.kubernetes().keep_webhook_uses(uses_stop).await }),
    ));
    if let Some(files) = files {
        let (followed, follow_stop) = (tls.clone(), stopped(stopping.clone()));
        tasks.push(("certificate", tokio::spawn(follow_certificate(files, followed, follow_stop))));
    }
    let served = app.clone();
    let surfaces = move || Surfaces::new(served.for_thread());
    let serving = web::serve::serve(listener, tls, surfaces, counts, Limits::default(), stopped(stopping))
        .context("starting the threads that serve")?;
    tasks.push((
        "serve",
        tokio::spawn(async move {
            let cut_off = serving.await;
            if cut_off > 0 {
                tracing::info!(connections = cut_off, "some connections were cut off at the end");
            }
        }),
    ));

    let data_directory = match &settings.storage {
        Storage::Directory(_) => Some(directory.path().to_owned()),
        Storage::Memory => None,
    };
    Ok(Running {
        app,
        url,
        address,
        metrics_address,
        authority,
        installation,
        first_administrator: first,
        data_directory,
        stop,
        tasks,
    })
}

impl Running {
    /// Prints the addresses and files on standard output.
    pub fn announce(&self) -> anyhow::Result<()> {
        tracing::info!(server.url = self.url, server.address = %self.address, "serving");
        say(format_args!("Portcullis serves on {}", self.url))?;
        say(format_args!("  portal     {}/portal/", self.url))?;
        say(format_args!("  metrics    http://{}/metrics", self.metrics_address))?;
        if let Some(directory) = &self.data_directory {
            say(format_args!("  data       {}", directory.display()))?;
            let first = directory.join("first-admin.json");
            if first.exists() {
                say(format_args!("  sign in    portcullis login --from {}", first.display()))?;
            }
        }
        Ok(())
    }

    /// Whether it listens on a non-loopback address although its URL is a loopback one, which other machines cannot
    /// use.
    pub fn is_out_of_reach(&self) -> bool {
        let host = names(&self.url).into_iter().next().unwrap_or_default();
        let is_own = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        is_own && !self.address.ip().is_loopback()
    }

    /// Stops accepting requests, lets active ones finish, and ends every task.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        for (name, task) in self.tasks {
            if name == "follow" {
                // This task ends only with the store, which it holds open until it is gone.
                task.abort();
                let _ = task.await;
                continue;
            }
            if let Err(error) = task.await {
                tracing::error!(%error, task = name, "a task ended badly");
            }
        }
        Ok(())
    }
}

/// Dispatches requests to the surfaces. Webhook calls, one for each request of an attached cluster, bypass the router.
#[derive(Debug)]
struct Surfaces {
    app: App,
    router: Router,
    strict_transport: Option<HeaderValue>,
}

impl Surfaces {
    fn new(app: App) -> Self {
        let strict_transport = transport::strict(&app.settings().external_url);
        Self { router: router(app.clone()), app, strict_transport }
    }
}

impl Answers for Surfaces {
    async fn answer(&self, mut request: Request<AskedBody>, context: RequestContext) -> Response {
        if let Some(uri) = arm::in_usual_form(request.uri()) {
            *request.uri_mut() = uri;
        }
        match Webhook::asked(request.method(), request.uri().path()) {
            Some(webhook) => webhook.answer(&self.app, &context.peer, request.into_body()).await,
            None => {
                let mut response = self.router.answer(request, context).await;
                if let Some(header) = &self.strict_transport {
                    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, header.clone());
                }
                response
            }
        }
    }

    fn failure(&self, path: &str, status: StatusCode, text: String) -> Response {
        let mut response = match SURFACES.get(surface_of(path)) {
            Some(&("arm" | "graph")) => arm::failure(status, &text),
            _ => plain(status, text),
        };
        if let Some(header) = &self.strict_transport {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, header.clone());
        }
        response
    }
}

/// Opens the store; the error for a damaged one names the remedy.
pub(crate) async fn open_store(config: &StoreConfig) -> anyhow::Result<Arc<dyn Store>> {
    store::open(config).await.map_err(|error| {
        let what = match &error {
            StoreError::Corrupt { .. } => "opening the store: it is not mended by itself, restore a copy",
            _ => "opening the store",
        };
        anyhow::Error::from(error).context(what)
    })
}

/// The router of all surfaces.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(oauth::routes())
        .merge(portal::routes())
        .merge(graph::routes())
        .merge(arm::routes())
        .merge(kubeapi::routes())
        .merge(health::routes())
        .fallback(arm::unknown)
        .with_state(app)
}

/// The host names that the server's own certificate must have.
fn names(url: &str) -> Vec<String> {
    let authority = url.split("://").nth(1).unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !host.is_empty() && !names.iter().any(|name| name == host) {
        names.insert(0, host.to_owned());
    }
    names
}

type Certificate = (ServerCertificate, Option<CertificateFiles>, String);

/// The server certificate, provided by the operator or self-issued, and the CA that clients must trust.
async fn certificate(settings: &Settings, own: OwnTls) -> anyhow::Result<Certificate> {
    let Some(tls) = &settings.tls else {
        let certificate =
            ServerCertificate::from_pem(own.certificate.as_bytes(), own.key.expose().as_bytes())?;
        return Ok((certificate, None, own.authority));
    };
    let (files, certificate) = CertificateFiles::load(tls.certificate.clone(), tls.key.clone()).await?;
    // The last certificate of the provided chain is the CA that clients must trust.
    let chain = std::fs::read_to_string(&tls.certificate)?;
    let last = chain.rfind("-----BEGIN CERTIFICATE-----").and_then(|start| chain.get(start..));
    let authority = last.context("the certificate file holds no certificate in PEM form")?;
    Ok((certificate, Some(files), authority.to_owned()))
}

/// The authorities of clusters, by the cluster's id.
fn client_authorities(authorities: &[ClusterAuthority]) -> Vec<ClientAuthority> {
    // One that cannot be read vouches for nobody, and is no reason not to serve the others.
    let client_authority = |authority: &ClusterAuthority| match crypto::cert::Certificate::from_pem(
        &authority.certificate_pem,
    ) {
        Ok(certificate) => {
            Some(ClientAuthority { name: authority.cluster.to_string().into(), certificate: certificate.der })
        }
        Err(error) => {
            tracing::error!(cluster.id = %authority.cluster, %error, "the authority of a cluster cannot be read");
            None
        }
    };
    authorities.iter().filter_map(client_authority).collect()
}

/// Updates the TLS client CAs when clusters are created, changed or deleted.
async fn keep_trust(app: App, tls: Tls, mut stopping: watch::Receiver<bool>) {
    let mut revisions = app.revisions();
    let mut known = Vec::new();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            changed = revisions.changed() => if changed.is_err() { return },
        }
        let current = app.kubernetes().cluster_authorities();
        if current == known {
            continue;
        }
        match tls.trust(client_authorities(&current)) {
            Ok(()) => known = current,
            Err(error) => tracing::error!(%error, "the authorities of clusters could not be taken over"),
        }
    }
}

async fn follow_certificate(files: CertificateFiles, tls: Tls, stop: impl Future<Output = ()>) {
    tokio::select! {
        () = stop => {}
        () = files.follow(tls, CERTIFICATE_PAUSE) => {}
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender, and so the server, is gone.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// The polling interval for the provided certificate files.
const CERTIFICATE_PAUSE: Duration = Duration::from_secs(30);
