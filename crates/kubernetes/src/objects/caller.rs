//! What a request to an embedded cluster brings to say who sent it, and whom the sender wants to be taken for.

use std::{collections::BTreeMap, sync::Arc};

use domain::{id::ClusterId, object::ObjectKey};
use sign_in::tokens::service_account::bound;

/// What a request brings to say who sent it.
#[derive(Clone, Default)]
pub struct Presented {
    /// DER form; the connection has proved that the peer holds its key.
    pub certificate: Option<Arc<[u8]>>,
    pub token: Token,
}

#[derive(Clone, Default)]
pub enum Token {
    #[default]
    None,
    Bearer(Arc<str>),
    /// There is something in the header that is no bearer token.
    Unusable,
}

/// Whom the caller wants to be taken for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    pub user: String,
    pub groups: Vec<String>,
    pub uid: String,
    pub extra: BTreeMap<String, Vec<String>>,
}

/// A caller of one cluster.
#[derive(Clone, Debug)]
pub struct KubeCaller {
    pub cluster: ClusterId,
    pub(super) presented: Presented,
    pub(super) impersonation: Option<Impersonation>,
}

impl Presented {
    /// The token, if there is one.
    pub fn bearer(&self) -> Option<&str> {
        match &self.token {
            Token::Bearer(token) => Some(token),
            Token::None | Token::Unusable => None,
        }
    }
}

impl KubeCaller {
    /// Objects that the credentials end with, and that bear on nothing else.
    pub(super) fn bound_to(&self) -> Vec<ObjectKey> {
        self.presented.bearer().map(|token| bound::objects_of(self.cluster, token)).unwrap_or_default()
    }

    /// Whether the caller presents nothing and impersonates nobody.
    pub fn presents_nothing(&self) -> bool {
        self.presented.certificate.is_none() && matches!(self.presented.token, Token::None)
    }
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presented {{ certificate: {}, token: {:?} }}", self.certificate.is_some(), self.token)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Bearer(_) => "***",
            Self::Unusable => "unusable",
        })
    }
}
