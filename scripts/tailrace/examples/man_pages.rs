//! Writes the man pages of `tailrace` and of each of its commands into a folder, from the same texts as `--help`.

use std::path::PathBuf;

use clap::CommandFactory as _;
use tailrace::cli::Cli;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(PathBuf::new, PathBuf::from);
    let command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    clap_mangen::generate_to(command, folder)
}
