//! Who may write the files that warmd obeys: whoever may, decides what it sends where.

use crate::quote;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bits of a mode: others may write; in this folder, nobody may replace what is another's.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// The user of the service, who may own what it reads whoever checks it.
const SERVICE: &str = "warmd";

/// What is to be said of a file, of which `metadata` is what is open.
pub(super) fn of_file(path: &Path, metadata: &Metadata) -> Vec<String> {
    let place = quote::path(path);
    let mut told = Vec::new();
    if metadata.mode() & OTHERS_WRITE != 0 {
        let mode = metadata.mode() & 0o7777;
        told.push(format!("others may write {place} (mode {mode:04o}): chmod go-w {place}"));
    }
    told.extend(of_owner(path, metadata));
    told
}

/// What is to be said of a file's owner, and of the folders that it is in.
pub(super) fn of_owner(path: &Path, metadata: &Metadata) -> Vec<String> {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = rustix::process::geteuid().as_raw();
    let is_trusted = |uid| uid == 0 || uid == own || id_of(&users, SERVICE) == Some(uid);
    let place = quote::path(path);
    let mut told = Vec::new();
    if !is_trusted(metadata.uid()) {
        let owner = name_of(&users, metadata.uid());
        told.push(format!(
            "{place} belongs to {owner}, neither to root nor to the user of warmd: chown root {place}"
        ));
    }
    for folder in folders(path) {
        let Ok(metadata) = std::fs::metadata(&folder) else { continue };
        let (mode, folder) = (metadata.mode() & 0o7777, quote::path(&folder));
        if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            told.push(format!(
                "others may write to the folder {folder} (mode {mode:04o}), and so replace {place}: chmod go-w {folder}"
            ));
        }
        if !is_trusted(metadata.uid()) {
            let owner = name_of(&users, metadata.uid());
            told.push(format!(
                "the folder {folder} belongs to {owner}, who may so replace {place}: chown root {folder}"
            ));
        }
    }
    told
}

/// The folder that a path names, and the one that it leads to.
fn folders(path: &Path) -> Vec<PathBuf> {
    let parent = |path: &Path| {
        let parent = path.parent()?;
        Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
    };
    let (named, real) = (parent(path), path.canonicalize().ok().and_then(|path| parent(&path)));
    let is_same = |one: &PathBuf, other: &PathBuf| one.canonicalize().is_ok_and(|one| one == *other);
    match (named, real) {
        (Some(named), Some(real)) if !is_same(&named, &real) => vec![named, real],
        (named, real) => named.or(real).into_iter().collect(),
    }
}

/// The fields of each line of `/etc/passwd`: `name:password:uid:…`.
fn entries(users: &str) -> impl Iterator<Item = (&str, u32)> {
    users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse().ok()?))
    })
}

fn id_of(users: &str, name: &str) -> Option<u32> {
    entries(users).find(|(other, _)| *other == name).map(|(_, uid)| uid)
}

fn name_of(users: &str, uid: u32) -> String {
    match entries(users).find(|(_, other)| *other == uid) {
        Some((name, _)) => quote::name(name),
        None => format!("the user {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn who_else_may_write_is_told_with_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("etc");
        let file = folder.join("warm.toml");
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        let told = |of_folder: u32, of_file: u32| {
            fs::set_permissions(&folder, Permissions::from_mode(of_folder)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(of_file)).unwrap();
            super::of_file(&file, &fs::metadata(&file).unwrap())
        };
        for good in [(0o755, 0o644), (0o700, 0o640), (0o1777, 0o600), (0o3775, 0o600)] {
            assert_eq!(told(good.0, good.1), [""; 0], "{good:?}");
        }
        let place = file.display().to_string();
        for bad in [0o664, 0o646, 0o620] {
            let told = told(0o755, bad);
            assert_eq!(told, [format!("others may write {place} (mode {bad:04o}): chmod go-w {place}")]);
        }
        for bad in [0o777, 0o775, 0o757] {
            let told = told(bad, 0o644);
            let folder = folder.display();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(
                told[0].starts_with(&format!("others may write to the folder {folder} (mode {bad:04o})"))
            );
            assert!(told[0].ends_with(&format!("chmod go-w {folder}")), "{told:?}");
        }
        // Whoever may swap the link decides too.
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        symlink(&file, open.join("warm.toml")).unwrap();
        let told = super::of_file(&open.join("warm.toml"), &fs::metadata(&file).unwrap());
        assert!(told.len() == 1 && told[0].contains(&open.display().to_string()), "{told:?}");
    }

    #[test]
    fn users_have_names() {
        let users = "root:x:0:0::/root:/bin/sh\nbroken\nwarmd:x:991:991::/:/bin/false\n";
        assert_eq!((id_of(users, "warmd"), id_of(users, "nobody")), (Some(991), None));
        assert_eq!((name_of(users, 0), name_of(users, 7)), ("root".to_owned(), "the user 7".to_owned()));
    }
}
