//! `cloakroom doctor`: what browsers, caches and attackers will do with a site's cookies.

mod report;
mod site;

use clap::Args;
use cloakroom::FlaskSettings;
use cloakroom::doctor::{Checkup, Site, check_flask, check_site, check_store};
use http::Uri;
use url::Url;

use crate::input::standard_input;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::store::StoreArguments;

#[derive(Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(crate) struct Arguments {
    /// The URL of a running site; it is asked for a few pages, with GET and nothing else
    #[arg(value_name = "URL")]
    url: Option<String>,

    /// Another page of the site; may be given several times
    #[arg(long = "path", value_name = "PATH", requires = "url")]
    paths: Vec<String>,

    /// The name of the session cookie, if it is not one that frameworks use
    #[arg(long, value_name = "NAME")]
    cookie_name: Option<String>,

    /// Look as a visitor who is logged in: their `Cookie` header, as the browser's tools for developers show it, comes on
    /// standard input. No argument holds it, because the list of processes shows those to everyone
    #[arg(long, requires = "url")]
    with_cookies: bool,

    /// Accept any certificate, such as one that the site made for itself
    #[arg(long)]
    insecure: bool,

    /// A TOML file with Flask's settings, which is looked over
    #[arg(long, value_name = "FILE")]
    flask_config: Option<std::path::PathBuf>,

    /// Look over Flask's settings in the environment variables that begin with `FLASK_`
    #[arg(long, conflicts_with = "flask_config")]
    env: bool,

    /// Where the settings are to be served, if no running site is looked at
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    served_at: Option<String>,

    #[command(flatten)]
    store: StoreArguments,

    /// Say as well what is fine
    #[arg(long, short)]
    verbose: bool,
}

/// So many pages at most: it is a look, and no crawl.
const MOST_PATHS: usize = 8;

pub(crate) fn run(arguments: Arguments) -> Result<Answer, Failure> {
    let checkup = wait_for(look(&arguments))?;
    report::answer(&checkup, arguments.verbose)
}

async fn look(arguments: &Arguments) -> Result<Checkup, Failure> {
    let url = arguments.url.as_deref().map(parse).transpose()?;
    let served_at = arguments.served_at.as_deref().map(parse).transpose()?;
    let mut checkup = Checkup::default();
    let mut looked = false;
    if let Some(settings) = settings(arguments)? {
        looked = true;
        let place = url.as_ref().or(served_at.as_ref());
        let place = place.map(uri).transpose()?;
        let site = place.map_or_else(Site::unknown, |uri| Site::of(&uri));
        checkup.extend(check_flask(&settings, &site));
    }
    if arguments.store.is_given() {
        looked = true;
        checkup.extend(check_store(&arguments.store.open().await?).await);
    }
    if let Some(url) = url {
        looked = true;
        let mut pages = vec![url.clone()];
        for path in &arguments.paths {
            pages.push(page(&url, path)?);
        }
        if pages.len() > MOST_PATHS {
            return Err(Failure::Misuse(format!(
                "no more than {MOST_PATHS} pages at a time"
            )));
        }
        let cookies = match arguments.with_cookies {
            true => standard_input("the visitor's cookies")?,
            false => String::new(),
        };
        let exchanges = site::visit(&pages, &cookies, arguments.insecure).await?;
        checkup.extend(check_site(&exchanges, arguments.cookie_name.as_deref()));
    }
    match looked {
        true => Ok(checkup),
        false => Err(Failure::Misuse(
            "nothing to look at: give the URL of a site, --flask-config, --env or --store"
                .to_owned(),
        )),
    }
}

fn settings(arguments: &Arguments) -> Result<Option<FlaskSettings>, Failure> {
    match &arguments.flask_config {
        Some(file) => FlaskSettings::from_toml_file(file)
            .map(Some)
            .map_err(|error| Failure::Misuse(error.to_string())),
        None if arguments.env => Ok(Some(FlaskSettings::from_env())),
        None => Ok(None),
    }
}

/// Nothing of a URL that is refused is quoted: it may hold a password.
fn parse(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .map_err(|error| Failure::Misuse(format!("the URL can't be read: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Failure::Misuse(
            "the URL of a site begins with http:// or https://".to_owned(),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::Misuse(
            "the URL holds a login, which the list of processes shows to everyone: take it out"
                .to_owned(),
        ));
    }
    Ok(url)
}

fn page(site: &Url, path: &str) -> Result<Url, Failure> {
    let page = path.starts_with('/').then(|| site.join(path).ok());
    page.flatten()
        .filter(|page| page.origin() == site.origin())
        .ok_or_else(|| Failure::Misuse("a --path begins with one slash".to_owned()))
}

fn uri(url: &Url) -> Result<Uri, Failure> {
    url.as_str()
        .parse()
        .map_err(|_| Failure::Misuse("the URL can't be asked for".to_owned()))
}
