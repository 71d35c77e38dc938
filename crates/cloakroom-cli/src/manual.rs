//! `cloakroom completions` and `cloakroom man`: what a shell and `man` can know of this command.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::Map;

use crate::output::{Answer, Failure};

#[derive(Args)]
pub(crate) struct CompletionsArguments {
    /// Which shell's
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct ManArguments {
    /// Put the pages of all subcommands into this folder too, as `man1` of a `MANPATH` has them
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// The script that completes this command's words.
pub(crate) fn completions(arguments: &CompletionsArguments, mut command: Command) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "cloakroom", &mut script);
    answer("script", script)
}

/// The manual's page.
pub(crate) fn man(arguments: ManArguments, command: Command) -> Result<Answer, Failure> {
    let Some(folder) = arguments.to else {
        let mut page = Vec::new();
        Man::new(command)
            .render(&mut page)
            .map_err(|error| Failure::Misuse(error.to_string()))?;
        return Ok(answer("page", page));
    };
    let unwritable = |error: std::io::Error| {
        Failure::Misuse(format!("{} can't be written to: {error}", folder.display()))
    };
    fs::create_dir_all(&folder).map_err(unwritable)?;
    clap_mangen::generate_to(command, &folder).map_err(unwritable)?;
    Ok(answer("folder", folder.display().to_string().into_bytes()))
}

fn answer(field: &str, bytes: Vec<u8>) -> Answer {
    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    Answer {
        json: Map::from_iter([(field.to_owned(), text.as_str().into())]),
        text,
        session: None,
        notes: Vec::new(),
    }
}
