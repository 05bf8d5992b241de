//! Secrets that clients write into a resource: passwords of nodes, secrets of applications, keys of add-ons.
//!
//! Nothing here uses them, and Azure gives none of them back. So they are left out before a resource is stored, and
//! once more when one is read that an earlier release has stored: no answer can hold them.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Leaves out what is secret, however deep it lies.
pub fn leave_out(members: &mut Map<String, Value>) {
    members.retain(|name, value| !(value.is_string() && is_secret(name)));
    for (name, value) in members {
        if !OF_PEOPLE.iter().any(|each| each.eq_ignore_ascii_case(name)) {
            leave_out_of(value);
        }
    }
}

/// Reads members of a resource without what is secret.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Map<String, Value>, D::Error> {
    let mut members = Map::deserialize(deserializer)?;
    leave_out(&mut members);
    Ok(members)
}

fn leave_out_of(value: &mut Value) {
    match value {
        Value::Object(members) => leave_out(members),
        Value::Array(items) => items.iter_mut().for_each(leave_out_of),
        Value::String(text) => {
            if let Some(plain) = without_password(text) {
                *text = plain;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_secret(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    ENDS.iter().any(|end| name.ends_with(end))
}

/// An address without the name and password in it; none where it has no password.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (user, _) = rest.get(..end)?.rsplit_once('@')?;
    let host = rest.get(user.len() + 1..)?;
    user.contains(':').then(|| format!("{scheme}://{host}"))
}

/// How the names of secrets end, in small letters and digits alone: `enableSecretRotation` is none.
const ENDS: [&str; 11] = [
    "password",
    "secret",
    "token",
    "connectionstring",
    "privatekey",
    "accesskey",
    "sharedkey",
    "apikey",
    "accountkey",
    "primarykey",
    "secondarykey",
];

/// Members whose own members have names that people choose.
const OF_PEOPLE: [&str; 3] = ["tags", "nodeLabels", "labels"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_left_out_and_all_else_stays() {
        let mut members = json!({
            "windowsProfile": {"adminUsername": "a", "adminPassword": "x"},
            "aadProfile": {"serverAppID": "i", "serverAppSecret": "x", "ServerAppSecret": "x"},
            "servicePrincipalProfile": {"clientId": "i", "secret": "x"},
            "addonProfiles": {
                "a": {"enabled": true, "config": {"client-secret": "x", "API_KEY": "x", "workspace": "w"}},
                "azureKeyvaultSecretsProvider": {"config": {"enableSecretRotation": "true"}},
            },
            "httpProxyConfig": {"httpProxy": "http://a:x@proxy:80/p@q", "httpsProxy": "http://proxy", "noProxy": ["a@b"]},
            "agentPoolProfiles": [{"nodeLabels": {"secret": "label"}, "password": "x", "tags": {"token": "tag"}}],
            "disablePassword": true,
            "password": null,
        });
        leave_out(members.as_object_mut().unwrap());
        let expected = json!({
            "windowsProfile": {"adminUsername": "a"},
            "aadProfile": {"serverAppID": "i"},
            "servicePrincipalProfile": {"clientId": "i"},
            "addonProfiles": {
                "a": {"enabled": true, "config": {"workspace": "w"}},
                "azureKeyvaultSecretsProvider": {"config": {"enableSecretRotation": "true"}},
            },
            "httpProxyConfig": {"httpProxy": "http://proxy:80/p@q", "httpsProxy": "http://proxy", "noProxy": ["a@b"]},
            "agentPoolProfiles": [{"nodeLabels": {"secret": "label"}, "tags": {"token": "tag"}}],
            "disablePassword": true,
            "password": null,
        });
        assert_eq!(members, expected);
    }
}
