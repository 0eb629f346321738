//! Nothing survives: after a signal to `cargo xtask dev`, `test`, `soak` or `bench`, whenever it comes, no process, port or
//! temporary folder is left. After SIGKILL no process or port is left, and the next run removes the folders.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod running;
#[path = "survivors/traces.rs"]
mod traces;

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use checkout::dev_server::free_port;
use checkout::wait_for;
use nix::sys::signal::Signal;
use running::{READY, Run, remove_state};
use traces::{Process, Traces, is_free, ports};

/// The time after a signal in which everything must be gone.
const END: Duration = Duration::from_secs(40);

/// Cases at once.
const AT_ONCE: usize = 2;

/// A moment in the life of a command.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// It has just been started.
    Start,
    /// It has printed this.
    Says(&'static str),
    /// A program of this name runs.
    Runs(&'static str),
    /// The local runtime listens.
    Listens,
    /// wrangler has written that a request was answered.
    Answers,
}

/// Waits until it is `moment` in the life of `run`.
fn wait_until(run: &mut Run, moment: Moment, traces: &Traces) -> Result<(), String> {
    let processes = |run: &Run| traces.processes(run.id());
    run.wait("the moment", |run| match moment {
        Moment::Start => true,
        Moment::Says(text) => run.output().contains(text),
        Moment::Runs(program) => processes(run).iter().any(|it| it.program == program),
        Moment::Listens => !ports(&processes(run)).is_empty(),
        Moment::Answers => traces.has_text("wrangler.log", " 200 OK "),
    })
}

/// A command, the moment at which it is signalled, and the signal.
struct Case {
    arguments: Vec<String>,
    moment: Moment,
    signal: Signal,
}

impl Case {
    fn new(arguments: &[&str], moment: Moment, signal: Signal) -> Self {
        Self {
            arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
            moment,
            signal,
        }
    }

    fn name(&self) -> String {
        let Self { moment, signal, .. } = self;
        format!("{signal} to {} at {moment:?}", self.arguments.join(" "))
    }

    fn is_of_dev(&self) -> bool {
        self.arguments.first().is_some_and(|it| it == "dev")
    }

    /// Runs the command up to the moment, signals it, and looks for what is left.
    fn check(&self) -> Result<(), String> {
        let traces = Traces::new();
        let mut run = self.start(&traces);
        wait_until(&mut run, self.moment, &traces)?;
        if self.is_of_dev() && matches!(self.moment, Moment::Says(READY)) {
            load(&run);
        }
        let processes = traces.processes(run.id());
        self.check_observability(&processes)?;
        let ports = ports(&processes);
        run.signal(self.signal);
        let status = run.end(END)?;
        if status.signal() != Some(self.signal as i32) {
            return Err(format!("it ended with {status}\n{}", run.output()));
        }
        let left = || traces.processes(0);
        wait_for("the processes", END, || Ok(left().is_empty().then_some(())))
            .map_err(|error| format!("{error:#}: {:#?}", left()))?;
        // A port that the system has chosen may be somebody else's by now.
        let mut chosen = ports.into_iter().filter(|port| *port < 32_768);
        if let Some(port) = chosen.find(|port| !is_free(*port)) {
            return Err(format!("port {port} is still taken"));
        }
        if self.signal == Signal::SIGKILL {
            self.run_again(&traces)?;
        }
        let files = traces.files();
        if files.is_empty() {
            Ok(())
        } else {
            Err(format!("these are left: {files:?}\n{}", run.output()))
        }
    }

    /// Runs the command anew, for what it removes of the run before.
    fn run_again(&self, traces: &Traces) -> Result<(), String> {
        let mut run = self.start(traces);
        wait_until(&mut run, Moment::Runs("sh"), traces)?;
        run.signal(Signal::SIGTERM);
        run.end(END).map(drop)
    }

    fn start(&self, traces: &Traces) -> Run {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Run::start(&arguments, |command| {
            command.env("TMPDIR", traces.folder());
        })
    }

    /// Tests and measurements are not to be traced by wrangler; for a person, its page of traces is welcome.
    fn check_observability(&self, processes: &[Process]) -> Result<(), String> {
        let is_traced = |process: &Process| {
            process.program == "workerd" && !process.has_variable("X_LOCAL_OBSERVABILITY=false")
        };
        if !self.is_of_dev() && processes.iter().any(is_traced) {
            return Err("wrangler traces what runs".to_owned());
        }
        Ok(())
    }
}

/// Sends requests to the system that `dev` runs, for as long as it answers.
fn load(dev: &Run) {
    for _ in 0..4 {
        let system = dev.system();
        thread::spawn(move || while system.send_event("load").is_ok() {});
    }
}

/// Runs cases side by side.
fn check_all(cases: Vec<Case>) {
    let cases = Mutex::new(VecDeque::from(cases));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().pop_front() } {
                    if let Err(failure) = case.check() {
                        let failure = format!("{}: {failure}", case.name());
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Each signal at another moment, in turn, and SIGKILL at the last.
fn in_turn(arguments: &[&str], moments: [Moment; 5]) -> Vec<Case> {
    let signals = SIGNALS.into_iter().cycle();
    let last = Case::new(arguments, moments[4], Signal::SIGKILL);
    moments
        .into_iter()
        .zip(signals)
        .map(|(moment, signal)| Case::new(arguments, moment, signal))
        .chain([last])
        .collect()
}

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

#[test]
fn nothing_survives_dev() {
    let moments = [
        Moment::Says("==> applying the migrations"),
        Moment::Runs("node"),
        Moment::Says("==> starting the Workers"),
        Moment::Says("Ready on"),
        Moment::Says(READY),
    ];
    let mut cases = Vec::new();
    let mut used = Vec::new();
    for signal in SIGNALS.into_iter().chain([Signal::SIGKILL]) {
        for moment in moments {
            let port = free_port().unwrap();
            let arguments = ["dev", "--port", &port.to_string()];
            cases.push(Case::new(&arguments, moment, signal));
            used.push(port);
        }
    }
    check_all(cases);
    used.into_iter().for_each(remove_state);
}

#[test]
fn nothing_survives_test() {
    let moments = [
        Moment::Start,
        Moment::Runs("cargo"),
        Moment::Runs("node"),
        Moment::Listens,
        Moment::Answers,
    ];
    let arguments = ["test", "plain_text_lines_have_the_level"];
    check_all(in_turn(&arguments, moments));
}

#[test]
fn nothing_survives_soak() {
    let moments = [
        Moment::Start,
        Moment::Says("==> soaking"),
        Moment::Runs("node"),
        Moment::Listens,
        Moment::Answers,
    ];
    check_all(in_turn(&["soak"], moments));
}

#[test]
fn nothing_survives_bench() {
    let moments = [
        Moment::Runs("cargo"),
        Moment::Says("==> writing D1"),
        Moment::Runs("node"),
        Moment::Listens,
        Moment::Answers,
    ];
    check_all(in_turn(&["bench", "--quick", "--only", "d1"], moments));
}
