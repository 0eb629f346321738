//! D1: finding the database by name, and asking it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, Client, encode};
use crate::Error;
use crate::sql::Statement;

/// A database.
#[derive(Debug)]
pub struct Database<'a> {
    client: &'a Client,
    id: String,
}

#[derive(Deserialize)]
struct Listed {
    uuid: String,
    name: String,
}

/// The answer of `…/raw` to one statement.
#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    results: Results,
}

#[derive(Default, Deserialize)]
struct Results {
    #[serde(default)]
    rows: Vec<Vec<Value>>,
}

impl<'a> Database<'a> {
    /// The database of `name`. Locally databases go by the name of their binding, `DB`; where there is only one, it is
    /// meant whatever it is called.
    ///
    /// # Errors
    /// [`Error::Missing`] with the names there are.
    pub async fn find(client: &'a Client, name: &str) -> Result<Self, Error> {
        let mut call = Call::get("find the D1 database", "/d1/database").query("per_page", "1000");
        if client.is_local() {
            call.query.clear();
        } else {
            call = call.query("name", name);
        }
        let Answer { result, .. }: Answer<Vec<Listed>> = client.call(&call).await?;
        let found = result
            .iter()
            .find(|database| database.name == name)
            .or_else(|| {
                let local = || result.iter().find(|database| database.name == "DB");
                client
                    .is_local()
                    .then(|| local().or_else(|| result.first().filter(|_| result.len() == 1)))
                    .flatten()
            });
        match found {
            Some(database) => Ok(Self {
                client,
                id: database.uuid.clone(),
            }),
            None => Err(Error::Missing {
                kind: "D1 database",
                name: name.to_owned(),
                available: result.into_iter().map(|database| database.name).collect(),
                option: "--database",
            }),
        }
    }

    /// The rows that a statement answers, each a list of cells.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn query(&self, statement: &Statement) -> Result<Vec<Vec<Value>>, Error> {
        let call = Call::post(
            "query D1",
            format!("/d1/database/{}/raw", encode(&self.id)),
            json!({"sql": statement.sql, "params": statement.params}),
        );
        let answer: Answer<Vec<Raw>> = self.client.call(&call).await?;
        Ok(answer
            .result
            .into_iter()
            .flat_map(|raw| raw.results.rows)
            .collect())
    }
}
