//! The transport below the API: certificates, and how many statements are under way at once.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failure of the test"
)]

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tailrace::client::Client;
use tailrace::client::d1::Database;
use tailrace::retry::Policy;
use tailrace::sql;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A D1 database that is found, and that has no rows.
fn answer(path: &str) -> &'static str {
    if path.ends_with("/raw") {
        r#"{"success": true, "errors": [], "result": [{"results": {"columns": [], "rows": []}}]}"#
    } else {
        r#"{"success": true, "errors": [], "result": [{"uuid": "db-id", "name": "tailrace"}]}"#
    }
}

/// Reads one request, whole. Returns its path; `None` where the client went away.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(head.split(' ').nth(1)?.to_owned());
        }
    }
}

async fn write_answer(stream: &mut (impl AsyncWrite + Unpin), body: &str) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// An API whose certificate is from an authority of its own. Returns its port, and that authority's certificate.
async fn start_tls_api() -> (u16, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate hangs up here.
            if let Ok(mut stream) = acceptor.accept(stream).await
                && let Some(path) = read_request(&mut stream).await
            {
                write_answer(&mut stream, answer(&path)).await;
            }
        }
    });
    (port, authority.pem())
}

/// Runs `tailrace logs` against the API on `port`, trusting the certificates in `file`.
async fn run_logs(port: u16, file: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
    command
        .arg("logs")
        .env_clear()
        .env("HOME", "/dev/null/home")
        .env(
            "CLOUDFLARE_API_BASE_URL",
            format!("https://localhost:{port}/client/v4"),
        )
        .env("CLOUDFLARE_API_TOKEN", "a-token")
        .env("CLOUDFLARE_ACCOUNT_ID", "an-account")
        .current_dir("/")
        .kill_on_drop(true);
    if let Some(file) = file {
        command.env("SSL_CERT_FILE", file);
    }
    command.output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_trusted_where_the_system_says_so() {
    let (port, authority) = start_tls_api().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let trusting = run_logs(port, Some(&file)).await;
    let stderr = String::from_utf8_lossy(&trusting.stderr);
    assert!(trusting.status.success(), "{stderr}");
    assert!(stderr.contains("no records yet"), "{stderr}");
    let wary = run_logs(port, None).await;
    let stderr = String::from_utf8_lossy(&wary.stderr);
    assert_eq!(wary.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("invalid peer certificate"), "{stderr}");
    assert!(stderr.contains("SSL_CERT_FILE"), "{stderr}");
}

/// D1 runs one statement at a time, and log-writer waits in the same line.
#[tokio::test(flavor = "multi_thread")]
async fn two_statements_are_under_way_at_most() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (under_way, most) = (Arc::clone(&under_way), Arc::clone(&most));
            tokio::spawn(async move {
                let Some(path) = read_request(&mut stream).await else {
                    return;
                };
                if path.ends_with("/raw") {
                    let count = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(count, Ordering::SeqCst);
                    // Long enough for every other statement to arrive.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    under_way.fetch_sub(1, Ordering::SeqCst);
                }
                write_answer(&mut stream, answer(&path)).await;
            });
        }
    });
    let client = Client::local(port, Policy::default()).unwrap();
    let database = Database::find(&client, "tailrace").await.unwrap();
    let statement = sql::oldest_timestamp();
    let answers = join_all((0..8).map(|_| database.query(&statement))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}
