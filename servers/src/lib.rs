//! Private database servers for tests: started on free ports, stopped when dropped.
//!
//! A test starts what it needs, or shares the one server of its kind that the whole test run has:
//!
//! ```no_run
//! let redis = servers::redis::start()?; // a server of one's own, to kill and to pause
//! redis.kill()?;
//! redis.start_again()?;
//!
//! let url = servers::redis::shared(); // shared: keys must begin with something unique
//! let prefix = servers::unique("counter");
//! # std::io::Result::Ok(())
//! ```
//!
//! Every server listens on 127.0.0.1 only and keeps its data and its log in a folder of its own, by default
//! below `target/servers`. Server and folder are gone when the [`Server`] is dropped, and also when the
//! test process panics or is killed.

pub mod dynamodb;
pub mod mariadb;
pub mod memcached;
pub mod postgres;
pub mod proxy;
pub mod redis;

mod certificate;
mod place;
mod server;
mod shared;
mod template;
mod watchdog;

pub use certificate::certificate;
pub use place::python;
pub use server::Server;
pub use shared::{KINDS, Kind, unique};
