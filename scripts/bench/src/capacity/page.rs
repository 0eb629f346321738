//! The figures of docs/cost-and-scale.md: the parts of the page that a test writes and compares.

mod sums;

use std::fmt::Write as _;

use log_record::archive::Rows;

use super::print::{bytes, dollar_range, dollars};
use super::{Batches, Capacity, Item, Load, MONTH_SECONDS, plan, platform};
use crate::constants::Constants;
use crate::number::number;

/// A load of the page: seven days in D1 and thirty in the archive, 250 bytes a line, ten lines a request.
const LOAD: Load = Load {
    logs_per_second: 1e6 / MONTH_SECONDS,
    log_bytes: 250.0,
    lines_per_request: 10.0,
    warnings: 0.1,
    rows: Rows::All,
    retention_days: 7.0,
    archive_days: None,
    batches: Batches::Full,
    outage_minutes: 60.0,
};

/// The archive's default.
const ARCHIVE_DAYS: Option<f64> = Some(30.0);

/// The shares of warnings and errors, in words.
const SHARES: [(f64, &str); 2] = [(0.1, "one in ten"), (0.01, "one in a hundred")];

const INDEX: Load = Load {
    rows: Rows::Index,
    archive_days: ARCHIVE_DAYS,
    ..LOAD
};

/// Returns the parts of the page, each with the name that its marks have.
#[must_use]
pub fn parts(constants: &Constants) -> Vec<(&'static str, String)> {
    vec![
        ("in short", in_short(constants)),
        ("a million logs", write_million(constants)),
        ("what to set", write_loads(constants)),
        ("sums", sums::write_sums(constants)),
        ("constants", sums::write_counted(constants)),
        ("included", sums::write_included(constants)),
        ("limits", sums::write_limits(constants)),
        ("retention", write_retention(constants)),
    ]
}

/// Returns the sentences of README.md that hold figures.
#[must_use]
pub fn readme(constants: &Constants) -> Vec<String> {
    let first = |load| number(first_limit(&plan(load, constants)).round());
    vec![
        format!(
            "A million logs cost about {}, nearly all of it D1 rows",
            of_a_million(LOAD, constants)
        ),
        format!("{} by the size of an event", workers_logs(constants)),
        format!("more than some {} lines a second", first(LOAD)),
        format!(
            "some {} with an index",
            first(Load {
                warnings: 0.01,
                ..INDEX
            })
        ),
    ]
}

fn first_limit(capacity: &Capacity) -> f64 {
    capacity.limits.first().map_or(0.0, |(_, at)| *at)
}

fn of_a_million(load: Load, constants: &Constants) -> String {
    let bill = plan(load, constants).bill;
    dollars(bill.iter().map(Item::beyond_the_plan).sum())
}

fn elsewhere_of_a_million(constants: &Constants) -> [String; 2] {
    plan(LOAD, constants).elsewhere.map(|product| {
        dollar_range(
            product
                .ends
                .map(|items| items.iter().map(Item::beyond_the_plan).sum()),
        )
    })
}

fn workers_logs(constants: &Constants) -> String {
    let [workers_logs, _] = elsewhere_of_a_million(constants);
    workers_logs
}

fn in_short(constants: &Constants) -> String {
    let quiet = |load| Load {
        warnings: 0.01,
        ..load
    };
    let one_d1 = |load| number(first_limit(&plan(load, constants)).round());
    format!(
        "Storing a million logs as rows costs about {}, and one D1 database keeps seven days of {} logs a second.\n\
         With the archive and `ROWS=index`, where one line in a hundred warns or errs, it is {} and {} logs a second.\n\
         Cloudflare's own Workers Logs cost {}, by the size of an event.\n",
        of_a_million(LOAD, constants),
        one_d1(LOAD),
        of_a_million(quiet(INDEX), constants),
        one_d1(quiet(INDEX)),
        workers_logs(constants),
    )
}

/// Writes a table; columns of figures are aligned to the right.
fn write_table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n", header.join(" | "));
    for column in 0..header.len() {
        let first = rows.first().and_then(|row| row.get(column));
        let is_figure =
            first.is_some_and(|cell| cell.starts_with(|c: char| c == '$' || c.is_ascii_digit()));
        out.push_str(if is_figure { "| ---: " } else { "| --- " });
    }
    out.push_str("|\n");
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

fn write_million(constants: &Constants) -> String {
    let archive = Load {
        archive_days: ARCHIVE_DAYS,
        ..LOAD
    };
    let mut rows = Vec::new();
    for (name, load) in [
        ("`ROWS=all`, without the archive", LOAD),
        ("`ROWS=all` and the archive", archive),
        ("`ROWS=index`", INDEX),
    ] {
        for (batches, size) in [
            (Batches::Full, "full batches"),
            (Batches::Single, "a batch for each request"),
        ] {
            let mut row = vec![format!("{name}, {size}")];
            row.extend(SHARES.map(|(warnings, _)| {
                let load = Load {
                    warnings,
                    batches,
                    ..load
                };
                of_a_million(load, constants)
            }));
            rows.push(row);
        }
    }
    let [workers_logs, logpush] = elsewhere_of_a_million(constants);
    rows.push(vec![
        "Workers Logs, from December 2026 on".to_owned(),
        workers_logs.clone(),
        workers_logs,
    ]);
    let logpush = format!("{logpush}, and its destination");
    rows.push(vec!["Workers Logpush".to_owned(), logpush.clone(), logpush]);
    let [(_, often), (_, seldom)] =
        SHARES.map(|(share, words)| (share, format!("{words} a warning or error")));
    write_table(&["a million logs", &often, &seldom], &rows)
}

/// Returns the days up to seven that one database holds, in whole days, and the load with them.
fn find_largest(load: Load, constants: &Constants) -> (f64, Capacity) {
    let days = plan(load, constants).days_in_one_database.floor().min(7.0);
    let load = Load {
        retention_days: days.max(1.0),
        ..load
    };
    (days, plan(load, constants))
}

fn write_loads(constants: &Constants) -> String {
    let mut rows = Vec::new();
    for logs_per_second in [1.0, 10.0, 100.0, 1_000.0] {
        for (warnings, words) in SHARES {
            let load = |load: Load| Load {
                logs_per_second,
                warnings,
                batches: Batches::Arriving,
                ..load
            };
            let (all_days, all) = find_largest(load(LOAD), constants);
            let (index_days, index) = find_largest(load(INDEX), constants);
            let cell = |days: f64, capacity: &Capacity| {
                if days < 1.0 {
                    return "more than one D1 holds".to_owned();
                }
                let unit = if days < 2.0 { "day" } else { "days" };
                format!("{}, {} {unit}", dollars(capacity.dollars()), number(days))
            };
            let set = if all_days >= 7.0 && all.dollars() < index.dollars() + 1.0 {
                "nothing; the archive to keep logs for longer".to_owned()
            } else if all_days >= 7.0 {
                "nothing; the archive and `rows = \"index\"` to pay less".to_owned()
            } else if index_days >= 7.0 {
                "the archive, `rows = \"index\"`".to_owned()
            } else if index_days >= 1.0 {
                format!(
                    "the archive, `rows = \"index\"`, `retention_days = {}`",
                    number(index_days)
                )
            } else {
                "a higher `MIN_LEVEL` or a lower `SAMPLE_RATE`; or Cloudflare's own".to_owned()
            };
            let elsewhere = index.elsewhere.each_ref().map(|product| {
                let ends = product.ends.each_ref();
                dollar_range(ends.map(|items| items.iter().map(Item::of_month).sum()))
            });
            let [workers_logs, logpush] = elsewhere;
            rows.push(vec![
                number(logs_per_second),
                words.to_owned(),
                cell(all_days, &all),
                cell(index_days, &index),
                workers_logs,
                logpush,
                set,
            ]);
        }
    }
    write_table(
        &[
            "logs a second",
            "warnings and errors",
            "`ROWS=all`",
            "`ROWS=index`",
            "Workers Logs",
            "Logpush",
            "set",
        ],
        &rows,
    )
}

fn write_retention(constants: &Constants) -> String {
    let load = Load {
        logs_per_second: 25.0,
        warnings: 0.01,
        batches: Batches::Arriving,
        ..INDEX
    };
    let dollars_or_not = |stored: f64, amount: f64| {
        if stored > platform::limits::D1_BYTES {
            "more than one D1 holds".to_owned()
        } else {
            dollars(amount)
        }
    };
    let rows: Vec<Vec<String>> = plan(load, constants)
        .retentions
        .into_iter()
        .map(|(days, stored, amount)| {
            vec![number(days), bytes(stored), dollars_or_not(stored, amount)]
        })
        .collect();
    write_table(&["`RETENTION_DAYS`", "in D1", "a month, in all"], &rows)
}
