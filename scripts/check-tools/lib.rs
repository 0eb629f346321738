//! Nothing: this package is a list of programs and their lockfile.
