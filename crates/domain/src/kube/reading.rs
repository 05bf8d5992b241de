//! Manifests become objects: checked, and without what plays no part in a decision.

use std::sync::Arc;

use super::{
    Binding, ClusterRole, Manifest, Object, ObjectError, Role, RoleKind, RoleRef, Subject, SubjectKind,
    check,
    manifest::{Kind, WrittenRoleRef, WrittenSubject},
};

impl Object {
    /// Reads one object as the API server holds it. Unknown fields are passed over, as there.
    pub fn parse(value: &serde_json::Value) -> Result<Self, ObjectError> {
        Manifest::parse(value)?.try_into()
    }
}

impl TryFrom<Manifest> for Object {
    type Error = ObjectError;

    fn try_from(manifest: Manifest) -> Result<Self, ObjectError> {
        let kind = manifest.kind()?;
        let problems = check::check(&manifest, kind);
        if !problems.is_empty() {
            return Err(ObjectError::Invalid(problems));
        }
        let name: Arc<str> = manifest.metadata.name.into();
        let namespace: Option<Arc<str>> = manifest.metadata.namespace.map(Arc::from);
        Ok(match kind {
            Kind::Role => Self::Role(Role {
                namespace: namespace.unwrap_or_default(),
                name,
                rules: manifest.rules.unwrap_or_default().into(),
            }),
            Kind::ClusterRole => Self::ClusterRole(ClusterRole {
                name,
                labels: manifest.metadata.labels.unwrap_or_default(),
                rules: manifest.rules.unwrap_or_default().into(),
                aggregation_rule: manifest.aggregation_rule,
            }),
            Kind::RoleBinding | Kind::ClusterRoleBinding => Self::Binding(Binding {
                namespace: namespace.filter(|_| kind.is_namespaced()),
                name,
                role: role_ref(manifest.role_ref)?,
                subjects: manifest
                    .subjects
                    .unwrap_or_default()
                    .into_iter()
                    .map(subject)
                    .collect::<Result<_, _>>()?,
            }),
        })
    }
}

fn role_ref(written: Option<WrittenRoleRef>) -> Result<RoleRef, ObjectError> {
    let written = written.ok_or_else(|| ObjectError::Malformed("roleRef is missing".to_owned()))?;
    let kind = match written.kind.as_str() {
        "Role" => RoleKind::Role,
        "ClusterRole" => RoleKind::ClusterRole,
        other => {
            return Err(ObjectError::Malformed(format!("roleRef.kind {other:?} is not Role or ClusterRole")));
        }
    };
    Ok(RoleRef { kind, name: written.name.into() })
}

fn subject(written: WrittenSubject) -> Result<Subject, ObjectError> {
    let kind = match written.kind.as_str() {
        "User" => SubjectKind::User,
        "Group" => SubjectKind::Group,
        "ServiceAccount" => SubjectKind::ServiceAccount,
        other => {
            return Err(ObjectError::Malformed(format!(
                "the subject's kind {other:?} is not User, Group or ServiceAccount"
            )));
        }
    };
    Ok(Subject { kind, name: written.name.into(), namespace: written.namespace.map(Arc::from) })
}
