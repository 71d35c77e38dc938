//! Keys that everybody knows.
//!
//! Words from tutorials, examples from framework documentation and the default keys of Flask products. Lists like this
//! one are the first thing a cookie forger tries.

/// Whether the key is published. Letter case does not matter, and the time taken does not tell which entry came close.
pub(super) fn contains(key: &[u8]) -> bool {
    PUBLISHED
        .iter()
        .fold(false, |found, entry| found | equal(key, entry))
}

/// All of them, to try on a cookie.
pub(crate) fn all() -> impl Iterator<Item = &'static [u8]> {
    PUBLISHED.iter().copied()
}

fn equal(key: &[u8], entry: &[u8]) -> bool {
    let other_length = u8::from(key.len() != entry.len());
    let difference = key
        .iter()
        .zip(entry)
        .fold(other_length, |difference, (a, b)| {
            difference | (a.to_ascii_lowercase() ^ b.to_ascii_lowercase())
        });
    difference == 0
}

const PUBLISHED: &[&[u8]] = &[
    // Words and sentences.
    b"a really long secret key",
    b"a secret key",
    b"a super secret key",
    b"a very secret key",
    b"admin",
    b"any random string",
    b"a-string-secret-at-least-256-bits-long",
    b"change me",
    b"change this",
    b"change-me",
    b"change-me-in-production",
    b"change-this-in-production",
    b"change_me",
    b"change_this",
    b"changeit",
    b"changeme",
    b"changethis",
    b"default",
    b"default-secret-key",
    b"dev",
    b"dev key",
    b"dev-key",
    b"dev-secret",
    b"dev-secret-key",
    b"dev-secret-key-change-in-production",
    b"dev_key",
    b"dev_secret_key",
    b"development",
    b"development key",
    b"development-key",
    b"development-secret-key",
    b"devkey",
    b"don't tell anyone",
    b"fallback_secret_key",
    b"flask",
    b"flask-secret",
    b"flask-secret-key",
    b"flask_secret_key",
    b"foobar",
    b"hard to guess string",
    b"insecure",
    b"insecure-secret-key",
    b"it is a secret",
    b"key",
    // The README of express-session.
    b"keyboard cat",
    b"my precious",
    b"my secret",
    b"my secret key",
    b"my super secret key",
    b"my-secret",
    b"my-secret-key",
    b"my_precious",
    b"my_secret_key",
    b"mykey",
    b"mysecret",
    b"mysecretkey",
    b"mysupersecretkey",
    b"not a secret",
    b"notasecret",
    b"password",
    b"please change me",
    b"please-change-me",
    b"put your secret key here",
    b"random string",
    b"replace-me",
    b"replace_me",
    b"replaceme",
    b"s3cr3t",
    b"s3cret",
    b"secret",
    b"secret key",
    b"secret key here",
    b"secret string",
    b"secret!",
    b"secret-key",
    b"secret-key-goes-here",
    b"secret_key",
    b"secret_key_here",
    b"secretkey",
    b"secrets",
    b"session",
    b"something unique and secret",
    b"somesecretkey",
    b"super secret",
    b"super secret key",
    b"super-secret",
    b"super-secret-key",
    b"super_secret",
    b"super_secret_key",
    b"superset",
    b"supersecret",
    b"supersecretkey",
    b"test",
    b"test key",
    b"test-key",
    b"test-secret",
    b"test-secret-key",
    b"test_secret_key",
    b"testing",
    b"testkey",
    b"the quick brown fox jumps over the lazy dog",
    b"the random string",
    b"this is a secret",
    b"this is a secret key",
    b"this is a super secret key",
    b"this is my secret key",
    b"this is secret",
    b"this should be secret",
    b"thisisasecret",
    b"thisisasecretkey",
    b"thisismysecretkey",
    b"thisissecret",
    b"thisshouldbesecret",
    b"top secret",
    b"top-secret",
    b"topsecret",
    b"unsafe-secret-key",
    b"very secret key",
    b"very-secret-key",
    b"verysecretkey",
    b"you-will-never-guess",
    b"your secret key",
    b"your secret key here",
    b"your-256-bit-secret",
    b"your-secret-key",
    b"your-secret-key-change-in-production",
    b"your-secret-key-change-this-in-production",
    b"your-secret-key-here",
    b"your-super-secret-key",
    b"your_secret_key",
    b"your_secret_key_here",
    b"yoursecretkey",
    b"0123456789abcdef",
    b"0123456789abcdef0123456789abcdef",
    b"1234567890123456",
    b"123456789012345678901234567890",
    b"12345678901234567890123456789012",
    b"aaaaaaaaaaaaaaaa",
    b"abcdefghijklmnopqrstuvwxyz",
    b"00000000000000000000000000000000",
    b"0000000000000000000000000000000000000000000000000000000000000000",
    // Flask's documentation, old and new, as bytes and as the text between the quotes.
    b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    b"_5#y2L\"F4Q8z\n\xec]/",
    b"_5#y2L\"F4Q8z\\n\\xec]/",
    b"A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
    b"\xfd{H\xe5<\x95\xf9\xe3\x96.5\xd1\x01O<!\xd5\xa2\xa0\x9fR\"\xa1\xa8",
    b"\\xfd{H\\xe5<\\x95\\xf9\\xe3\\x96.5\\xd1\\x01O<!\\xd5\\xa2\\xa0\\x9fR\"\\xa1\\xa8",
    // The same bytes when Python took them for text and encoded it as UTF-8.
    "_5#y2L\"F4Q8z\n\u{ec}]/".as_bytes(),
    "\u{fd}{H\u{e5}<\u{95}\u{f9}\u{e3}\u{96}.5\u{d1}\u{1}O<!\u{d5}\u{a2}\u{a0}\u{9f}R\"\u{a1}\u{a8}".as_bytes(),
    // FastAPI's documentation.
    b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    // A much copied Flask video course.
    b"5791628bb0b13ce0c676dfde280ba245",
    // Django: the settings of its own test suite.
    b"django_tests_secret_key",
    // Koa's documentation of `app.keys`, and the README of koa-session.
    b"im a newer secret",
    b"i like turtle",
    b"some secret hurr",
    // The READMEs of @fastify/session, @fastify/secure-session and iron-session.
    b"a secret with minimum length of 32 characters",
    b"averylogphrasebiggerthanthirtytwochars",
    b"complex_password_at_least_32_characters_long",
    // The API documentation of @hapi/cookie.
    b"password-should-be-32-characters",
    // Tornado's guide to authentication.
    b"__TODO:_GENERATE_YOUR_OWN_RANDOM_VALUE_HERE__",
    // aiohttp-session's documentation, and Pyramid's.
    b"Thirty  two  length  bytes  key.",
    b"itsaseekreet",
    // Gorilla's sessions, for Go.
    b"something-very-secret",
    // Symfony's default secret, and Laravel's application keys before they were generated.
    b"ThisTokenIsNotSoSecretChangeIt",
    b"SomeRandomString",
    b"SomeRandomStringWith32Characters",
    // Rocket's guide and API documentation.
    b"hPRYyVRiMyxpw5sBB1XeCMN1kFsDCqKvBi2QJxBVHQk=",
    // Apache Superset (CVE-2023-27524).
    b"\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h",
    b"\\2\\1thisismyscretkey\\1\\2\\e\\y\\y\\h",
    b"CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    b"thisISaSECRET_1234",
    b"YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    b"TEST_NON_DEV_SECRET",
    // Apache Airflow (CVE-2020-17526).
    b"temporary_key",
    // Redash (CVE-2021-41192).
    b"c292a0a3aa32397cdb050e233733900f",
];
