//! The rules for names, labels and keys, each with kube-apiserver's own text when it is broken.
//!
//! All of them answer the texts of what is wrong, none if nothing is. They look at one string each; where in
//! an object it stood is the caller's knowledge.

/// RFC 1123 subdomain: the name of most objects.
pub fn check_subdomain(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if name.len() > 253 {
        faults.push("must be no more than 253 characters".to_owned());
    }
    if name.is_empty() || !name.split('.').all(is_lower_label) {
        faults.push(SUBDOMAIN.to_owned());
    }
    faults
}

/// RFC 1123 label: the name of a namespace.
pub fn check_label_name(name: &str) -> Vec<String> {
    let mut faults = too_long(name, 63);
    if !is_lower_label(name) {
        faults.push(LABEL.to_owned());
    }
    faults
}

/// RFC 1035 label: the name of a service.
pub fn check_service_name(name: &str) -> Vec<String> {
    let mut faults = too_long(name, 63);
    if !is_lower_label(name) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        faults.push(SERVICE_LABEL.to_owned());
    }
    faults
}

/// Anything that can be one segment of a path: the name of a role or binding.
pub fn check_path_segment(name: &str) -> Vec<String> {
    match name {
        "." => return vec!["may not be '.'".to_owned()],
        ".." => return vec!["may not be '..'".to_owned()],
        _ => {}
    }
    let mut faults: Vec<String> = [('/', "may not contain '/'"), ('%', "may not contain '%'")]
        .into_iter()
        .filter(|(sign, _)| name.contains(*sign))
        .map(|(_, fault)| fault.to_owned())
        .collect();
    // Stricter than kube-apiserver: nobody can tell such names apart on a screen.
    if name.chars().any(char::is_control) {
        faults.push("may not contain control characters".to_owned());
    }
    faults
}

/// The key of a label or annotation, a finalizer: `[prefix/]name`.
pub fn check_qualified_name(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let parts: Vec<_> = name.split('/').collect();
    let name_part = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                faults.push("prefix part must be non-empty".to_owned());
            } else {
                faults
                    .extend(check_subdomain(prefix).into_iter().map(|fault| format!("prefix part {fault}")));
            }
            *name
        }
        _ => {
            return vec![format!(
                "a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name_part.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if name_part.len() > 63 {
        faults.push("name part must be no more than 63 characters".to_owned());
    }
    if !is_word(name_part) {
        faults.push(format!("name part {QUALIFIED}"));
    }
    faults
}

pub fn check_label_value(value: &str) -> Vec<String> {
    let mut faults = too_long(value, 63);
    if !value.is_empty() && !is_word(value) {
        faults.push(LABEL_VALUE.to_owned());
    }
    faults
}

/// A key of a ConfigMap or Secret.
pub fn check_config_key(key: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if key.len() > 253 {
        faults.push("must be no more than 253 characters".to_owned());
    }
    if key.is_empty()
        || !key.chars().all(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.'))
    {
        faults.push(CONFIG_KEY.to_owned());
    }
    match key {
        "." => faults.push("must not be '.'".to_owned()),
        ".." => faults.push("must not be '..'".to_owned()),
        key if key.starts_with("..") => faults.push("must not start with '..'".to_owned()),
        _ => {}
    }
    faults
}

fn too_long(name: &str, maximum: usize) -> Vec<String> {
    if name.len() > maximum { vec![format!("must be no more than {maximum} characters")] } else { Vec::new() }
}

fn is_lower_label(label: &str) -> bool {
    let alphanumeric = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit();
    label.starts_with(alphanumeric)
        && label.ends_with(alphanumeric)
        && label.chars().all(|sign| alphanumeric(sign) || sign == '-')
}

fn is_word(word: &str) -> bool {
    let alphanumeric = |sign: char| sign.is_ascii_alphanumeric();
    word.starts_with(alphanumeric)
        && word.ends_with(alphanumeric)
        && word.chars().all(|sign| alphanumeric(sign) || matches!(sign, '-' | '_' | '.'))
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
    '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
    validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
    must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation \
    is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE_LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start \
    with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex \
    used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
    an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', \
    '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
    '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
    'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_accepted_or_refused_by_kind() {
        for (name, subdomain, label, service, segment) in [
            ("a", true, true, true, true),
            ("1a", true, true, false, true),
            ("a.b", true, false, false, true),
            ("a-", false, false, false, true),
            ("A", false, false, false, true),
            ("a..b", false, false, false, true),
            ("system:x", false, false, false, true),
            ("..", false, false, false, false),
            ("a/b", false, false, false, false),
            ("a%2f", false, false, false, false),
            ("a\0", false, false, false, false),
            ("\u{0430}", false, false, false, true),
            ("", false, false, false, true),
        ] {
            assert_eq!(check_subdomain(name).is_empty(), subdomain, "{name:?} as subdomain");
            assert_eq!(check_label_name(name).is_empty(), label, "{name:?} as label");
            assert_eq!(check_service_name(name).is_empty(), service, "{name:?} as service");
            assert_eq!(check_path_segment(name).is_empty(), segment, "{name:?} as segment");
        }
    }

    #[test]
    fn qualified_names_have_at_most_one_prefix() {
        for (name, fine) in
            [("a", true), ("x.y/A_b.c", true), ("/a", false), ("a/", false), ("a/b/c", false), ("X/a", false)]
        {
            assert_eq!(check_qualified_name(name).is_empty(), fine, "{name:?}");
        }
    }
}
