//! `cargo xtask`: everything one does with a checkout of Tailrace. `cargo xtask --help` lists it.
//!
//! - [`setup`]: installs the pinned tools, each into the checkout;
//! - [`build`]: compiles the Workers to Wasm;
//! - [`dev`]: runs the system locally;
//! - [`mod@test`]: runs every test;
//! - [`browser`]: what the browser tests need;
//! - [`test_packages`]: what single tests need from npm;
//! - [`settings_file`]: the user's own settings, in `tailrace.toml`; [`environment`]: the names of resources;
//! - [`deploy`]: brings the system into a Cloudflare account;
//! - [`destroy`]: takes it out again;
//! - [`delegate`]: soak, bench and capacity, which are programs of their own;
//! - [`programs`]: what cargo compiles; [`step`]: running commands, and saying so.

mod browser;
mod build;
mod delegate;
mod deploy;
mod destroy;
mod dev;
mod environment;
mod programs;
mod settings_file;
mod setup;
mod step;
mod test;
mod test_packages;

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
    /// Install what is missing: the Wasm target, worker-build and wasm-bindgen, wrangler
    Setup(setup::Arguments),
    /// Compile Workers to Wasm; all of them unless some are named
    Build(build::Arguments),
    /// Set up, migrate, build and run the whole system locally
    Dev(dev::Arguments),
    /// Create what is missing in a Cloudflare account, and deploy the Workers
    Deploy(deploy::Arguments),
    /// Delete from a Cloudflare account what deploy has created
    Destroy(destroy::Arguments),
    /// Set up, build and run every test
    Test(test::Arguments),
    /// Measure everything side by side, in the real local runtime, and print the tables
    Bench(delegate::Arguments),
    /// Work out what a load needs, what it costs, and which limit binds first
    Capacity(delegate::Arguments),
    /// Make many records while faults come and go, and print where each one ended
    Soak(delegate::Arguments),
}

fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let result = match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments).map(done),
        Command::Build(arguments) => build::run(&arguments).map(done),
        Command::Dev(arguments) => dev::run(&arguments).map(done),
        Command::Deploy(arguments) => deploy::run(&arguments).map(done),
        Command::Destroy(arguments) => destroy::run(&arguments).map(done),
        Command::Test(arguments) => test::run(&arguments).map(done),
        Command::Bench(arguments) => delegate::bench(&arguments),
        Command::Capacity(arguments) => delegate::capacity(&arguments),
        Command::Soak(arguments) => delegate::soak(&arguments),
    };
    result.unwrap_or_else(|error| {
        step::failed(&error);
        if error.is::<step::Refusal>() {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    })
}
