//! Every credential that there is, and what ends it: one table. Each cell is asked of a whole server over TLS, right after
//! the call that ends something has returned; and a watch that was open with the credential is closed, or goes on.

mod application;
mod kinds;
mod scene;

use kinds::{Credential, End};
use scene::Scene;

/// `x`: refused from then on. A letter: goes on, for the reason under [`REASONS`].
///
/// What ends things, in the order of the columns: the person is **dis**abled, **del**eted, signed **out** everywhere,
/// their **pass**word is reset; the **role** is taken from the group that has it, the principal leaves the **group**; the
/// application's **secr**et is removed, the **app**lication deleted, its service principal (**sp**) disabled, its
/// **fed**erated credential removed; the clusters are deleted (**clus**), the certificates of the embedded one are
/// **rot**ated, its local accounts (**loc**) disabled, the administrator certificate revoked (**rev**); the service
/// account is deleted (**acc**), its namespace is (**ns**); and the keys that sign tokens are replaced at once (**key**).
const TABLE: &str = "
                     dis del out pass role group secr app sp fed clus rot loc rev acc ns key
browser session       x   x   x   x    r     r    o    o   o  o   o    o   o   o   o   o  k
refresh token         x   x   x   x    r     r    o    o   o  o   o    o   o   o   o   o  k
authorization code    x   x   x   x    r     r    o    o   o  o   o    o   o   o   o   o  k
device code           x   x   x   x    r     r    o    o   o  o   o    o   o   o   o   o  k
token for Azure       x   x   x   x    x     x    o    o   o  o   o    o   o   o   o   o  x
token, embedded       x   x   x   x    x     x    o    o   o  o   x    o   o   o   o   o  x
token, attached       x   x   x   x    r     r    o    o   o  o   x    o   o   o   o   o  x
kept, attached        x   x   x   x    x     x    o    o   o  o   x    o   o   o   o   o  x
admin certificate     x   x   x   x    x     x    o    o   o  o   x    x   x   x   o   o  k
app's refresh token   x   x   x   x    r     r    x    x   x  o   o    o   o   o   o   o  k
app's kept, attached  x   x   x   x    x     x    s    x   x  o   x    o   o   o   o   o  x
token to be traded    x   x   x   x    r     r    x    x   x  o   o    o   o   o   o   o  x
traded token          x   x   x   x    x     x    s    x   x  o   o    o   o   o   o   o  x
app's secret          o   o   o   o    r     r    x    x   x  o   o    o   o   o   o   o  k
app's certificate     o   o   o   o    r     r    o    x   x  o   o    o   o   o   o   o  k
app's token           o   o   o   o    x     x    s    x   x  o   o    o   o   o   o   o  x
app's token, embedded o   o   o   o    x     x    s    x   x  o   x    o   o   o   o   o  x
federated token       o   o   o   o    r     r    o    x   x  x   x    a   o   o   x   x  k
account's token       o   o   o   o    o     o    o    o   o  o   x    a   o   o   x   x  k
account's Secret      o   o   o   o    o     o    o    o   o  o   x    a   o   o   x   x  k
webhook certificate   o   o   o   o    o     o    o    o   o  o   x    w   o   o   o   o  k
";

const REASONS: [(&str, &str); 6] = [
    ("o", "it is another's, or of another kind: what ended had no part in it"),
    (
        "r",
        "it shows who somebody is, and rights are asked for at each use: it opens nothing that they may not",
    ),
    (
        "s",
        "secrets are replaced while programs run: who has a token goes on for its hour; disabling ends it at once",
    ),
    ("k", "that key has not signed it; for keys of clusters and secrets there are ways of their own"),
    ("a", "service accounts have a key of their own, which certificates have nothing to do with"),
    ("w", "the certificate is one of another, attached cluster"),
];

/// What the table says of a credential after an end.
fn cell(credential: Credential, end: End) -> &'static str {
    let line = TABLE.lines().find_map(|line| line.strip_prefix(credential.name()));
    let line = line.unwrap_or_else(|| panic!("no row for {credential:?}"));
    let cell = line.split_ascii_whitespace().nth(end as usize);
    cell.unwrap_or_else(|| panic!("no cell for {credential:?}, {end:?}"))
}

#[test]
fn the_table_is_complete_and_every_letter_has_a_reason() {
    let rows = TABLE.lines().filter(|line| !line.is_empty()).skip(1);
    assert_eq!(rows.count(), Credential::ALL.len());
    for credential in Credential::ALL {
        for end in End::ALL {
            let cell = cell(credential, end);
            assert!(cell == "x" || REASONS.iter().any(|(letter, _)| *letter == cell), "{cell}");
        }
        let line = TABLE.lines().find_map(|line| line.strip_prefix(credential.name())).unwrap();
        assert_eq!(line.split_ascii_whitespace().count(), End::ALL.len(), "{credential:?}");
    }
}

/// Goes through a column: everything works, then something ends, and each credential does as the table says.
async fn column(end: End) {
    let mut scene = Scene::new().await;
    for credential in Credential::ALL {
        assert!(scene.opens(credential).await, "{credential:?} opens nothing to begin with");
    }
    scene.open_watches().await;
    scene.end(end).await;
    let mut wrong = Vec::new();
    let mut check = |what: String, found: bool, cell: &str| {
        if found != (cell != "x") {
            let found = if found { "goes on" } else { "has ended" };
            wrong.push(format!("{what}: {found}, and the table says {cell:?}"));
        }
    };
    for credential in Credential::ALL {
        check(format!("{credential:?}"), scene.opens(credential).await, cell(credential, end));
    }
    for (credential, goes_on) in scene.watches(end).await {
        check(format!("watch of {credential:?}"), goes_on, cell(credential, end));
    }
    assert!(wrong.is_empty(), "after {end:?}:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_person_who_is_disabled_is_refused_everywhere_at_once() {
    column(End::Disable).await;
}

#[tokio::test]
async fn a_person_who_is_deleted_is_refused_everywhere_at_once() {
    column(End::Delete).await;
}

#[tokio::test]
async fn a_person_who_is_signed_out_everywhere_is() {
    column(End::SignOut).await;
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_began() {
    column(End::ResetPassword).await;
}

#[tokio::test]
async fn a_role_that_is_taken_away_opens_nothing() {
    column(End::LoseRole).await;
}

#[tokio::test]
async fn a_group_that_was_left_opens_nothing() {
    column(End::LeaveGroup).await;
}

#[tokio::test]
async fn a_secret_that_is_removed_proves_nothing() {
    column(End::RemoveSecret).await;
}

#[tokio::test]
async fn an_application_that_is_deleted_ends_with_all_it_holds() {
    column(End::DeleteApplication).await;
}

#[tokio::test]
async fn a_service_principal_that_is_disabled_ends_with_all_it_holds() {
    column(End::DisablePrincipal).await;
}

#[tokio::test]
async fn a_federated_credential_that_is_removed_proves_nothing() {
    column(End::RemoveFederated).await;
}

#[tokio::test]
async fn a_cluster_that_is_deleted_takes_its_credentials_along() {
    column(End::DeleteClusters).await;
}

#[tokio::test]
async fn certificates_that_are_rotated_away_open_nothing() {
    column(End::Rotate).await;
}

#[tokio::test]
async fn disabled_local_accounts_open_nothing() {
    column(End::DisableLocalAccounts).await;
}

#[tokio::test]
async fn an_administrator_certificate_that_is_revoked_opens_nothing() {
    column(End::RevokeCertificate).await;
}

#[tokio::test]
async fn a_service_account_that_is_deleted_ends_with_its_tokens() {
    column(End::DeleteAccount).await;
}

#[tokio::test]
async fn a_namespace_that_is_deleted_takes_its_accounts_along() {
    column(End::DeleteNamespace).await;
}

#[tokio::test]
async fn signing_keys_that_are_revoked_take_their_tokens_along() {
    column(End::RevokeKeys).await;
}
