//! The command line.

use std::path::PathBuf;

use plan::Scenario;

pub(crate) const USAGE: &str = "\
Usage: load [OPTION]…

  --quick                  few short windows: a look, not a measurement
  --only NAME[,NAME]…      only these subjects, and what they are measured beside
  --scenario NAME[,NAME]…  only these scenarios
  --part NAME[,NAME]…      only these parts: requests, drivers, latency, contention, round-trips,
                           in-process, application
  --no-flask               nothing of Python
  --python PATH            the interpreter for Flask
  --tour PATH              the tour's program
  --micro FILE             what the criterion bench measured, as JSON
  --builds FILE            what building programs of one page took, as JSON
  --out FOLDER             where results.json, RESULTS.md and charts/ are written
  --report                 measure nothing: write RESULTS.md and charts/ from the results.json there";

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) only: Vec<String>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) parts: Vec<Part>,
    pub(crate) no_flask: bool,
    pub(crate) python: Option<PathBuf>,
    pub(crate) tour: Option<PathBuf>,
    pub(crate) micro: Option<PathBuf>,
    pub(crate) builds: Option<PathBuf>,
    pub(crate) out: Option<PathBuf>,
    pub(crate) report: bool,
}

/// What can be measured for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Requests,
    Drivers,
    Latency,
    Contention,
    RoundTrips,
    InProcess,
    Application,
}

impl Part {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Requests, "requests"),
        (Self::Drivers, "drivers"),
        (Self::Latency, "latency"),
        (Self::Contention, "contention"),
        (Self::RoundTrips, "round-trips"),
        (Self::InProcess, "in-process"),
        (Self::Application, "application"),
    ];
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(option) = arguments.next() {
            let mut value = || {
                let missing = || format!("{option} needs a value");
                arguments.next().ok_or_else(missing)
            };
            match option.as_str() {
                "--quick" => options.quick = true,
                "--no-flask" => options.no_flask = true,
                "--report" => options.report = true,
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                "--scenario" => {
                    for name in value()?.split(',') {
                        options.scenarios.push(Scenario::named(name)?);
                    }
                }
                "--part" => {
                    for name in value()?.split(',') {
                        let found = Part::ALL.into_iter().find(|(_, known)| *known == name);
                        options
                            .parts
                            .push(found.map(|(part, _)| part).ok_or_else(|| {
                                let names = Part::ALL.map(|(_, name)| name).join(", ");
                                format!("there is no part {name:?}, only {names}")
                            })?);
                    }
                }
                "--python" => options.python = Some(value()?.into()),
                "--tour" => options.tour = Some(value()?.into()),
                "--micro" => options.micro = Some(value()?.into()),
                "--builds" => options.builds = Some(value()?.into()),
                "--out" => options.out = Some(value()?.into()),
                _ => return Err(format!("there is no option {option:?}\n\n{USAGE}")),
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    pub(crate) fn wants_subject(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    pub(crate) fn wanted_scenarios(&self) -> Vec<Scenario> {
        match self.scenarios.as_slice() {
            [] => Scenario::ALL.to_vec(),
            some => some.to_vec(),
        }
    }

    /// Whether something is left out.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.no_flask
            || !(self.only.is_empty() && self.scenarios.is_empty() && self.parts.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(
            line.split('|')
                .filter(|word| !word.is_empty())
                .map(str::to_owned),
        )
    }

    #[test]
    fn names_may_have_spaces_and_commas_part_them() {
        let options =
            parse("--only|cloakroom signed,axum|--scenario|read,untouched-no-cookie").unwrap();
        assert!(options.wants_subject("cloakroom signed") && !options.wants_subject("layer"));
        assert_eq!(
            options.wanted_scenarios(),
            [Scenario::Read, Scenario::UntouchedNoCookie]
        );
        assert!(options.is_narrowed());
    }

    #[test]
    fn nothing_said_is_everything() {
        let options = parse("").unwrap();
        assert!(!options.is_narrowed() && options.wants_subject("layer"));
        assert!(options.wants(Part::Latency));
        assert_eq!(options.wanted_scenarios(), Scenario::ALL);
        assert!(!parse("--quick").unwrap().is_narrowed());
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        for line in ["--fast", "--only", "--scenario|reed", "--part|all"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
