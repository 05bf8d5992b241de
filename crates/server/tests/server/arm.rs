//! Resource Manager of one installation, asked by its administrator and by people who have only the roles that a test
//! gives them.

use domain::id::ObjectId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::Site;
use uuid::Uuid;

pub(super) const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
pub(super) const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
pub(super) const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
pub(super) const GROUPS: &str = "/providers/Microsoft.Management/managementGroups";

pub(super) struct Arm {
    pub(super) site: Site,
    pub(super) admin: String,
    /// `/subscriptions/ID`.
    pub(super) subscription: String,
    pub(super) tenant: String,
}

/// A person and what they ask with.
pub(super) struct Someone {
    pub(super) id: ObjectId,
    pub(super) token: String,
}

impl Arm {
    pub(super) async fn start() -> Self {
        let site = Site::start(|_| {}).await;
        let admin = site.management().await;
        let subscription = format!("/subscriptions/{}", site.running.installation.subscription);
        let tenant = site.admin.tenant.to_string();
        Self { site, admin, subscription, tenant }
    }

    pub(super) async fn someone(&self, name: &str) -> Someone {
        let upn = format!("{name}@portcullis.local");
        let id = self.site.user(&upn).await;
        let token = self.site.token(&upn, &format!("{}/.default", self.site.running.url)).await;
        Someone { id, token }
    }

    /// A path without a version is asked in one.
    pub(super) async fn ask(
        &self,
        who: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let joint = if path.contains('?') { '&' } else { '?' };
        let address = self.site.url(&format!("{path}{joint}api-version=2022-04-01"));
        let request = self.site.http.request(method, address).bearer_auth(who);
        self.site.send(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.ok(Method::GET, path, Value::Null).await
    }

    pub(super) async fn ok(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(&self.admin, method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {status}: {answer}");
        answer
    }

    /// The status and code of a refusal.
    pub(super) async fn refusal(&self, who: &str, method: Method, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask(who, method.clone(), path, body).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{method} {path}: {status}: {answer}");
        (status.as_u16(), answer["error"]["code"].as_str().unwrap().to_owned())
    }

    /// The path of the assignment.
    pub(super) async fn assign(&self, principal: ObjectId, role: &str, scope: &str) -> String {
        let path = assignment(principal, role, scope);
        self.ok(Method::PUT, &path, assigning(principal, role)).await;
        path
    }

    pub(super) async fn resource_group(&self, name: &str) -> String {
        let path = format!("{}/resourceGroups/{name}", self.subscription);
        self.ok(Method::PUT, &path, json!({"location": "local"})).await;
        path
    }

    pub(super) async fn management_group(&self, name: &str, parent: Option<&str>) -> String {
        let parent = parent.map(|parent| format!("{GROUPS}/{parent}"));
        let body = json!({"properties": {"details": {"parent": {"id": parent}}}});
        let path = format!("{GROUPS}/{name}");
        self.ok(Method::PUT, &path, body).await;
        path
    }
}

pub(super) fn assignment(principal: ObjectId, role: &str, scope: &str) -> String {
    let id = Uuid::new_v5(&principal.uuid(), format!("{role}{scope}").as_bytes());
    let scope = if scope == "/" { "" } else { scope };
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{id}")
}

pub(super) fn assigning(principal: ObjectId, role: &str) -> Value {
    json!({"properties": {"principalId": principal,
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}")}})
}

pub(super) fn names(list: &Value) -> Vec<String> {
    let all = list["value"].as_array().unwrap_or_else(|| panic!("{list}"));
    all.iter().map(|each| each["name"].as_str().unwrap().to_owned()).collect()
}
