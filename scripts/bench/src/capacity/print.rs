//! The answer as a person reads it.

use std::fmt;

use super::Capacity;
use super::constants::limits;
use crate::number::number;

fn bytes(count: f64) -> String {
    match count {
        count if count >= 1e9 => format!("{} GB", number(count / 1e9)),
        count if count >= 1e6 => format!("{} MB", number(count / 1e6)),
        count => format!("{} kB", number(count / 1e3)),
    }
}

fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.005 {
        return "under $0.01".to_owned();
    }
    let cents = (amount * 100.0).round() / 100.0;
    format!(
        "${}.{:02.0}",
        number(cents.trunc()),
        (cents.fract() * 100.0).round()
    )
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.load;
        writeln!(
            f,
            "{} logs a second of {} bytes, {} a request, kept for {} days\n",
            number(load.logs_per_second),
            number(load.log_bytes),
            number(load.lines_per_request),
            number(load.retention_days)
        )?;
        writeln!(f, "What flows")?;
        writeln!(
            f,
            "  on the queue        {} messages a second, {} a second",
            number(self.messages_per_second),
            bytes(self.queue_bytes_per_log * load.logs_per_second)
        )?;
        writeln!(
            f,
            "  into D1             {} rows a second",
            number(self.rows_per_second)
        )?;
        writeln!(
            f,
            "  kept in D1          {} ({} bytes a log)",
            bytes(self.stored_bytes),
            number(self.stored_bytes_per_log)
        )?;
        writeln!(f, "\nWhat it needs")?;
        writeln!(f, "  D1 databases        {}", number(self.databases))?;
        let queues = (self.messages_per_second / limits::QUEUE_MESSAGES_PER_SECOND)
            .ceil()
            .max(1.0);
        writeln!(f, "  queues              {}", number(queues))?;
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
        let outage = &self.outage;
        writeln!(f, "\nD1 away for {} minutes", number(load.outage_minutes))?;
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
        writeln!(
            f,
            "\nWhat it costs a month, beyond the $5 plan and what that includes"
        )?;
        for (name, amount) in &self.bill {
            writeln!(f, "  {name:<62} {:>12}", dollars(*amount))?;
        }
        writeln!(f, "  {:<62} {:>12}", "in all", dollars(self.dollars()))?;
        writeln!(f, "\nWhat Cloudflare's own cost for the same")?;
        for (name, amount) in &self.elsewhere {
            writeln!(f, "  {name:<62} {:>12}", dollars(*amount))?;
        }
        Ok(())
    }
}
