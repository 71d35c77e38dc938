use crate::store::StoreError;

/// The table that sessions are in: checked names, so that quoting them is all they need.
#[derive(Clone, Debug)]
pub(super) struct Table {
    schema: Option<String>,
    name: String,
    quote: char,
}

impl Table {
    /// Flask-Session's default.
    pub(super) fn new(quote: char) -> Self {
        Self {
            schema: None,
            name: "sessions".to_owned(),
            quote,
        }
    }

    pub(super) fn set_name(&mut self, name: String) -> Result<(), StoreError> {
        check(&name)?;
        self.name = name;
        Ok(())
    }

    #[cfg(feature = "postgres")]
    pub(super) fn set_schema(&mut self, schema: String) -> Result<(), StoreError> {
        check(&schema)?;
        self.schema = Some(schema);
        Ok(())
    }

    /// The table's name alone, to look it up with.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The table's name as statements write it.
    pub(super) fn quoted(&self) -> String {
        let quote = self.quote;
        match &self.schema {
            Some(schema) => format!("{quote}{schema}{quote}.{quote}{}{quote}", self.name),
            None => format!("{quote}{}{quote}", self.name),
        }
    }

    /// A migration of the table `sessions`, for this table.
    pub(super) fn migration(&self, sql: &str) -> String {
        let quote = self.quote;
        let index = format!("{quote}{}_expiry{quote}", self.name);
        sql.replace(&format!("{quote}sessions{quote}"), &self.quoted())
            .replace(&format!("{quote}sessions_expiry{quote}"), &index)
    }
}

/// The most letters: PostgreSQL cuts names at 63 bytes, and `_expiry` follows in the index's name.
const MAX_NAME: usize = 56;

fn check(name: &str) -> Result<(), StoreError> {
    let mut letters = name.bytes();
    let begins = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    if begins
        && name.len() <= MAX_NAME
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    {
        return Ok(());
    }
    Err(StoreError::refused(
        "the name of a table or schema begins with a letter or underscore and has at most 56 letters, digits and underscores of ASCII",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let mut table = Table::new('"');
        for wrong in [
            "",
            "1a",
            "a b",
            "a\"b",
            "a`b",
            "a;b",
            "a.b",
            "ä",
            "a\0",
            &"a".repeat(57),
        ] {
            assert!(table.set_name(wrong.to_owned()).is_err(), "{wrong:?}");
        }
        table.set_name("My_sessions2".to_owned()).unwrap();
        assert_eq!(table.quoted(), "\"My_sessions2\"");
        assert_eq!(
            table.migration("CREATE INDEX \"sessions_expiry\" ON \"sessions\""),
            "CREATE INDEX \"My_sessions2_expiry\" ON \"My_sessions2\""
        );
    }
}
