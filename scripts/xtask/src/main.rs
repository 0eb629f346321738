//! `cargo xtask`: everything one does with a checkout of Tailrace. `cargo xtask --help` lists it.
//!
//! - [`setup`]: installs the pinned tools, each into the checkout;
//! - [`build`]: compiles the Workers to Wasm;
//! - [`dev`]: runs the system locally;
//! - [`mod@test`]: runs every test;
//! - [`zoo`]: the loggers that one of them runs;
//! - [`soak`]: load and faults together, and where every record ended;
//! - [`mod@bench`]: measures everything side by side;
//! - [`capacity`]: works out what a load needs.

mod bench;
mod build;
mod capacity;
mod deploy;
mod dev;
mod inputs;
mod setup;
mod soak;
mod step;
mod test;
mod zoo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything one does with a checkout of Tailrace.
#[derive(Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "A newcomer needs two of these:\n  cargo xtask dev     run the system locally\n  cargo xtask test    pass its tests"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing: the Wasm target, worker-build, wasm-bindgen, wrangler and its Node
    Setup,
    /// Compile Workers to Wasm; all of them unless some are named
    Build(build::Arguments),
    /// Set up, migrate, build and run the whole system locally
    Dev(dev::Arguments),
    /// Create what is missing in a Cloudflare account, and deploy the Workers
    Deploy(deploy::Arguments),
    /// Set up, build and run every test
    Test(test::Arguments),
    /// Measure everything side by side, in the real local runtime, and print the tables
    Bench(bench::Arguments),
    /// Work out what a load needs, what it costs, and which limit binds first
    Capacity(capacity::Arguments),
    /// Make many records while faults come and go, and print where each one ended
    Soak(soak::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup => setup::run(),
        Command::Build(arguments) => build::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Deploy(arguments) => deploy::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Capacity(arguments) => capacity::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::failed(&error);
            ExitCode::FAILURE
        }
    }
}
