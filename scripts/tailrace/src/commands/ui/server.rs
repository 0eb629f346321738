//! Addresses, routes, and answers as they come.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tokio::net::TcpListener;

use super::app::App;
use super::guard::{Guard, check, not_found};
use super::handlers;
use super::{archived, assets};
use crate::Error;

/// Reads the value of `--listen`: an address of this machine alone, with its port.
///
/// # Errors
/// [`Error::NotLoopback`], or [`Error::Usage`] for what is not an address.
pub(super) fn read_address(text: &str) -> Result<SocketAddr, Error> {
    let numbers = text.replacen("localhost", "127.0.0.1", 1);
    let address = numbers.parse::<SocketAddr>().ok().or_else(|| {
        let port = numbers.parse().ok()?;
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    });
    match address {
        Some(address) if address.ip().is_loopback() => Ok(address),
        Some(_) => Err(Error::NotLoopback {
            address: text.to_owned(),
        }),
        None => Err(Error::Usage(format!(
            "--listen: \"{text}\" is not an address; write 127.0.0.1:8799, or a port alone"
        ))),
    }
}

/// Listens on `address`, or on a free port where that one is taken.
///
/// # Errors
/// Fails if this machine has no such address.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = match TcpListener::bind(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((address.ip(), 0)).await
        }
        listener => listener,
    };
    listener.map_err(Error::io(format!("listen on {address}")))
}

/// Serves the page until something fails for good.
///
/// # Errors
/// As the system has them.
pub(super) async fn serve(listener: TcpListener, app: App, guard: Guard) -> Result<(), Error> {
    let routes = Router::new()
        .route("/", get(page))
        .route("/api/about", get(handlers::about))
        .route("/api/logs", get(handlers::logs))
        .route("/api/archive", get(archived::offer))
        .route("/api/archive/records", get(archived::records))
        .route("/api/counts", get(handlers::counts))
        .route("/api/record", get(handlers::record))
        .route("/api/trace", get(handlers::trace))
        .route("/api/workers", get(handlers::workers))
        .route("/api/pipeline", get(handlers::pipeline))
        .route("/api/term", get(handlers::term))
        .route("/api/command", get(handlers::command))
        .route("/api/live", get(handlers::live))
        .fallback(asset)
        .with_state(app)
        .layer(middleware::from_fn_with_state(Arc::new(guard), check));
    axum::serve(listener, routes)
        .await
        .map_err(Error::io("serve the page"))
}

async fn page() -> Response {
    assets::page()
}

async fn asset(request: Request) -> Response {
    match assets::find(request.uri().path()) {
        Some(asset) => asset,
        None => not_found().await.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_alone_are_listened_on() {
        for (text, expected) in [
            ("127.0.0.1:8799", Some("127.0.0.1:8799")),
            ("localhost:9000", Some("127.0.0.1:9000")),
            ("[::1]:8799", Some("[::1]:8799")),
            ("9000", Some("127.0.0.1:9000")),
            ("0", Some("127.0.0.1:0")),
            ("0.0.0.0:8799", None),
            ("[::]:8799", None),
            ("192.168.1.2:80", None),
            ("example.com:80", None),
            ("127.0.0.1", None),
            ("", None),
        ] {
            let read = read_address(text).ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        let refused = read_address("0.0.0.0:8799").unwrap_err();
        assert!(refused.next_step().contains("ssh -L"));
    }
}
