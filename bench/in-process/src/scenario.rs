use clap::ValueEnum;

/// What a visitor does, and which of it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Scenario {
    /// A page that leaves the session alone, with the session's cookie.
    Untouched,
    /// The same without a cookie.
    #[value(name = "untouched-no-cookie")]
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
    /// As it is called on the command line and in the report.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().replace('-', " "))
            .unwrap_or_default()
    }

    /// The request that makes the session, if there is one.
    pub(crate) fn preparation(self) -> Option<&'static str> {
        match self {
            Self::Untouched | Self::Read | Self::Write | Self::Login => Some("/write"),
            Self::Twenty => Some("/fill/twenty"),
            Self::Large => Some("/fill/large"),
            Self::UntouchedNoCookie | Self::First | Self::Crawler => None,
        }
    }

    /// The request that is measured.
    pub(crate) fn measured(self) -> &'static str {
        match self {
            Self::Untouched | Self::UntouchedNoCookie => "/plain",
            Self::Read | Self::Crawler => "/read",
            Self::Write | Self::First => "/write",
            Self::Login => "/login",
            Self::Twenty | Self::Large => "/read_many",
        }
    }

    /// Whether each request needs a session of its own: a login leaves no use for the old cookie.
    pub(crate) fn uses_up_sessions(self) -> bool {
        self == Self::Login
    }
}
