//! The rows and columns of the table: what can be presented, and what ends things.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    Session,
    Refresh,
    Code,
    Device,
    Token,
    TokenEmbedded,
    TokenAttached,
    KeptAttached,
    AdminCertificate,
    AppRefresh,
    AppKeptAttached,
    ToBeTraded,
    Traded,
    AppSecret,
    AppCertificate,
    AppToken,
    AppTokenEmbedded,
    Federated,
    AccountToken,
    AccountSecret,
    WebhookCertificate,
}

/// What ends things, in the order of the table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Disable,
    Delete,
    SignOut,
    ResetPassword,
    LoseRole,
    LeaveGroup,
    RemoveSecret,
    DeleteApplication,
    DisablePrincipal,
    RemoveFederated,
    DeleteClusters,
    Rotate,
    DisableLocalAccounts,
    RevokeCertificate,
    DeleteAccount,
    DeleteNamespace,
    RevokeKeys,
}

impl End {
    pub(super) const ALL: [Self; 17] = [
        Self::Disable,
        Self::Delete,
        Self::SignOut,
        Self::ResetPassword,
        Self::LoseRole,
        Self::LeaveGroup,
        Self::RemoveSecret,
        Self::DeleteApplication,
        Self::DisablePrincipal,
        Self::RemoveFederated,
        Self::DeleteClusters,
        Self::Rotate,
        Self::DisableLocalAccounts,
        Self::RevokeCertificate,
        Self::DeleteAccount,
        Self::DeleteNamespace,
        Self::RevokeKeys,
    ];
}

impl Credential {
    pub(super) const ALL: [Self; 21] = [
        Self::Session,
        Self::Refresh,
        Self::Code,
        Self::Device,
        Self::Token,
        Self::TokenEmbedded,
        Self::TokenAttached,
        Self::KeptAttached,
        Self::AdminCertificate,
        Self::AppRefresh,
        Self::AppKeptAttached,
        Self::ToBeTraded,
        Self::Traded,
        Self::AppSecret,
        Self::AppCertificate,
        Self::AppToken,
        Self::AppTokenEmbedded,
        Self::Federated,
        Self::AccountToken,
        Self::AccountSecret,
        Self::WebhookCertificate,
    ];
    pub(super) const WATCHING: [Self; 5] = [
        Self::TokenEmbedded,
        Self::AdminCertificate,
        Self::AppTokenEmbedded,
        Self::AccountToken,
        Self::AccountSecret,
    ];

    /// As the table writes it, to the end of its column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Session => "browser session ",
            Self::Refresh => "refresh token ",
            Self::Code => "authorization code ",
            Self::Device => "device code ",
            Self::Token => "token for Azure ",
            Self::TokenEmbedded => "token, embedded ",
            Self::TokenAttached => "token, attached ",
            Self::KeptAttached => "kept, attached ",
            Self::AdminCertificate => "admin certificate ",
            Self::AppRefresh => "app's refresh token ",
            Self::AppKeptAttached => "app's kept, attached ",
            Self::ToBeTraded => "token to be traded ",
            Self::Traded => "traded token ",
            Self::AppSecret => "app's secret ",
            Self::AppCertificate => "app's certificate ",
            Self::AppToken => "app's token ",
            Self::AppTokenEmbedded => "app's token, embedded ",
            Self::Federated => "federated token ",
            Self::AccountToken => "account's token ",
            Self::AccountSecret => "account's Secret ",
            Self::WebhookCertificate => "webhook certificate ",
        }
    }
}
