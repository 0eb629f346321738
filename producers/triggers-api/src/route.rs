//! Method and path to a route.

/// A request that the Worker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /events`: queue an event.
    PostEvents,
    /// `GET /debug/throw`: end in an uncaught exception.
    DebugThrow,
    /// `GET /debug/plain`: log plain text on each console method.
    DebugPlain,
}

/// The reason why a request has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No such path.
    NotFound,
    /// The path exists, with this method only.
    MethodNotAllowed {
        /// The value of the `Allow` header.
        allow: &'static str,
    },
}

/// The route for a request.
///
/// # Errors
/// [`NoRoute`], where path or method are not served.
pub fn find(method: &str, path: &str) -> Result<Route, NoRoute> {
    let (allow, route) = match path {
        "/events" => ("POST", Route::PostEvents),
        "/debug/throw" => ("GET", Route::DebugThrow),
        "/debug/plain" => ("GET", Route::DebugPlain),
        _ => return Err(NoRoute::NotFound),
    };
    if method == allow {
        Ok(route)
    } else {
        Err(NoRoute::MethodNotAllowed { allow })
    }
}
