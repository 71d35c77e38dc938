//! Tables whose rows are said one by one, so that a million of them take no room.

use crate::terminal::{self, TITLE, fit, styled};

/// One column.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) width: usize,
    pub(crate) right: bool,
    /// Left out where the terminal is too narrow: those with the highest number first. 0 stays.
    pub(crate) spare: u8,
}

impl Column {
    pub(crate) const fn left(title: &'static str, width: usize, spare: u8) -> Self {
        Self {
            title,
            width,
            right: false,
            spare,
        }
    }

    pub(crate) const fn right(title: &'static str, width: usize, spare: u8) -> Self {
        Self {
            title,
            width,
            right: true,
            spare,
        }
    }
}

/// The columns that there is room for.
pub(crate) struct Table {
    columns: Vec<(usize, Column)>,
}

const GAP: usize = 2;

impl Table {
    /// For the terminal, or as wide as it is elsewhere.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self::within(columns, terminal::width().unwrap_or(usize::MAX))
    }

    fn within(columns: &[Column], width: usize) -> Self {
        let mut columns: Vec<_> = columns.iter().copied().enumerate().collect();
        loop {
            let taken: usize = columns.iter().map(|(_, column)| column.width + GAP).sum();
            let spare = columns.iter().map(|(_, column)| column.spare).max();
            match spare {
                Some(spare @ 1..) if taken > width.saturating_add(GAP) => {
                    columns.retain(|(_, column)| column.spare != spare);
                }
                _ => return Self { columns },
            }
        }
    }

    pub(crate) fn header(&self) -> String {
        let titles = self
            .columns
            .iter()
            .map(|(_, column)| column.title.to_owned());
        styled(TITLE, &self.join(titles))
    }

    /// A row; `cells` has one for each column, also for those that are left out.
    pub(crate) fn row(&self, cells: &[String]) -> String {
        let cells = self
            .columns
            .iter()
            .map(|(place, _)| cells.get(*place).cloned().unwrap_or_default());
        self.join(cells)
    }

    fn join(&self, cells: impl Iterator<Item = String>) -> String {
        let last = self.columns.len().saturating_sub(1);
        let mut line = String::new();
        for (place, (cell, (_, column))) in cells.zip(&self.columns).enumerate() {
            // Whoever takes the last one further wants all of it.
            if place == last && !column.right {
                line.push_str(&cell);
            } else {
                line.push_str(&fit(&cell, column.width, column.right));
            }
            if place < last {
                line.push_str("  ");
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_the_columns_that_matter() {
        let columns = [
            Column::left("NAME", 6, 0),
            Column::left("KIND", 6, 2),
            Column::right("SIZE", 5, 1),
        ];
        let row = ["a".to_owned(), "b".to_owned(), "3".to_owned()];
        assert_eq!(
            Table::within(&columns, 21).row(&row),
            "a       b           3"
        );
        assert_eq!(Table::within(&columns, 20).row(&row), "a           3");
        assert_eq!(Table::within(&columns, 5).row(&row), "a");
        assert_eq!(
            Table::within(&columns, 13).header(),
            styled(TITLE, "NAME     SIZE")
        );
    }
}
