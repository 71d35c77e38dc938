/// What a visitor does, and which of it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A page that leaves the session alone, with the session's cookie.
    Untouched,
    /// The same without a cookie.
    UntouchedNoCookie,
    /// One value is read.
    Read,
    /// One value is read and changed.
    Write,
    /// A visitor's first request, which makes a session.
    First,
    /// The session gets a new id and a user.
    Login,
    /// One of twenty values is read.
    Twenty,
    /// One of the many values of a 3.5 KB session is read.
    Large,
    /// A visitor who has no session reads.
    Crawler,
}

impl Scenario {
    /// In the order of the report.
    pub const ALL: [Self; 9] = [
        Self::Untouched,
        Self::UntouchedNoCookie,
        Self::Read,
        Self::Write,
        Self::First,
        Self::Login,
        Self::Twenty,
        Self::Large,
        Self::Crawler,
    ];

    /// As on the command line and in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::UntouchedNoCookie => "untouched no cookie",
            Self::Read => "read",
            Self::Write => "write",
            Self::First => "first",
            Self::Login => "login",
            Self::Twenty => "twenty",
            Self::Large => "large",
            Self::Crawler => "crawler",
        }
    }

    /// The one of this name, however its words are joined.
    ///
    /// # Errors
    ///
    /// A sentence that lists them.
    pub fn named(name: &str) -> Result<Self, String> {
        let words = name.replace(['-', ','], " ").replace("  ", " ");
        let found = Self::ALL
            .into_iter()
            .find(|scenario| scenario.name() == words);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no scenario {name:?}, only {names}")
        })
    }

    /// For people: what the visitor does.
    pub fn about(self) -> &'static str {
        match self {
            Self::Untouched => "the handler leaves the session alone; the browser sends its cookie",
            Self::UntouchedNoCookie => "the same without a cookie",
            Self::Read => "reads one number of a small session",
            Self::Write => "reads the number and writes one more",
            Self::First => "a visitor without a cookie writes: a new session each time",
            Self::Login => "a new session id and a user's name",
            Self::Twenty => "reads one of twenty values",
            Self::Large => "reads one of many values of a 3.5 KB session",
            Self::Crawler => "reads without a cookie",
        }
    }

    /// The address of the request that makes the session, if there is one.
    pub fn preparation(self) -> Option<&'static str> {
        match self {
            Self::Untouched | Self::Read | Self::Write | Self::Login => Some("/write"),
            Self::Twenty => Some("/fill/twenty"),
            Self::Large => Some("/fill/large"),
            Self::UntouchedNoCookie | Self::First | Self::Crawler => None,
        }
    }

    /// The address of the request that is measured.
    pub fn measured(self) -> &'static str {
        match self {
            Self::Untouched | Self::UntouchedNoCookie => "/plain",
            Self::Read | Self::Crawler => "/read",
            Self::Write | Self::First => "/write",
            Self::Login => "/login",
            Self::Twenty | Self::Large => "/read_many",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_is_found_by_its_name_however_it_is_written() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::named(scenario.name()), Ok(scenario));
        }
        for name in ["untouched, no cookie", "untouched-no-cookie"] {
            assert_eq!(Scenario::named(name), Ok(Scenario::UntouchedNoCookie));
        }
        assert!(Scenario::named("reed").unwrap_err().contains("crawler"));
    }
}
