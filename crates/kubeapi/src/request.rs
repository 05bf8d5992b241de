//! Parses method, path, query and headers of a request, before any lookup.
//!
//! It follows kube-apiserver's `RequestInfoFactory`: it yields the verb and the attributes for authorization, whether
//! or not the resource exists. Values are typed here; the users of selectors, limits and options check whether they
//! fit the resource.

use http::{HeaderMap, Method, header};

use crate::{
    fields::FieldValidation,
    status::{Problem, Status},
    table::IncludeObject,
};

/// The attributes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for non-resource paths the
    /// method in lower case.
    pub verb: &'static str,
    pub place: RequestTarget,
}

/// The resource or non-resource path of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestTarget {
    /// An empty string means the core group, no namespace, no name or no subresource.
    Resource {
        group: String,
        version: String,
        resource: String,
        subresource: String,
        namespace: String,
        name: String,
    },
    /// Everything else, such as `/healthz` and `/apis/apps/v1`.
    Path(String),
}

/// The query parameters, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// Parameters of a list or watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    pub label_selector: String,
    pub field_selector: String,
    /// 0: no limit.
    pub limit: usize,
    pub continue_token: String,
    pub resource_version: String,
    pub resource_version_match: String,
    pub watch: bool,
    pub allow_bookmarks: bool,
    pub send_initial_events: Option<bool>,
    pub timeout_seconds: Option<u64>,
}

/// Parameters of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    pub dry_run: bool,
    pub field_manager: String,
    pub field_validation: FieldValidation,
    pub force: Option<bool>,
}

/// The format of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Object,
    Table,
    /// Only the metadata, of an object or a list.
    Metadata,
    /// The aggregated discovery document.
    Discovery,
}

/// The type of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    Json,
    Yaml,
    Protobuf,
}

impl RequestInfo {
    /// `path` is the path within the cluster, still percent-encoded; `None` if it is malformed.
    pub fn parse(method: &Method, path: &str, query: &Query) -> Option<Self> {
        let path_verb = path_verb(method);
        let segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode_segment)
            .collect::<Option<_>>()?;
        let mut rest = segments.iter().map(String::as_str);
        let (group, version) = match (rest.next(), rest.next(), segments.len()) {
            (Some("api"), Some(version), 3..) => ("", version),
            (Some("apis"), Some(group), 4..) => (group, rest.next().unwrap_or_default()),
            _ => return Some(Self { verb: path_verb, place: RequestTarget::Path(normal_path(path)?) }),
        };
        let rest: Vec<&str> = rest.collect();
        let (namespace, resource, name, subresource) = match rest.as_slice() {
            ["namespaces", namespace] => (*namespace, "namespaces", *namespace, ""),
            // `status` and `finalize` are subresources of the namespace; any other segment is a resource in it.
            ["namespaces", namespace, sub @ ("status" | "finalize")] => {
                (*namespace, "namespaces", *namespace, *sub)
            }
            ["namespaces", namespace, resource] => (*namespace, *resource, "", ""),
            ["namespaces", namespace, resource, name] => (*namespace, *resource, *name, ""),
            ["namespaces", namespace, resource, name, sub, ..] => (*namespace, *resource, *name, *sub),
            [resource] => ("", *resource, "", ""),
            [resource, name] => ("", *resource, *name, ""),
            [resource, name, sub, ..] => ("", *resource, *name, *sub),
            [] => return None,
        };
        let mut name = name.to_owned();
        let verb = match (path_verb, name.is_empty()) {
            ("get" | "head", false) => "get",
            ("get" | "head", true) => {
                // A list that a field selector limits to one name is authorized for that name.
                let selector = query.get("fieldSelector");
                if let Ok(selector) = crate::selectors::FieldSelector::parse(selector)
                    && let Some(only) = selector.name()
                    && domain::kube::names::check_path_segment(only).is_empty()
                {
                    only.clone_into(&mut name);
                }
                if query.flag("watch").unwrap_or(false) { "watch" } else { "list" }
            }
            ("post", _) => "create",
            ("put", _) => "update",
            ("patch", _) => "patch",
            ("delete", true) => "deletecollection",
            ("delete", false) => "delete",
            (other, _) => other,
        };
        let place = RequestTarget::Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name,
        };
        Some(Self { verb, place })
    }
}

impl Query {
    /// Parses the query string; `None` for a malformed escape or too many parameters.
    pub fn parse(text: &str) -> Option<Self> {
        let pairs = web::escapes::pairs(text.as_bytes()).ok()?.into_owned();
        let parameters: Vec<(String, String)> = pairs.take(MAXIMUM_PARAMETERS + 1).collect();
        (parameters.len() <= MAXIMUM_PARAMETERS).then_some(Self(parameters))
    }

    /// The first value, or an empty text.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(each, _)| each == name).map_or("", |(_, value)| value)
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    /// `None` if the parameter is absent or not a boolean. A bare `?watch` is true.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let (_, value) = self.0.iter().find(|(each, _)| each == name)?;
        match value.to_ascii_lowercase().as_str() {
            "" | "1" | "t" | "true" => Some(true),
            "0" | "f" | "false" => Some(false),
            _ => None,
        }
    }
}

impl ListOptions {
    pub fn parse(query: &Query) -> Result<Self, Status> {
        let number = |name: &str| match query.get(name) {
            "" => Ok(None),
            text => text.parse::<u64>().map(Some).map_err(|_| {
                Status::bad_request(format!(
                    "unable to parse {name}: {text:?}: expected a number that is not negative"
                ))
            }),
        };
        Ok(Self {
            label_selector: query.get("labelSelector").to_owned(),
            field_selector: query.get("fieldSelector").to_owned(),
            limit: usize::try_from(number("limit")?.unwrap_or(0)).unwrap_or(usize::MAX),
            continue_token: query.get("continue").to_owned(),
            resource_version: query.get("resourceVersion").to_owned(),
            resource_version_match: query.get("resourceVersionMatch").to_owned(),
            watch: query.flag("watch").unwrap_or(false),
            allow_bookmarks: query.flag("allowWatchBookmarks").unwrap_or(false),
            send_initial_events: query.flag("sendInitialEvents"),
            timeout_seconds: number("timeoutSeconds")?,
        })
    }
}

impl WriteOptions {
    /// `options` is the kind in error messages, such as `CreateOptions`.
    pub fn parse(query: &Query, options: &str) -> Result<Self, Status> {
        let invalid = |problem| Status::invalid("meta.k8s.io", options, "", &[problem]);
        let field_validation = query.get("fieldValidation");
        let field_validation = FieldValidation::parse(field_validation).ok_or_else(|| {
            invalid(Problem::not_supported(
                "fieldValidation",
                field_validation,
                &["Ignore", "Warn", "Strict"],
            ))
        })?;
        let field_manager = query.get("fieldManager");
        if field_manager.len() > 128 {
            return Err(invalid(Problem::too_long("fieldManager", 128)));
        }
        if field_manager.chars().any(char::is_control) {
            return Err(invalid(Problem::invalid(
                "fieldManager",
                field_manager,
                "should only contain printable characters",
            )));
        }
        Ok(Self {
            dry_run: parse_dry_run(query.all("dryRun"), options)?,
            field_manager: field_manager.to_owned(),
            field_validation,
            force: query.flag("force"),
        })
    }
}

/// `dryRun` is `All` or absent.
pub fn parse_dry_run<'a>(values: impl Iterator<Item = &'a str>, options: &str) -> Result<bool, Status> {
    let mut dry_run = false;
    for value in values.filter(|value| !value.is_empty()) {
        if value != "All" {
            let problem = Problem::not_supported("dryRun", value, &["All"]);
            return Err(Status::invalid("meta.k8s.io", options, "", &[problem]));
        }
        dry_run = true;
    }
    Ok(dry_run)
}

/// The format of the response: the first supported one of the `Accept` header.
pub fn accepted(headers: &HeaderMap) -> Result<Form, Status> {
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        let Ok(value) = value.to_str() else { return Err(Status::not_acceptable()) };
        for item in value.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            any = true;
            let mut parts = item.split(';').map(str::trim);
            if !matches!(parts.next(), Some("application/json" | "application/*" | "*/*")) {
                continue;
            }
            let (mut kind, mut group, mut version) = ("", "", "");
            for part in parts {
                match part.split_once('=') {
                    Some(("as", value)) => kind = value,
                    Some(("g", value)) => group = value,
                    Some(("v", value)) => version = value,
                    _ => {}
                }
            }
            match (kind, group, version) {
                ("", ..) => return Ok(Form::Object),
                ("Table", "meta.k8s.io", "v1") => return Ok(Form::Table),
                ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => {
                    return Ok(Form::Metadata);
                }
                ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => return Ok(Form::Discovery),
                _ => {}
            }
        }
    }
    if any { Err(Status::not_acceptable()) } else { Ok(Form::Object) }
}

/// The media type of the body, without parameters; empty without a `Content-Type`.
pub fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

impl MediaType {
    pub fn parse(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "" | "application/json" => Self::Json,
            "application/yaml" => Self::Yaml,
            "application/vnd.kubernetes.protobuf" => Self::Protobuf,
            _ => return None,
        })
    }
}

/// The field manager of a write: the parameter `fieldManager`, else the user agent up to the first slash.
pub fn manager(options: &WriteOptions, headers: &HeaderMap) -> String {
    if !options.field_manager.is_empty() {
        return options.field_manager.clone();
    }
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name: String = agent.split('/').next().unwrap_or_default().chars().take(128).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// The parameter `includeObject` of a Table.
pub fn include_object(query: &Query) -> Result<IncludeObject, Status> {
    let text = query.get("includeObject");
    IncludeObject::parse(text).ok_or_else(|| {
        let problem = Problem::not_supported("includeObject", text, &["None", "Metadata", "Object"]);
        Status::invalid("meta.k8s.io", "TableOptions", "", &[problem])
    })
}

fn path_verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        _ => "",
    }
}

/// Decodes one path segment: no slash, not `.` or `..`, no control characters.
fn decode_segment(segment: &str) -> Option<String> {
    let text = web::path::segment(segment).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.into_owned())
}

fn normal_path(path: &str) -> Option<String> {
    let decoded = web::escapes::decode(path.as_bytes()).ok()?;
    Some(if decoded.starts_with('/') { decoded.into_owned() } else { format!("/{decoded}") })
}

const MAXIMUM_PARAMETERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path_and_query: &str, verb: &str, attributes: &str) {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let query = Query::parse(query).unwrap();
        let info = RequestInfo::parse(&method.parse().unwrap(), path, &query).unwrap();
        let printed = match &info.place {
            RequestTarget::Resource { group, version, resource, subresource, namespace, name } => {
                format!("{group}|{version}|{resource}|{subresource}|{namespace}|{name}")
            }
            RequestTarget::Path(path) => path.clone(),
        };
        assert_eq!((info.verb, printed.as_str()), (verb, attributes), "{method} {path_and_query}");
    }

    #[test]
    fn attributes_are_those_of_kubernetes() {
        check("GET", "/api/v1/namespaces/a/pods/p", "get", "|v1|pods||a|p");
        check("HEAD", "/api/v1/namespaces/a/pods/p", "get", "|v1|pods||a|p");
        check("GET", "/api/v1/pods", "list", "|v1|pods|||");
        check("GET", "/api/v1/pods?watch=true", "watch", "|v1|pods|||");
        check("GET", "/api/v1/pods?watch=0", "list", "|v1|pods|||");
        check("GET", "/api/v1/namespaces/a/pods/p?watch=1", "get", "|v1|pods||a|p");
        check("GET", "/api/v1/namespaces/a", "get", "|v1|namespaces||a|a");
        check("PUT", "/api/v1/namespaces/a/finalize", "update", "|v1|namespaces|finalize|a|a");
        check("GET", "/api/v1/namespaces", "list", "|v1|namespaces|||");
        check(
            "GET",
            "/api/v1/namespaces?fieldSelector=metadata.name%3Dx&watch=true",
            "watch",
            "|v1|namespaces|||x",
        );
        check(
            "GET",
            "/api/v1/namespaces/a/secrets?fieldSelector=metadata.name=s",
            "list",
            "|v1|secrets||a|s",
        );
        check("POST", "/apis/apps/v1/namespaces/a/deployments", "create", "apps|v1|deployments||a|");
        check(
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            "patch",
            "apps|v1|deployments|scale|a|d",
        );
        check(
            "DELETE",
            "/apis/apps/v1/namespaces/a/deployments",
            "deletecollection",
            "apps|v1|deployments||a|",
        );
        check("DELETE", "/api/v1/nodes/n", "delete", "|v1|nodes|||n");
        check(
            "GET",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x",
            "get",
            "rbac.authorization.k8s.io|v1|clusterroles|||system:x",
        );
        check(
            "GET",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax",
            "get",
            "rbac.authorization.k8s.io|v1|clusterroles|||system:x",
        );
        check("GET", "/api", "get", "/api");
        check("GET", "/api/v1", "get", "/api/v1");
        check("GET", "/apis/apps/v1", "get", "/apis/apps/v1");
        check("POST", "/healthz", "post", "/healthz");
        check("GET", "/", "get", "/");
        check("GET", "/apix/v1/pods", "get", "/apix/v1/pods");
    }

    #[test]
    fn segments_that_could_be_read_twice_are_refused() {
        for path in [
            "/api/v1/namespaces/a%2Fb/pods/p",
            "/api/v1/namespaces/../pods",
            "/api/v1/namespaces/%2e%2e/pods/p",
            "/api/v1/pods/%00",
            "/api/v1/pods/%zz",
            "/api/v1/pods/%ff",
        ] {
            assert_eq!(RequestInfo::parse(&Method::GET, path, &Query::default()), None, "{path}");
        }
    }

    fn accept(value: &str) -> Result<Form, Status> {
        let mut headers = HeaderMap::new();
        if !value.is_empty() {
            headers.insert(header::ACCEPT, value.parse().unwrap());
        }
        accepted(&headers)
    }

    #[test]
    fn the_first_possible_form_is_chosen() {
        for (value, form) in [
            ("", Form::Object),
            ("*/*", Form::Object),
            ("application/vnd.kubernetes.protobuf,application/json", Form::Object),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Form::Table,
            ),
            ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Form::Metadata),
            (
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
                Form::Discovery,
            ),
            ("application/json;as=Other;g=x;v=v1,application/json", Form::Object),
        ] {
            assert_eq!(accept(value), Ok(form), "{value}");
        }
        assert_eq!(accept("text/html").unwrap_err().code, 406);
        assert_eq!(accept("application/json;as=Table;v=v9;g=meta.k8s.io").unwrap_err().code, 406);
    }

    #[test]
    fn options_are_typed_or_refused() {
        let query = |text: &str| Query::parse(text).unwrap();
        assert!(WriteOptions::parse(&query("dryRun=All"), "CreateOptions").unwrap().dry_run);
        let status = WriteOptions::parse(&query("dryRun=Some"), "CreateOptions").unwrap_err();
        assert_eq!(
            status.message,
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\": supported values: \"All\""
        );
        assert_eq!(WriteOptions::parse(&query("fieldValidation=x"), "CreateOptions").unwrap_err().code, 422);
        assert_eq!(ListOptions::parse(&query("limit=-1")).unwrap_err().code, 400);
        assert_eq!(ListOptions::parse(&query("limit=5&watch=1")).unwrap().limit, 5);
        assert!(Query::parse("a=%z").is_none());
    }
}
