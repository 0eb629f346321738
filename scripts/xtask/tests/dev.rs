//! `cargo xtask dev` beside another one, and on a machine whose programs are told of a proxy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod running;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use checkout::dev_server::free_port;
use checkout::wait_for;
use nix::sys::signal::Signal;
use running::{READY, Run, System, remove_state};

const LIMIT: Duration = Duration::from_secs(60);

/// A proxy that takes down what it is asked for, and refuses it.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let list = Arc::clone(&list);
                thread::spawn(move || {
                    let mut line = String::new();
                    BufReader::new(&stream).read_line(&mut line).unwrap();
                    list.lock().unwrap().push(line);
                    let refusal = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
                    // The other side may have gone.
                    let _ = stream.write_all(refusal);
                });
            }
        });
        Self { url, asked }
    }

    /// Tells `command` of this proxy.
    fn set_for(&self, command: &mut Command) {
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(name, &self.url);
            command.env(name.to_lowercase(), &self.url);
        }
        // wrangler leaves this machine out by itself, unless there is a list of exceptions.
        command
            .env("NO_PROXY", "example.com")
            .env_remove("no_proxy");
    }
}

fn wait_until_ready(dev: &mut Run) -> System {
    let is_ready = |dev: &Run| dev.output().contains(READY);
    dev.wait("it is ready", is_ready).unwrap();
    dev.system()
}

fn store_event(system: &System, correlation_id: &str) {
    system.send_event(correlation_id).unwrap();
    wait_for("its rows", LIMIT, || {
        Ok((system.count_rows(correlation_id)? > 0).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_second_dev_leaves_the_first_alone() {
    let proxy = Proxy::start();
    let ports = [free_port().unwrap(), free_port().unwrap()];
    let [port, other] = ports.map(|port| port.to_string());
    let start_dev = |arguments: &[&str]| Run::start(arguments, |command| proxy.set_for(command));
    let mut first = start_dev(&["dev", "--port", &port]);
    let system = wait_until_ready(&mut first);
    store_event(&system, "before");

    // One on the same port is told who is there, and has not emptied anything.
    let mut refused = start_dev(&["dev", "--port", &port, "--fresh"]);
    let status = refused.end(LIMIT).unwrap();
    let owner = format!("already (process {})", first.id());
    let output = refused.output();
    assert!(!status.success() && output.contains(&owner), "{output}");

    // One on another port has a state of its own, also where a build replaces the program meanwhile.
    let arguments = ["dev", "--port", &other, "--fresh"];
    let mut second = Run::start_replaced(&arguments, |command| proxy.set_for(command));
    let own = wait_until_ready(&mut second);
    assert_eq!(own.count_rows("before").unwrap(), 0);
    assert!(system.count_rows("before").unwrap() > 0);
    store_event(&system, "after");
    assert_eq!(own.count_rows("after").unwrap(), 0);

    let stop = |dev: &mut Run| {
        dev.signal(Signal::SIGTERM);
        dev.end(LIMIT).unwrap();
    };
    stop(&mut first);
    stop(&mut second);

    // A server goes on with files that are removed; only the next one finds them gone.
    let mut again = start_dev(&["dev", "--port", &port]);
    let system = wait_until_ready(&mut again);
    assert!(system.count_rows("before").unwrap() > 0);
    stop(&mut again);

    ports.into_iter().for_each(remove_state);
    let asked = proxy.asked.lock().unwrap();
    let is_local = |line: &&String| line.contains("127.0.0.1") || line.contains("localhost");
    let local: Vec<_> = asked.iter().filter(is_local).collect();
    assert!(local.is_empty(), "the proxy was asked for {local:?}");
}
