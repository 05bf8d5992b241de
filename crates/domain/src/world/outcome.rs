//! The answer to one question, in the form in which it is printed: keys and their order are part of the
//! contract of `portcullis eval -o json`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    azure::{Action, kubernetes::Answer},
    decision::{Decision, Reason},
    id::AssignmentId,
    review::Review,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub name: String,
    pub decision: Verdict,
    pub reason: String,
    pub kubernetes_rbac: EngineOutcome,
    /// None: the cluster does not use Azure RBAC, or the decision fell before any engine.
    pub azure: Option<AzureOutcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Allowed,
    /// An engine refused.
    Denied,
    /// Nothing applied.
    NoOpinion,
    /// The question could not be answered; the reason says why.
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineOutcome {
    pub decision: Verdict,
    pub reason: String,
}

/// What Azure RBAC said, and what it was asked, whatever it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AzureOutcome {
    pub decision: Verdict,
    pub reason: String,
    pub actions: Vec<String>,
    pub scope: String,
    pub attributes: BTreeMap<String, String>,
    /// The role assignment that granted, or the deny assignment that refused.
    pub assignment: Option<AssignmentId>,
}

impl Outcome {
    /// Where nothing applied and no engine says more, `advice` says what would help.
    pub(super) fn new(name: &str, review: &Review, advice: impl FnOnce() -> Option<String>) -> Self {
        let kube = engine(&review.kube);
        let (decision, mut reason) = match &review.decision {
            Ok(decision) => (Verdict::from(decision), decision.reason().to_string()),
            Err(cause) => (Verdict::Error, cause.to_string()),
        };
        if decision == Verdict::NoOpinion && reason.is_empty() {
            reason = nothing_applied(advice());
        }
        Self {
            name: name.to_owned(),
            decision,
            reason,
            kubernetes_rbac: kube,
            azure: review.azure.as_ref().map(AzureOutcome::from),
        }
    }

    /// A review whose spec asks nothing.
    pub(super) fn unanswerable(name: &str, cause: &str) -> Self {
        Self {
            name: name.to_owned(),
            decision: Verdict::Error,
            reason: cause.to_owned(),
            kubernetes_rbac: EngineOutcome { decision: Verdict::Error, reason: cause.to_owned() },
            azure: None,
        }
    }
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::NoOpinion => "noOpinion",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&Decision> for Verdict {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Allow(_) => Self::Allowed,
            Decision::Deny(_) => Self::Denied,
            Decision::NoOpinion(_) => Self::NoOpinion,
        }
    }
}

impl From<&Answer> for AzureOutcome {
    fn from(answer: &Answer) -> Self {
        let EngineOutcome { decision, reason } = match &answer.decision {
            Ok(decision) => engine(decision),
            Err(cause) => EngineOutcome { decision: Verdict::Error, reason: cause.to_string() },
        };
        Self {
            decision,
            reason,
            actions: answer.actions.iter().map(Action::to_string).collect(),
            scope: answer.scope.to_string(),
            attributes: answer.attributes.clone(),
            assignment: answer.assignment.or_else(|| refusing(answer)),
        }
    }
}

/// The deny assignment that an answer names.
fn refusing(answer: &Answer) -> Option<AssignmentId> {
    match answer.decision.as_ref().ok()?.reason() {
        Reason::Azure(crate::azure::Reason::Denied(refusal)) => Some(refusal.assignment),
        _ => None,
    }
}

fn engine(decision: &Decision) -> EngineOutcome {
    EngineOutcome { decision: decision.into(), reason: decision.reason().to_string() }
}

fn nothing_applied(advice: Option<String>) -> String {
    match advice {
        Some(advice) => format!("nothing allows it; {advice}"),
        None => "nothing allows it".to_owned(),
    }
}
