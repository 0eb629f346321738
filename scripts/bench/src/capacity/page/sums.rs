//! The sums of the page, and what they begin with.

use std::fmt::Write as _;

use super::{INDEX, LOAD, of_a_million, write_table};
use crate::capacity::print::dollars;
use crate::capacity::{Batches, Item, Load, plan};
use crate::constants::Constants;
use crate::number::number;

/// Returns the items of the bill, with their formulas.
pub(super) fn write_sums(constants: &Constants) -> String {
    let formulas = [
        "rows × (4 + 1), warnings and errors × 1, objects × (2 + 1), × $1.00 / 10⁶",
        "rows and objects × 1 × $0.001 / 10⁶",
        "GB stored × 7/30 × $0.75",
        "10⁶/L requests × messages × 3 × ⌈message / 64 kB⌉ × $0.40 / 10⁶",
        "batches × $0.30 / 10⁶",
        "10⁶ logs × CPU ms × $0.02 / 10⁶",
        "objects × $4.50 / 10⁶",
        "GB × 30/30 × $0.015",
    ];
    let quiet = Load {
        warnings: 0.01,
        ..INDEX
    };
    let [all, index] = [LOAD, quiet].map(|load| plan(load, constants).bill);
    let mut rows: Vec<Vec<String>> = index
        .iter()
        .zip(formulas)
        .enumerate()
        .map(|(place, (item, formula))| {
            let all = all.get(place).map_or(0.0, Item::beyond_the_plan);
            vec![
                item.name.to_owned(),
                formula.to_owned(),
                dollars(all),
                dollars(item.beyond_the_plan()),
            ]
        })
        .collect();
    rows.push(vec![
        "**in all**".to_owned(),
        String::new(),
        format!("**{}**", of_a_million(LOAD, constants)),
        format!("**{}**", of_a_million(quiet, constants)),
    ]);
    write_table(
        &[
            "item",
            "formula, for a million logs",
            "`all`, one in ten",
            "`index`, one in a hundred",
        ],
        &rows,
    )
}

/// Returns the constants.
pub(super) fn write_counted(constants: &Constants) -> String {
    let counted = constants.counted;
    let measured = constants.measured;
    let rows = [
        (
            "rows written that D1 bills for storing a row: itself and its index entries",
            number(counted.written_per_row),
        ),
        (
            "the same for a warning or an error, besides",
            number(counted.written_per_warning),
        ),
        (
            "rows written for deleting a row: index entries are not billed",
            number(measured.written_per_delete),
        ),
        (
            "rows written for a row of the archive's catalog",
            number(counted.written_per_object),
        ),
        (
            "bytes of a record on the queue, besides its line",
            number(counted.record_bytes),
        ),
        (
            "bytes of a request's own record on the queue",
            number(counted.invocation_bytes),
        ),
        (
            "bytes of a row in D1, besides those; `ROWS=all`",
            number(counted.row_bytes_all),
        ),
        (
            "the same with `ROWS=index`",
            number(counted.row_bytes_index),
        ),
        (
            "bytes of a row of the catalog",
            number(counted.catalog_bytes),
        ),
        (
            "bytes of a log in the archive, 100 requests an object",
            number(counted.archived_bytes_full),
        ),
        (
            "the same, one request an object",
            number(counted.archived_bytes_single),
        ),
        (
            "rows that the local D1 takes in a second; half of that is planned with",
            number(measured.d1_rows_per_second),
        ),
        (
            "processor time for a log: all of the local workerd, so more than is billed",
            format!("{} ms", number(measured.cpu_ms_per_log)),
        ),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    write_table(&["constant", "value"], &rows)
}

/// Returns what the plan includes.
pub(super) fn write_included(constants: &Constants) -> String {
    let logs = |load: Load, items: &str| {
        let bill = plan(load, constants).bill;
        let item = bill.iter().find(|item| item.name.starts_with(items));
        item.map_or(0.0, |item| item.price.included / item.amount)
    };
    let quiet = Load {
        warnings: 0.01,
        ..INDEX
    };
    format!(
        "The plan includes each month 50 million rows written ({} million logs with `all`, {} million with `index` where one in\n\
         a hundred warns or errs), a million queue operations ({} million logs), 5 GB of D1, a million writes to R2 and 10\n\
         GB-months there. Batches of one request make at most 518,400 objects a month, since log-writer waits five seconds for\n\
         more, so their writes to R2 are never billed.\n",
        number(logs(LOAD, "D1, rows written")),
        number(logs(quiet, "D1, rows written")),
        number(logs(LOAD, "queue operations")),
    )
}

/// Returns the limits, and at how many logs a second they bind.
pub(super) fn write_limits(constants: &Constants) -> String {
    let quiet = Load {
        warnings: 0.01,
        ..INDEX
    };
    let [all, index] = [LOAD, quiet].map(|load| {
        plan(
            Load {
                logs_per_second: 10.0,
                batches: Batches::Full,
                ..load
            },
            constants,
        )
    });
    let rows: Vec<Vec<String>> = all
        .limits
        .iter()
        .map(|(name, at)| {
            let other = index.limits.iter().find(|(other, _)| other == name);
            let cells = [Some(*at), other.map(|(_, at)| *at)];
            let mut row = vec![(*name).to_owned()];
            row.extend(cells.map(|at| number(at.unwrap_or_default().round())));
            row
        })
        .collect();
    let mut text = write_table(
        &[
            "limit, in logs a second",
            "`all`",
            "`index`, one in a hundred",
        ],
        &rows,
    );
    let _ = write!(
        text,
        "\nA log takes {} bytes of D1 with `all`, {} with `index`, and {} bytes of R2.\n",
        number(all.stored_bytes_per_log.round()),
        number(index.stored_bytes_per_log.round()),
        number(index.archived_bytes_per_log.round()),
    );
    text
}
