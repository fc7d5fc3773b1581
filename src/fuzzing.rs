//! What a fuzzer gives to the program, and what must hold whatever it gives.
//!
//! There in builds for fuzzing and for tests alone. Each function takes a fuzzer's bytes, lets the room
//! behind it do with them what it does with a user's or a server's, and panics where that is not as it
//! must be. `fuzz/` hands them to libFuzzer; the test below gives them what `fuzz/corpus` has kept.

mod blobs;
mod config;
mod flow;
mod schema;

pub use crate::hours::fuzzing::{windows, zone};
pub use blobs::blobs;
pub use config::config;
pub use flow::{cog, replicate};
pub use schema::schema;

/// Nothing in it would move a terminal's cursor, or begin a line of a log.
fn assert_plain(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "control characters: {text:?}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every input that is kept, in its target.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut count = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display());
            run(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{}: nothing is kept", folder.display());
    }

    macro_rules! replayed {
        ($($target:ident)*) => {$(
            #[test]
            fn $target() {
                replay(stringify!($target), super::$target);
            }
        )*};
    }

    replayed! { blobs cog config replicate schema windows zone }
}
