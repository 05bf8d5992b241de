//! Access and identity reviews (`authorization.k8s.io`, `authentication.k8s.io`), answered by the same decision
//! function that authorizes every request.

#![expect(clippy::indexing_slicing, reason = "members of JSON objects that were made or checked before")]

use app::kubernetes::objects::{RequestedAccess, Target};
use axum::{body::Body, response::Response};
use domain::{
    decision::{Decision, Reason},
    kube::{PolicyRule, User},
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Call, Named, respond, writes::read_object};
use crate::{
    kinds::Review,
    request::WriteOptions,
    status::{Problem, Status},
};

pub(super) async fn answer(
    call: &Call,
    named: &Named,
    review: Review,
    body: Body,
) -> Result<Response, Status> {
    call.allow()?;
    let options = WriteOptions::parse(&call.query, "CreateOptions")?;
    let decoded = read_object(call, named.kind, body, options.field_validation).await?;
    let mut value = decoded.value;
    let status = match review {
        Review::SelfSubject => {
            json!({"userInfo": user_info(&call.app.kubernetes().current_user(&call.caller)?)})
        }
        Review::Token => token_status(call, &value)?,
        Review::SelfSubjectRules => rules_status(call, &value)?,
        Review::SelfSubjectAccess => {
            let user = call.app.kubernetes().current_user(&call.caller)?;
            access_status(call, named, &value, &user, None)?
        }
        Review::SubjectAccess => access_status(call, named, &value, &reviewed_user(named, &value)?, None)?,
        Review::LocalSubjectAccess => {
            let user = reviewed_user(named, &value)?;
            access_status(call, named, &value, &user, Some(&named.namespace))?
        }
    };
    value["metadata"] = json!({"creationTimestamp": null});
    value["status"] = status;
    Ok(respond(StatusCode::CREATED, &value, &decoded.warnings))
}

fn access_status(
    call: &Call,
    named: &Named,
    review: &Value,
    user: &User,
    namespace: Option<&str>,
) -> Result<Value, Status> {
    let asked = asked(named, review)?;
    if let (Some(namespace), Target::Resource { namespace: inner, .. }) = (namespace, &asked.target)
        && inner != namespace
    {
        let problem =
            Problem::invalid("spec.resourceAttributes.namespace", inner, "must match metadata.namespace");
        return Err(invalid(named, problem));
    }
    if let (Some(_), Target::Path(_)) = (namespace, &asked.target) {
        let problem =
            Problem::invalid("spec.nonResourceAttributes", "", "disallowed on this kind of request");
        return Err(invalid(named, problem));
    }
    let decision = call.app.kubernetes().decide_kube(call.caller.cluster, user, &asked);
    Ok(decision_status(&decision))
}

/// `allowed`, `denied` and the reason.
pub(crate) fn decision_status(decision: &Decision) -> Value {
    let mut status = Map::new();
    status.insert("allowed".into(), decision.is_allowed().into());
    if matches!(decision, Decision::Deny(_)) {
        status.insert("denied".into(), true.into());
    }
    // kube-apiserver gives no reason for members of system:masters.
    let reason = match decision.reason() {
        Reason::Masters => String::new(),
        reason => reason.to_string(),
    };
    if !reason.is_empty() {
        status.insert("reason".into(), reason.into());
    }
    Value::Object(status)
}

fn asked(named: &Named, review: &Value) -> Result<RequestedAccess, Status> {
    let resource = review.pointer("/spec/resourceAttributes");
    let path = review.pointer("/spec/nonResourceAttributes");
    let text = |attributes: &Value, field: &str| {
        attributes.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    match (resource, path) {
        (Some(_), Some(_)) => {
            let problem = Problem::invalid(
                "spec.nonResourceAttributes",
                "",
                "cannot be specified in combination with resourceAttributes",
            );
            Err(invalid(named, problem))
        }
        (None, None) => {
            let problem = Problem::invalid(
                "spec.resourceAttributes",
                "",
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            );
            Err(invalid(named, problem))
        }
        (Some(attributes), None) => Ok(RequestedAccess {
            verb: text(attributes, "verb"),
            target: Target::Resource {
                group: text(attributes, "group"),
                version: text(attributes, "version"),
                resource: text(attributes, "resource"),
                subresource: text(attributes, "subresource"),
                namespace: text(attributes, "namespace"),
                name: text(attributes, "name"),
            },
        }),
        (None, Some(attributes)) => Ok(RequestedAccess {
            verb: text(attributes, "verb"),
            target: Target::Path(text(attributes, "path")),
        }),
    }
}

fn reviewed_user(named: &Named, review: &Value) -> Result<User, Status> {
    let text = |place: &str| review.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text("/spec/user");
    let groups = strings(review.pointer("/spec/groups"));
    if name.is_empty() && groups.is_empty() {
        let problem = Problem::invalid("spec.user", "", "at least one of user or group must be specified");
        return Err(invalid(named, problem));
    }
    let extra = review.pointer("/spec/extra").and_then(Value::as_object);
    let extra = extra.into_iter().flatten().map(|(key, values)| (key.to_lowercase(), strings(Some(values))));
    Ok(User { name, uid: text("/spec/uid"), groups: groups.into(), extra: extra.collect() })
}

fn rules_status(call: &Call, review: &Value) -> Result<Value, Status> {
    let namespace = review.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let held = call.app.kubernetes().held_rules(&call.caller, &call.access, namespace)?;
    let (paths, resources): (Vec<&PolicyRule>, Vec<&PolicyRule>) =
        held.rules.iter().partition(|rule| !rule.non_resource_urls.is_empty());
    let resources: Vec<_> = resources
        .into_iter()
        .map(|rule| {
            let mut entry = json!({
                "verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources,
            });
            if !rule.resource_names.is_empty() {
                entry["resourceNames"] = json!(rule.resource_names);
            }
            entry
        })
        .collect();
    let paths: Vec<_> = paths
        .into_iter()
        .map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}))
        .collect();
    let mut status =
        json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": !held.gaps.is_empty()});
    if !held.gaps.is_empty() {
        status["evaluationError"] = held.gaps.join("; ").into();
    }
    Ok(status)
}

fn token_status(call: &Call, review: &Value) -> Result<Value, Status> {
    let token = review.pointer("/spec/token").and_then(Value::as_str).unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let wanted = strings(review.pointer("/spec/audiences"));
    let reviewed =
        call.app.kubernetes().review_presented_token(&call.caller, &call.access, token, &wanted)?;
    Ok(match reviewed {
        Ok(reviewed) => json!({
            "authenticated": true, "user": user_info(&reviewed.user), "audiences": reviewed.audiences,
        }),
        Err(because) => {
            tracing::debug!(reason = %because, "a reviewed token was refused");
            json!({"user": {}, "error": "invalid bearer token"})
        }
    })
}

/// As in `status.user` of a TokenReview.
pub(crate) fn user_info(user: &User) -> Value {
    let mut info = Map::new();
    info.insert("username".into(), user.name.as_str().into());
    if !user.uid.is_empty() {
        info.insert("uid".into(), user.uid.as_str().into());
    }
    if !user.groups.is_empty() {
        info.insert("groups".into(), json!(&user.groups[..]));
    }
    if !user.extra.is_empty() {
        info.insert("extra".into(), json!(user.extra));
    }
    Value::Object(info)
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// As in kube-apiserver, errors of reviews name the group but no kind.
fn invalid(named: &Named, problem: Problem) -> Status {
    Status::invalid(named.kind.group, "", "", &[problem])
}
