//! The query that the options of `logs` are short for, and the stored ids that it means.

use std::process::ExitCode;

use crate::cli::Logs;
use crate::client::d1::Database;
use crate::ids::{self, Resolution};
use crate::query::{Case, Expression, Operator, Query, Term, Test, TextSearch};
use crate::sql::IdColumn;
use crate::time::Zone;
use crate::{Error, error};

/// Returns the query that the options say.
///
/// # Errors
/// [`Error::Query`] where a value is not one of its field.
pub fn build_query(args: &Logs) -> Result<Query, Error> {
    let mut query = match &args.query {
        Some(text) => Query::parse(text)?,
        None => Query::default(),
    };
    let level = args.level.map(|level| level.as_str().to_owned());
    let kinds: Vec<_> = args
        .kind
        .iter()
        .map(|kind| kind.as_str().to_owned())
        .collect();
    let least = args.min_ms.map(|ms| ms.to_string());
    for (field, operator, values) in [
        ("worker", Operator::Is, args.worker.as_slice()),
        ("level", Operator::AtLeast, level.as_slice()),
        ("kind", Operator::Is, kinds.as_slice()),
        ("status", Operator::Is, args.status.as_slice()),
        ("path", Operator::Is, args.path.as_slice()),
        ("ms", Operator::AtLeast, least.as_slice()),
        (
            "correlation_id",
            Operator::Is,
            args.correlation_id.as_slice(),
        ),
        ("request_id", Operator::Is, args.request_id.as_slice()),
    ] {
        query.add_field(field, operator, values, false)?;
    }
    query.add_field("worker", Operator::Is, &args.exclude_worker, true)?;
    if let Some(text) = &args.text.grep {
        let case = if args.text.ignore_case {
            Case::Ignored
        } else {
            Case::Smart
        };
        let test = if args.text.regex {
            Test::Expression(Expression::new(text, case)?)
        } else {
            Test::Text(vec![TextSearch::new(text, case)])
        };
        query.add(Term {
            negated: args.text.invert,
            test,
        })?;
    }
    Ok(query)
}

/// Returns whether the query looks for a text with capitals as it is.
#[must_use]
pub fn minds_capitals(query: &Query) -> bool {
    query.terms().iter().any(|term| match &term.test {
        Test::Text(texts) => texts.iter().any(TextSearch::is_case_sensitive),
        Test::Expression(expression) => expression.is_case_sensitive(),
        _ => false,
    })
}

/// Replaces each id of the query that stands alone by the stored one that it means. Returns an exit code where an option's
/// beginning fits several, which are listed. In a query all of those are meant, and an unknown id stays as it is, as it may
/// be stored yet.
///
/// # Errors
/// As the API has them.
pub async fn resolve_ids(
    database: &Database<'_>,
    query: &mut Query,
    zone: &Zone,
) -> Result<Option<ExitCode>, Error> {
    for term in query.terms_mut() {
        let columns: &[IdColumn] = match &term.test {
            Test::CorrelationId(_) => &[IdColumn::Correlation],
            Test::RequestId(_) => &[IdColumn::Request],
            Test::Id(_) => &[IdColumn::Correlation, IdColumn::Request],
            _ => continue,
        };
        let (Test::CorrelationId(ids) | Test::RequestId(ids) | Test::Id(ids)) = &term.test else {
            continue;
        };
        let [id] = ids.as_slice() else { continue };
        match (
            ids::resolve(database, id.trim(), columns).await?,
            &term.test,
        ) {
            (Resolution::One(found), _) => {
                term.test = match found.column {
                    IdColumn::Correlation => Test::CorrelationId(vec![found.id]),
                    IdColumn::Request => Test::RequestId(vec![found.id]),
                };
            }
            (Resolution::Unknown, _) | (_, Test::Id(_)) => {}
            (Resolution::Several(candidates), _) => {
                ids::list(id, &candidates, zone);
                return Ok(Some(ExitCode::from(error::FAILED)));
            }
        }
    }
    Ok(None)
}
