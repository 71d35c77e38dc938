//! What a browser sends in a query or a form.

use url::form_urlencoded;

/// Names and values, in their order.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    pub(super) fn of_query(query: Option<&str>) -> Self {
        Self::of(query.unwrap_or_default().as_bytes())
    }

    /// The first value of this name that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of this name that are not empty, as those of a form that nobody filled in are.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(key, _)| key == name);
        let values = values.map(|(_, value)| value.as_str());
        values.filter(|value| !value.is_empty())
    }

    /// The query without what is empty or called so.
    pub(super) fn without(&self, name: &str) -> String {
        self.kept(name).finish()
    }

    /// The same, and with this.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        self.kept(name).append_pair(name, value).finish()
    }

    fn kept(&self, without: &str) -> form_urlencoded::Serializer<'static, String> {
        let kept = self.0.iter();
        let kept = kept.filter(|(key, value)| key != without && !value.is_empty());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_taken_apart_and_put_together() {
        let fields = Fields::of_query(Some("key=a%26b&key=c+d&user=&from=3"));
        assert_eq!(fields.all("key").collect::<Vec<_>>(), ["a&b", "c d"]);
        assert_eq!((fields.get("user"), fields.get("from")), (None, Some("3")));
        assert_eq!(fields.with("from", "4"), "key=a%26b&key=c+d&from=4");
        assert_eq!(fields.without("key"), "from=3");
    }
}
