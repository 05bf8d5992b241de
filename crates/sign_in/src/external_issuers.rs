//! People of another Entra-shaped authority, as callers of clusters: a token that their authority made out to our
//! application there, their groups from the token or, of more than 200, from that authority's Graph on their behalf.
//!
//! They are nobody in our directory, so they have no object id here and no role assignment can name them: only a
//! cluster's own bindings can. A token that claims a name, an object or a group of ours is refused, whoever signed it.
//!
//! ```text
//!   token ──► issuer's keys ──► groups in the token? ──► yes ──────────────────────► user
//!                                                   └──► no: on behalf of ──► Graph ──► user
//! ```

use std::sync::Arc;

use crypto::{
    jwt::{self, Claims},
    secret::Secret,
};
use domain::{id::ObjectId, kube::User, snapshot::Snapshot};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    SignIn,
    issuers::Issuer,
    tokens::seen::{SeenTokens, seen_tokens},
};
use state::outbound::{OutboundBody, OutboundRequest, origin};

/// An authority elsewhere whose people may call clusters here.
#[derive(Clone, Debug)]
pub struct ExternalIssuer {
    /// For `extra` and the log.
    pub name: String,
    /// As its tokens write it: `https://HOST/TENANT/v2.0`.
    pub issuer: String,
    /// Our application there: the audience of the tokens.
    pub client_id: String,
    /// Without it, people in more than 200 groups are refused.
    pub client_secret: Option<Secret<String>>,
    /// `https://HOST` of its Graph. Absent: the host that its discovery document names.
    pub graph: Option<String>,
}

/// What is known of external issuers and their tokens.
#[derive(Debug)]
pub(crate) struct ExternalState {
    authorities: std::sync::OnceLock<Vec<ExternalIssuer>>,
    verified: SeenTokens<Recognized>,
}

impl Default for ExternalState {
    fn default() -> Self {
        Self {
            authorities: std::sync::OnceLock::new(),
            verified: seen_tokens(MOST_TOKENS, USUAL_TOKEN_BYTES),
        }
    }
}

/// A caller, and how long the token need not be looked at again.
#[derive(Clone, Debug)]
struct Recognized {
    user: Arc<ExternalUser>,
    until: Timestamp,
}

/// A caller, and for whom their token was made.
#[derive(Clone, Debug)]
pub struct ExternalUser {
    pub user: User,
    pub audience: String,
}

impl SignIn {
    /// Says which authorities elsewhere count, once.
    pub fn trust_authorities(&self, authorities: Vec<ExternalIssuer>) {
        let _ = self.inner.external.authorities.set(authorities);
    }

    /// Looks at a token of an external issuer, and remembers for a while whom it stands for. Anything else is left
    /// alone. The error is for the log.
    pub async fn recognize_external(&self, token: &str) -> Result<(), String> {
        let Some(authority) = self.authority_of(token) else { return Ok(()) };
        if self.external_user(token).is_some() {
            return Ok(());
        }
        let (user, expires) = self.read_external(authority, token.trim_ascii()).await?;
        let until = self.state.now().checked_add(LIFE).map_or(expires, |until| until.min(expires));
        let recognized = Recognized { user: Arc::new(user), until };
        self.inner.external.verified.insert(token.trim_ascii().into(), recognized);
        Ok(())
    }

    /// Whom a token stands for that was recognized a moment ago.
    pub fn external_user(&self, token: &str) -> Option<Arc<ExternalUser>> {
        if self.inner.external.authorities.get().is_none_or(Vec::is_empty) || self.state.is_stale() {
            return None;
        }
        let known = self.inner.external.verified.get(token.trim_ascii())?;
        (self.state.now() < known.until).then_some(known.user)
    }

    /// The authority that a token says it is from. Nothing is believed yet.
    fn authority_of(&self, token: &str) -> Option<&ExternalIssuer> {
        let authorities = self.inner.external.authorities.get().filter(|each| !each.is_empty())?;
        let claims = jwt::parse(token).ok()?.claims_before_verification().ok()?;
        let issuer = claims.get("iss")?.as_str()?;
        authorities.iter().find(|each| each.issuer == issuer)
    }

    async fn read_external(
        &self,
        authority: &ExternalIssuer,
        token: &str,
    ) -> Result<(ExternalUser, Timestamp), String> {
        let parsed = jwt::parse(token).map_err(|error| error.to_string())?;
        let key = self.issuer_key(&authority.issuer, &parsed).await.map_err(|error| error.to_string())?;
        let claims = parsed.verify(&key).map_err(|error| error.to_string())?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let audience = text("aud");
        let bare =
            audience.strip_prefix("api://").or_else(|| audience.strip_prefix("spn:")).unwrap_or(audience);
        if !bare.eq_ignore_ascii_case(&authority.client_id) {
            return Err(format!(
                "the token was made for \"{audience}\", expected \"{}\"",
                authority.client_id
            ));
        }
        let expires = check_times(&claims, self.state.now())?;
        // An id token is not for calling anybody.
        if text("azp").is_empty() && text("appid").is_empty() {
            return Err("the token names no client".into());
        }
        let oid = ObjectId::parse(text("oid")).map_err(|_| "the token lacks the claim \"oid\"")?;
        let groups = match groups_of(&claims)? {
            Some(groups) => groups,
            None => self.ask_for_groups(authority, token).await?,
        };
        let name = if text("upn").is_empty() { oid.to_string() } else { text("upn").to_owned() };
        refuse_ours(&self.state.snapshot(), &name, oid, &groups)?;
        let user = User {
            name,
            uid: oid.to_string(),
            groups: groups.iter().map(ToString::to_string).collect(),
            extra: [(AUTHORITY.to_owned(), vec![authority.name.clone()])].into(),
        };
        Ok((ExternalUser { user, audience: audience.to_owned() }, expires))
    }

    /// The groups of a person whose token could not hold them: asked of their Graph on their behalf.
    async fn ask_for_groups(&self, authority: &ExternalIssuer, token: &str) -> Result<Vec<ObjectId>, String> {
        let secret = authority.client_secret.as_ref().ok_or_else(|| {
            format!("the caller is in too many groups for a token, and \"{}\" has no client secret to ask for them", authority.name)
        })?;
        let issuer = self.issuer(&authority.issuer, |_| true).await.map_err(|error| error.to_string())?;
        let endpoint = issuer.text("token_endpoint").unwrap_or_default();
        if origin(endpoint).is_none() || origin(endpoint) != origin(&authority.issuer) {
            return Err(format!("the token endpoint \"{endpoint}\" is not at the issuer's host"));
        }
        let graph = graph_of(authority, &issuer)?;
        let form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("requested_token_use", "on_behalf_of".to_owned()),
            ("client_id", authority.client_id.clone()),
            ("client_secret", secret.expose().clone()),
            ("assertion", token.to_owned()),
            ("scope", format!("{graph}/.default")),
        ];
        let request =
            OutboundRequest { url: endpoint.to_owned(), body: OutboundBody::Form(form), bearer: None };
        let traded = self.state.ask_outbound(request).await?;
        let access = traded.get("access_token").and_then(Value::as_str);
        let access = access.ok_or_else(|| format!("{endpoint} gave no token"))?;
        let url = format!("{graph}/v1.0/me/getMemberGroups");
        let body = OutboundBody::Json(json!({"securityEnabledOnly": true}));
        let request =
            OutboundRequest { url: url.clone(), body, bearer: Some(Secret::new(access.to_owned())) };
        let answer = self.state.ask_outbound(request).await?;
        let groups = answer.get("value").and_then(Value::as_array);
        parse_groups(groups.ok_or_else(|| format!("{url} gave no groups"))?)
    }
}

/// The groups in a token; none where the token says that they are to be asked for.
fn groups_of(claims: &Claims) -> Result<Option<Vec<ObjectId>>, String> {
    let has_groups = claims.get("hasgroups").is_some_and(|value| *value == true || *value == "true");
    let elsewhere = claims.get("_claim_names").is_some_and(|names| names.get("groups").is_some());
    match claims.get("groups") {
        _ if has_groups || elsewhere => Ok(None),
        Some(Value::Array(groups)) => parse_groups(groups).map(Some),
        Some(_) => Err("the token's groups are no list".into()),
        None => Ok(Some(Vec::new())),
    }
}

fn parse_groups(groups: &[Value]) -> Result<Vec<ObjectId>, String> {
    if groups.len() > MOST_GROUPS {
        return Err(format!("the caller is in more than {MOST_GROUPS} groups"));
    }
    let parse = |group: &Value| {
        let id = group.as_str().and_then(|text| ObjectId::parse(text).ok());
        id.ok_or_else(|| format!("{group} is no object id of a group"))
    };
    groups.iter().map(parse).collect()
}

/// Refuses what only our own directory may say.
fn refuse_ours(snapshot: &Snapshot, name: &str, oid: ObjectId, groups: &[ObjectId]) -> Result<(), String> {
    let directory = snapshot.directory();
    if name.get(.."system:".len()).is_some_and(|start| start.eq_ignore_ascii_case("system:")) {
        return Err(format!("the name \"{name}\" is reserved"));
    }
    if let Some((_, domain)) = name.rsplit_once('@')
        && directory.tenant_by_domain(domain).is_some()
    {
        return Err(format!("the name \"{name}\" is of a domain of this installation"));
    }
    match std::iter::once(&oid).chain(groups).find(|id| directory.principal(**id).is_some()) {
        Some(ours) => Err(format!("the object {ours} is one of this installation")),
        None => Ok(()),
    }
}

fn graph_of(authority: &ExternalIssuer, issuer: &Issuer) -> Result<String, String> {
    let named =
        authority.graph.clone().or_else(|| issuer.text("msgraph_host").map(|host| format!("https://{host}")));
    let graph = named.ok_or("the authority names no Graph")?.trim_end_matches('/').to_owned();
    match origin(&graph) {
        Some(host) if host == graph => Ok(graph),
        _ => Err(format!("the Graph \"{graph}\" is no https address of a host")),
    }
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<Timestamp, String> {
    let time = |name: &'static str| {
        let seconds = jwt::time(claims, name).map_err(|_| format!("the claim \"{name}\" is no time"))?;
        seconds
            .map(|seconds| Timestamp::from_second(seconds as i64).map_err(|error| error.to_string()))
            .transpose()
    };
    let expires = time("exp")?.ok_or("the token lacks the claim \"exp\"")?;
    let not_before = time("nbf")?.unwrap_or(Timestamp::UNIX_EPOCH);
    if now >= expires {
        return Err(format!("the token ended at {expires}"));
    }
    if now < not_before.saturating_sub(SKEW).unwrap_or(Timestamp::MIN) {
        return Err(format!("the token counts from {not_before} only"));
    }
    Ok(expires)
}

/// Key in `extra`: the name of the authority.
const AUTHORITY: &str = "portcullis/authority";
/// How long a change of groups, or a key that was taken back, may go unseen.
const LIFE: SignedDuration = SignedDuration::from_mins(1);
const SKEW: SignedDuration = SignedDuration::from_secs(60);
const MOST_TOKENS: usize = 10_000;
/// With it, what is remembered takes 20 MB at most.
const USUAL_TOKEN_BYTES: usize = 2048;
const MOST_GROUPS: usize = 20_000;
