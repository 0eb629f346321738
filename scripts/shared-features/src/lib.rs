//! Nothing but dependencies, for their features.
//!
//! Cargo compiles a package once for each set of features. `cargo xtask` alone wants fewer of them than the tests of the
//! workspace do, so that both would compile some packages twice, and each would replace the other's `target/debug/xtask`,
//! also while a test starts it. With this crate both want the same.
//!
//! Where `a_copied_checkout_works_on_itself` finds that the program was replaced, a feature is missing here. `cargo tree`
//! names it, with `--format '{p} {f}'` for `--package xtask` and for `--workspace`.
