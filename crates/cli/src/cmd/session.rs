//! `portcullis logout` (deletes the session and cached tokens) and `portcullis whoami` (prints the session).

use serde_json::json;

use crate::{
    output::{self, OutputArgs},
    session::Session,
    token_cache,
};

pub(crate) fn logout() -> anyhow::Result<()> {
    // Tokens first: if this fails, the session remains and the command can be repeated.
    token_cache::remove(None)?;
    match Session::forget()? {
        true => output::say(format_args!("Signed out")),
        false => output::say(format_args!("Nobody was signed in")),
    }
    Ok(())
}

pub(crate) fn whoami(output: &OutputArgs) -> anyhow::Result<()> {
    let session = Session::load()?;
    let object = json!({
        "account": session.account,
        "url": session.url,
        "tenantId": session.tenant,
        "subscriptionId": session.subscription,
        "subscriptionName": session.subscription_name,
    });
    let columns = [
        ("ACCOUNT", "/account"),
        ("SERVER", "/url"),
        ("TENANT", "/tenantId"),
        ("SUBSCRIPTION", "/subscriptionName"),
        ("SUBSCRIPTION ID", "/subscriptionId"),
    ];
    output.one(&columns, &object);
    Ok(())
}
