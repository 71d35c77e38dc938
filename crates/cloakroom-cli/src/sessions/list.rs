//! `cloakroom sessions list`.

use clap::Args;

use super::PlaceArguments;
use super::filter::FilterArguments;
use super::found::Found;
use super::scan::{Scan, Sight};
use crate::input;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::table::{Column, Table};
use crate::terminal::{Lines, plain};
use crate::units::{Short, Size};

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    place: PlaceArguments,

    #[command(flatten)]
    filter: FilterArguments,

    /// Only so many
    #[arg(long, value_name = "COUNT", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,

    /// Only what the store's own listing says: no entry is loaded
    #[arg(long)]
    quick: bool,

    /// Show users, and the keys of the entries: in Flask's layout, whoever has such a key has the session
    #[arg(long)]
    reveal: bool,
}

const LOADED: &[Column] = &[
    Column::left("HANDLE", 22, 0),
    Column::left("USER", 5, 0),
    Column::left("LAYOUT", 14, 3),
    Column::right("BYTES", 8, 0),
    Column::right("KEYS", 5, 2),
    Column::right("AGE", 8, 1),
    Column::right("ENDS IN", 8, 0),
];
const QUICK: &[Column] = &[
    Column::left("HANDLE", 22, 0),
    Column::right("BYTES", 8, 0),
    Column::right("ENDS IN", 8, 0),
];
const KEY: Column = Column::left("STORE KEY", 51, 0);

pub(crate) fn list(arguments: ListArguments, json: bool) -> Result<Answer, Failure> {
    if arguments.quick && arguments.filter.asks_content() {
        return Err(Failure::Misuse(
            "--quick loads no entry, and one of the filters asks for what is in them".to_owned(),
        ));
    }
    wait_for(async {
        let mut scan = Scan::open(&arguments.place).await?;
        let mut list = List::new(&arguments, json);
        while list.goes_on() {
            let page = match arguments.quick {
                true => scan.page_of_sessions().await?,
                false => scan.page().await?,
            };
            let Some(page) = page else { break };
            list.begin();
            let large = page.into_iter();
            let large = large.filter(|listed| arguments.filter.is_large(listed));
            if arguments.quick {
                let soon = large.map(Found::listed);
                let soon = soon.filter(|found| arguments.filter.is_soon(found));
                soon.for_each(|found| list.tell(&found));
            } else {
                let now = input::now(None);
                scan.load(large.collect(), |listed, record| {
                    let (identity, sight) = (&arguments.filter.identity, Sight::of(&record));
                    if let Some(found) = Found::loaded(listed, &record, &sight, identity, now)
                        && arguments.filter.takes(&found, &sight)
                    {
                        list.tell(&found);
                    }
                    list.goes_on()
                })
                .await?;
            }
            list.lines.flush();
        }
        Ok(Answer::said())
    })
}

struct List {
    lines: Lines,
    table: Option<Table>,
    room: u64,
    quick: bool,
    reveal: bool,
    /// Said once it is known that the store can be listed.
    header: Option<String>,
    read: bool,
}

impl List {
    fn new(arguments: &ListArguments, json: bool) -> Self {
        let mut columns = if arguments.quick { QUICK } else { LOADED }.to_vec();
        if arguments.reveal {
            columns.push(KEY);
            if let Some(user) = columns.iter_mut().find(|column| column.title == "USER") {
                user.width = 20;
            }
        }
        let table = (!json).then(|| Table::new(&columns));
        Self {
            lines: Lines::new(),
            header: table.as_ref().map(Table::header),
            table,
            room: arguments.limit,
            quick: arguments.quick,
            reveal: arguments.reveal,
            read: true,
        }
    }

    fn begin(&mut self) {
        if let Some(header) = self.header.take() {
            self.read = self.lines.line(&header);
        }
    }

    /// Whether anybody reads on, and there is room.
    fn goes_on(&self) -> bool {
        self.read && self.room > 0
    }

    fn tell(&mut self, found: &Found) {
        if !self.goes_on() {
            return;
        }
        self.room -= 1;
        let line = match &self.table {
            None => found.json(self.reveal).to_string(),
            Some(table) => table.row(&self.cells(found)),
        };
        self.read = self.lines.line(&line);
    }

    fn cells(&self, found: &Found) -> Vec<String> {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let mut cells = vec![found.handle.to_string()];
        let inside = found.inside.as_ref();
        if !self.quick {
            cells.push(or_none(
                inside.and_then(|inside| self.user(inside.subject.as_ref())),
            ));
            let layout = inside.and_then(|inside| inside.layout.clone());
            cells.push(layout.unwrap_or_else(|| "unreadable".to_owned()));
        }
        cells.push(Size(found.size as u64).to_string());
        if !self.quick {
            cells.push(or_none(
                inside.and_then(|inside| Some(inside.keys?.to_string())),
            ));
            cells.push(or_none(
                inside.and_then(|inside| Some(Short(inside.age?).to_string())),
            ));
        }
        cells.push(or_none(
            found.expires_in.map(|left| Short(left).to_string()),
        ));
        if self.reveal {
            cells.push(plain(&found.key));
        }
        cells
    }

    fn user(&self, subject: Option<&String>) -> Option<String> {
        let subject = subject?;
        Some(if self.reveal {
            plain(subject)
        } else {
            "yes".to_owned()
        })
    }
}
