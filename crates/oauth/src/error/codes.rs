//! The errors for clients: Entra's AADSTS number, HTTP status, OAuth error name and message. Libraries use the name,
//! `az` prints hints by number, people read the message.

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) number: u32,
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) const WRONG_PASSWORD: Code =
    code(50_126, 400, "invalid_grant", "The user name or the password is not right.");
/// Returned only after the right password was given.
pub(crate) const ACCOUNT_DISABLED: Code = code(50_057, 400, "invalid_grant", "The account is disabled.");
pub(crate) const THROTTLED: Code =
    code(50_053, 400, "invalid_grant", "There were too many failed attempts. Try again in some minutes.");
pub(crate) const PASSWORD_EXPIRED: Code = code(
    50_055,
    400,
    "invalid_grant",
    "The password must be changed first. Sign in with a browser to do so.",
);
pub(crate) const GRANT_INVALID: Code = code(70_000, 400, "invalid_grant", "The grant is not valid.");
pub(crate) const GRANT_EXPIRED: Code =
    code(70_008, 400, "invalid_grant", "The code or refresh token has expired. Sign in again.");
pub(crate) const GRANT_REVOKED: Code =
    code(50_173, 400, "invalid_grant", "The sign-in behind this grant has been revoked. Sign in again.");
pub(crate) const DEVICE_EXPIRED: Code =
    code(70_020, 400, "expired_token", "The device code has expired. Start anew.");
pub(crate) const PENDING: Code = code(
    70_016,
    400,
    "authorization_pending",
    "Nobody has entered the code yet. Ask again after the interval.",
);
pub(crate) const SLOW_DOWN: Code =
    code(1_002_016, 400, "slow_down", "The client asks too often. Wait for the interval.");
pub(crate) const DECLINED: Code =
    code(65_004, 400, "authorization_declined", "The person declined to let the client act for them.");
pub(crate) const ACCESS_DENIED: Code =
    code(65_004, 400, "access_denied", "The person declined to let the client act for them.");
pub(crate) const UNKNOWN_CLIENT: Code = code(
    700_016,
    400,
    "unauthorized_client",
    "No application with the given identifier exists in this tenant.",
);
pub(crate) const PASSWORD_GRANT_OFF: Code = code(
    70_001,
    400,
    "unauthorized_client",
    "This client may not send user names and passwords. An administrator can let it.",
);
pub(crate) const NOT_PUBLIC: Code =
    code(7_000_218, 401, "invalid_client", "This client is not registered as a public client.");
pub(crate) const PROOF_REQUIRED: Code = code(
    7_000_218,
    401,
    "invalid_client",
    "The client must prove itself by client_secret or client_assertion.",
);
pub(crate) const NO_PROOF_EXPECTED: Code = code(
    700_025,
    401,
    "invalid_client",
    "The client is a public one, so neither client_secret nor client_assertion may be sent.",
);
pub(crate) const WRONG_SECRET: Code = code(
    7_000_215,
    401,
    "invalid_client",
    "The client secret is not right, or it has expired. Send its value, not its id.",
);
pub(crate) const WRONG_ASSERTION: Code =
    code(700_027, 401, "invalid_client", "The client assertion is not valid.");
pub(crate) const ASSERTION_TIME: Code =
    code(700_024, 401, "invalid_client", "The client assertion has ended, or does not count yet.");
pub(crate) const NO_FEDERATED_ISSUER: Code = code(
    700_211,
    401,
    "invalid_client",
    "No federated credential of the application has the issuer of the assertion.",
);
pub(crate) const NO_FEDERATED_AUDIENCE: Code = code(
    700_212,
    401,
    "invalid_client",
    "No federated credential of the application has the audience of the assertion.",
);
pub(crate) const NO_FEDERATED_SUBJECT: Code = code(
    700_213,
    401,
    "invalid_client",
    "No federated credential of the application has the subject of the assertion.",
);
pub(crate) const ISSUER_UNREACHABLE: Code =
    code(50_166, 401, "invalid_client", "The keys of the assertion's issuer could not be read.");
pub(crate) const NO_SERVICE_PRINCIPAL: Code =
    code(7_000_229, 401, "unauthorized_client", "The application has no service principal in this tenant.");
pub(crate) const CLIENT_DISABLED: Code =
    code(7_000_112, 401, "unauthorized_client", "The application is disabled in this tenant.");
pub(crate) const UNKNOWN_TENANT: Code = code(
    90_002,
    400,
    "invalid_tenant",
    "No such tenant exists here. Give a tenant's id or one of its domains.",
);
pub(crate) const TENANT_REQUIRED: Code = code(
    50_059,
    400,
    "invalid_request",
    "This request needs a tenant: name it in the address in place of common or organizations.",
);
pub(crate) const UNKNOWN_INSTANCE: Code =
    code(50_049, 400, "invalid_instance", "The given authority is not part of this installation.");
pub(crate) const MISSING_PARAMETER: Code =
    code(900_144, 400, "invalid_request", "A required parameter is missing.");
pub(crate) const QUERY_TOO_LONG: Code =
    code(90_015, 400, "invalid_request", "The requested query string is too long.");
pub(crate) const TOO_MANY_REQUESTS: Code =
    code(90_055, 429, "temporarily_unavailable", "There are too many requests. Try again in a minute.");
pub(crate) const WRONG_METHOD: Code =
    code(900_561, 405, "invalid_request", "The endpoint does not take requests of this method.");
pub(crate) const MALFORMED: Code = code(9_002_313, 400, "invalid_request", "The request is malformed.");
pub(crate) const UNSUPPORTED_GRANT: Code =
    code(70_003, 400, "unsupported_grant_type", "This kind of grant is not supported.");
pub(crate) const INVALID_SCOPE: Code = code(70_011, 400, "invalid_scope", "The scope is not valid.");
pub(crate) const UNKNOWN_PERMISSION: Code =
    code(70_011, 400, "invalid_scope", "The scope does not exist at the resource.");
/// As [`UNKNOWN_PERMISSION`], at the authorization endpoint.
pub(crate) const UNKNOWN_PERMISSION_ASKED: Code = code(
    650_053,
    400,
    "invalid_client",
    "The application asks for a scope that does not exist at the resource.",
);
pub(crate) const SEVERAL_RESOURCES: Code =
    code(28_000, 400, "invalid_request", "The scopes belong to more than one resource.");
pub(crate) const UNKNOWN_RESOURCE: Code =
    code(500_011, 400, "invalid_resource", "No such resource exists in this tenant.");
pub(crate) const REDIRECT_MISMATCH: Code =
    code(50_011, 400, "invalid_request", "The redirect address is not registered for the application.");
pub(crate) const CHALLENGE_REQUIRED: Code = code(
    50_147,
    400,
    "invalid_request",
    "The code challenge is missing or not of the method S256 (RFC 7636).",
);
pub(crate) const UNSUPPORTED_RESPONSE_TYPE: Code =
    code(700_054, 400, "unsupported_response_type", "Only the response type \"code\" is supported.");
pub(crate) const UNSUPPORTED_RESPONSE_MODE: Code = code(
    70_007,
    400,
    "invalid_request",
    "Only the response modes \"query\" and \"form_post\" are supported.",
);
pub(crate) const LOGIN_REQUIRED: Code =
    code(50_058, 400, "login_required", "Nobody is signed in, and the client asked not to show a page.");
pub(crate) const CONSENT_REQUIRED: Code = code(
    65_001,
    400,
    "consent_required",
    "The person has not let this client act for them, and the client asked not to show a page.",
);
pub(crate) const NO_CONSENT: Code = code(
    65_001,
    400,
    "invalid_grant",
    "The person has not let this application reach that service for them. Ask them by an interactive sign-in.",
);
pub(crate) const WRONG_GRANT_ASSERTION: Code =
    code(50_013, 400, "invalid_grant", "The assertion is not valid.");
pub(crate) const BUSY: Code =
    code(90_033, 503, "temporarily_unavailable", "The service cannot answer at this moment. Try again.");
pub(crate) const INTERNAL: Code =
    code(50_000, 500, "server_error", "The request failed through a fault of the service.");

impl Code {
    /// The `suberror`, by which libraries choose what to show the user.
    pub(crate) fn suberror(&self) -> Option<&'static str> {
        match self.number {
            65_001 => Some("consent_required"),
            50_055 => Some("user_password_expired"),
            50_173 => Some("bad_token"),
            70_008 => Some("token_expired"),
            _ => None,
        }
    }
}

const fn code(number: u32, status: u16, error: &'static str, text: &'static str) -> Code {
    Code { number, status, error, text }
}
