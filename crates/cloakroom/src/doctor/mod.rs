//! What a browser, a cache or an attacker will do with a site's cookies, and why: the checks behind `cloakroom doctor`.
//!
//! They look at a configuration ([`SessionManager::checkup`](crate::SessionManager::checkup)), at the responses of a
//! running site ([`check_site`]), at Flask's settings ([`check_flask`]) and at a store ([`check_store`]). In debug builds each configuration is looked at once,
//! when its manager is made, and what is found is logged under `cloakroom::doctor`, a line each, unless
//! [`SessionConfig::checkup_at_start`](crate::SessionConfig::checkup_at_start) says otherwise.
//!
//! What cannot happen is not looked for: `SameSite=None` without `Secure`, the rules of name prefixes and illegal domains
//! are a [`ConfigError`](crate::ConfigError) in a configuration, and found on sites that other software serves.
//!
//! | code | found in | what it means |
//! | --- | --- | --- |
//! | `secure_on_plain_http` | both | a `Secure` cookie on a page without https |
//! | `not_secure_on_https` | both | a session cookie without `Secure` |
//! | `script_readable` | both | a session cookie without `HttpOnly` |
//! | `same_site_missing` | both | a session cookie that says nothing of other sites |
//! | `domain_widens` | both | subdomains get the cookie, and can set it |
//! | `domain_is_public_suffix`, `domain_is_ip_address`, `domain_mismatch` | both | a `Domain` that browsers refuse, or that is of no use |
//! | `lifetime_over_400_days` | both | browsers cut it |
//! | `published_key` | both | anybody can sign sessions |
//! | `short_key` | configuration | a key that can be searched for |
//! | `idle_longer_than_absolute` | configuration | a lifetime without effect |
//! | `settings_refused` | configuration | a setting that contradicts another, or that nobody knows |
//! | `readable_session` | configuration | whoever has the cookie can read it |
//! | `same_site_none_without_secure`, `prefix_rules` | site, Flask's settings | browsers drop the cookie |
//! | `partitioned_without_secure` | site | browsers drop the cookie |
//! | `too_large`, `attribute_too_long`, `unreadable_set_cookie`, `not_ascii` | site | browsers drop it, ignore a part, or differ |
//! | `same_name_twice`, `same_name_two_scopes` | site | two cookies of one name |
//! | `expiry_contradictory` | site | `Expires` and `Max-Age` say different things |
//! | `cacheable_set_cookie`, `vary_missing` | site | a shared cache may hand one visitor's page to another |
//! | `store_without_expiry_index`, `store_unusable` | store | removing what has expired reads everything; it cannot be asked |

mod caching;
mod config;
mod cookies;
mod finding;
mod known_keys;
mod session_like;
mod site;
mod start;
mod store;

pub use config::check_flask;
pub use finding::{Checkup, Finding, Severity};
pub use site::{Exchange, Site, check_site};
pub use store::check_store;

pub(crate) use start::at_start;
