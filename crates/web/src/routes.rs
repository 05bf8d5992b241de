//! The routes of a surface as a list. The router is built from it and tests read it, for example the one that walks
//! every route: what is served cannot differ from what is listed.

use std::convert::Infallible;

use axum::{
    Router,
    handler::Handler,
    routing::{self, MethodFilter, MethodRouter},
};

/// One method at one path.
#[derive(Debug)]
pub struct Route<S> {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<S, Infallible>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    pub fn get<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "GET", path, handler: routing::on(MethodFilter::GET, handler) }
    }

    pub fn post<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "POST", path, handler: routing::on(MethodFilter::POST, handler) }
    }

    pub fn patch<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "PATCH", path, handler: routing::on(MethodFilter::PATCH, handler) }
    }

    pub fn delete<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "DELETE", path, handler: routing::on(MethodFilter::DELETE, handler) }
    }

    /// Any method; listed as `*`.
    pub fn any<H: Handler<T, S>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { method: "*", path, handler: routing::any(handler) }
    }
}

/// The router of a list of routes.
pub fn router<S: Clone + Send + Sync + 'static>(routes: impl IntoIterator<Item = Route<S>>) -> Router<S> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler))
}

/// Method and path of each route.
pub fn names<S>(routes: Vec<Route<S>>) -> impl Iterator<Item = (&'static str, String)> {
    routes.into_iter().map(|route| (route.method, route.path.to_owned()))
}
