//! The answer as a person reads it.

use std::fmt;

use log_record::archive::Rows;

use super::platform::limits;
use super::{Capacity, Item};
use crate::number::number;

pub(super) fn bytes(count: f64) -> String {
    match count {
        count if count >= 1e9 => format!("{} GB", number(count / 1e9)),
        count if count >= 1e6 => format!("{} MB", number(count / 1e6)),
        count => format!("{} kB", number(count / 1e3)),
    }
}

pub(super) fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.005 {
        return "under $0.01".to_owned();
    }
    if amount >= 100.0 {
        return format!("${}", number(amount.round()));
    }
    format!("${amount:.2}")
}

/// Returns a price, or the two ends of a range.
pub(super) fn dollar_range(ends: [f64; 2]) -> String {
    let [low, high] = ends.map(dollars);
    if low == high {
        low
    } else {
        format!("{low} to {high}")
    }
}

impl Capacity {
    fn print_load(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.load;
        write!(
            f,
            "{} logs a second of {} bytes, {} a request, {}% of them warnings or errors\nROWS={}, kept in D1 for {} days",
            number(load.logs_per_second),
            number(load.log_bytes),
            number(load.lines_per_request),
            number(load.warnings * 100.0),
            load.rows,
            number(load.retention_days)
        )?;
        match load.archive_days {
            Some(days) => writeln!(f, " and in the archive for {} days\n", number(days)),
            None => writeln!(f, ", without the archive\n"),
        }
    }

    fn print_flow(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.load;
        writeln!(f, "What flows")?;
        writeln!(
            f,
            "  on the queue        {} messages a second, {} a second",
            number(self.messages_per_second),
            bytes(self.queue_bytes_per_log * load.logs_per_second)
        )?;
        let [stored, deleted] = self.written_per_log.map(number);
        writeln!(
            f,
            "  into D1             {} rows a second; billed rows a log: {stored} to store, {deleted} to delete",
            number(self.rows_per_second)
        )?;
        writeln!(
            f,
            "  kept in D1          {} ({} bytes a log)",
            bytes(self.stored_bytes),
            number(self.stored_bytes_per_log)
        )?;
        if load.archive_days.is_some() {
            writeln!(
                f,
                "  kept in the archive {} ({} bytes a log), {} objects a million logs",
                bytes(self.archived_bytes),
                number(self.archived_bytes_per_log),
                number(self.objects_per_million)
            )?;
        }
        Ok(())
    }

    fn print_limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.load;
        writeln!(f, "\nWhat it needs")?;
        writeln!(f, "  D1 databases        {}", number(self.databases))?;
        let queues = (self.messages_per_second / limits::QUEUE_MESSAGES_PER_SECOND)
            .ceil()
            .max(1.0);
        writeln!(f, "  queues              {}", number(queues))?;
        if self.databases > 1.0 {
            writeln!(
                f,
                "  Tailrace writes one database, which holds {} days of these logs",
                number(self.days_in_one_database)
            )?;
            if load.rows == Rows::All {
                writeln!(
                    f,
                    "  hint: `--rows index` keeps the other lines in R2 alone"
                )?;
            }
        }
        writeln!(
            f,
            "\nWhich limit binds first, and at how many logs a second"
        )?;
        for (name, at) in &self.limits {
            let mark = if load.logs_per_second > *at {
                "  <- exceeded"
            } else {
                ""
            };
            writeln!(f, "  {name:<42} {:>12}{mark}", number(*at))?;
        }
        Ok(())
    }

    fn print_outage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outage = &self.outage;
        writeln!(
            f,
            "\nD1 away for {} minutes",
            number(self.load.outage_minutes)
        )?;
        writeln!(
            f,
            "  on the queue then   {} in {} messages",
            bytes(outage.backlog_bytes),
            number(outage.backlog_messages)
        )?;
        match outage.caught_up_seconds {
            Some(seconds) => writeln!(f, "  caught up after     {} s", number(seconds))?,
            None => writeln!(
                f,
                "  caught up           never: D1 takes no more than arrives"
            )?,
        }
        if outage.overflown_logs > 0.0 {
            writeln!(
                f,
                "  to the KV fallback  {} logs, for which the queue had no room",
                number(outage.overflown_logs)
            )?;
        }
        Ok(())
    }

    fn print_costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nWhat it costs a month, beyond the $5 plan and what that includes"
        )?;
        for item in &self.bill {
            writeln!(f, "  {:<58} {:>16}", item.name, dollars(item.of_month()))?;
        }
        writeln!(f, "  {:<58} {:>16}", "in all", dollars(self.dollars()))?;
        if !self.retentions.is_empty() {
            writeln!(f, "\nWhat another RETENTION_DAYS costs a month, in all")?;
        }
        for (days, stored, amount) in &self.retentions {
            let mark = if *stored > limits::D1_BYTES {
                "  <- more than one D1 holds"
            } else {
                ""
            };
            writeln!(
                f,
                "  {:>3} days             {:>12} in D1 {:>32}{mark}",
                number(*days),
                bytes(*stored),
                dollars(*amount)
            )?;
        }
        writeln!(f, "\nWhat Cloudflare's own cost for the same")?;
        for product in &self.elsewhere {
            let ends = product
                .ends
                .each_ref()
                .map(|items| items.iter().map(Item::of_month).sum());
            writeln!(f, "  {:<58} {:>16}", product.name, dollar_range(ends))?;
        }
        Ok(())
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print_load(f)?;
        self.print_flow(f)?;
        self.print_limits(f)?;
        self.print_outage(f)?;
        self.print_costs(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_shown_where_they_matter() {
        assert_eq!(dollars(0.0), "$0.00");
        assert_eq!(dollars(0.003), "under $0.01");
        assert_eq!(dollars(5.999), "$6.00");
        assert_eq!(dollars(1_234.5), "$1,235");
        assert_eq!(dollar_range([0.266, 1.455]), "$0.27 to $1.46");
    }
}
