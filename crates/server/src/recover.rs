//! `serve --recover-admin`: restores administrator access for the operator of the machine.

use anyhow::{Context, bail};
use app::{App, Installation};
use crypto::random::Random;
use domain::name::Upn;

use crate::{
    first_start::{DataDirectory, first_administrator},
    say::note,
    settings::{Recover, Settings, Storage},
};

/// Recovers the administrator of the settings, if there is one, and logs it prominently: an unexpected recovery in
/// the log is an alarm.
pub(crate) async fn recover(
    app: &App,
    settings: &Settings,
    directory: &DataDirectory,
    (url, installation): (&str, &Installation),
    random: &dyn Random,
) -> anyhow::Result<()> {
    let Some(asked) = &settings.recover else { return Ok(()) };
    let Storage::Directory(_) = settings.storage else {
        bail!("--recover-admin needs a data directory: state in memory has nobody to recover");
    };
    let upn = match asked {
        Recover::Named(upn) => upn.clone(),
        Recover::First => {
            let domain = app.first_domain(installation);
            Upn::parse(&format!("admin@{}", domain.context("the directory has no domain")?))?
        }
    };
    let password = first_administrator(settings.first_password.clone(), random)?.password;
    // Written before the password is set, so that it is not lost.
    let file = directory.write_recovered_admin(url, installation, upn.as_str(), &password)?;
    let recovered = app
        .recover_administrator(installation, &upn, &password)
        .await
        .with_context(|| format!("recovering the administrator {upn}"))?;
    tracing::error!(
        account = upn.as_str(),
        made = recovered.made,
        file = %file.display(),
        "AN ADMINISTRATOR WAS RECOVERED by --recover-admin: the account has a new password and administers \
         everything. Start without the flag next time, change the password and delete the file"
    );
    note(format_args!(
        "portcullis: {upn} was recovered; sign in with: portcullis login --from {}",
        file.display()
    ));
    Ok(())
}
