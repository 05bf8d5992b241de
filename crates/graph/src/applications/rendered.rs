//! Renders applications and their credentials.

use app::directory::applications::IssuedSecret;
use domain::{
    application::Application,
    credential::{ClientCertificate, ClientSecret},
};
use serde_json::{Value, json};

pub(crate) fn render(application: &Application) -> Value {
    let mut object = application.other.clone();
    let fixed = json!({
        "@odata.type": "#microsoft.graph.application",
        "id": application.id,
        "appId": application.app_id,
        "displayName": application.display_name,
        "identifierUris": application.identifier_uris,
        "web": {"redirectUris": application.redirect_uris},
        "publicClient": {"redirectUris": if application.public_client { application.redirect_uris.as_slice() } else { &[] }},
        "isFallbackPublicClient": application.public_client,
        "allowPasswordGrant": application.password_grant,
        "passwordCredentials": application.secrets.iter().map(render_secret).collect::<Vec<_>>(),
        "keyCredentials": application.certificates.iter().map(render_certificate).collect::<Vec<_>>(),
        "createdDateTime": application.created,
    });
    if let Value::Object(fixed) = fixed {
        object.extend(fixed);
    }
    object.entry("requiredResourceAccess").or_insert_with(|| json!([]));
    object.entry("signInAudience").or_insert_with(|| json!("AzureADMyOrg"));
    Value::Object(object)
}

pub(crate) fn render_secret(secret: &ClientSecret) -> Value {
    json!({
        "keyId": secret.key_id,
        "displayName": secret.display_name,
        "hint": secret.hint,
        "startDateTime": secret.start,
        "endDateTime": secret.end,
        "secretText": Value::Null,
    })
}

pub(crate) fn render_issued(issued: &IssuedSecret) -> Value {
    let mut object = render_secret(&issued.record);
    if let Value::Object(members) = &mut object {
        members.insert("secretText".into(), issued.text.expose().as_str().into());
    }
    object
}

pub(crate) fn render_certificate(certificate: &ClientCertificate) -> Value {
    json!({
        "keyId": certificate.key_id,
        "displayName": certificate.display_name,
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "customKeyIdentifier": certificate.thumbprint,
        "startDateTime": certificate.start,
        "endDateTime": certificate.end,
    })
}
