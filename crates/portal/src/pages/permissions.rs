//! Descriptions of requested scopes for the consent page.

use app::{App, directory::audience::Resource, sign_in::login::SignedIn};

/// One description for each requested scope; services are named by their display name.
pub(super) fn permissions(app: &App, person: &SignedIn, scope: &str) -> Vec<String> {
    let mut texts: Vec<String> = scope
        .split(' ')
        .filter(|each| !each.is_empty())
        .map(|each| match each {
            "openid" | "profile" | "email" => "See who you are".to_owned(),
            "offline_access" => "Keep this access until you take it back".to_owned(),
            other => format!("Act for you at {}", service(app, person, other)),
        })
        .collect();
    texts.dedup();
    texts
}

fn service(app: &App, person: &SignedIn, scope: &str) -> String {
    let plain = || scope.trim_end_matches("/.default").to_owned();
    match app.sign_in().resource_of_scopes(Some(person.tenant), &[scope]) {
        Ok(Resource::Application { app_id, .. }) => app.sign_in().client_name(app_id).unwrap_or_else(plain),
        Ok(Resource::Cluster) => "your clusters".to_owned(),
        Ok(Resource::Management(_) | Resource::UserInfo) | Err(_) => plain(),
    }
}
