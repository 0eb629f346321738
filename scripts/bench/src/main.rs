//! `cargo xtask bench` and `cargo xtask capacity`, which hand their arguments to this program: xtask itself is compiled
//! without what the measurements need.

mod bench_command;
mod capacity_command;

use std::process::ExitCode;

use clap::Parser;

/// Measurements and arithmetic about Tailrace
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Arguments {
    Bench(bench_command::Arguments),
    Capacity(capacity_command::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse() {
        Arguments::Bench(arguments) => bench_command::run(&arguments),
        Arguments::Capacity(arguments) => capacity_command::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
