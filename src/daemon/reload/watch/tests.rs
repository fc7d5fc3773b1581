use super::*;
use crate::daemon::command::Handle;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

async fn start(path: &Path) -> Watch {
    let patience = Patience::new(Handle::new().0);
    Watch::start(path, FileState::of(path), Arc::default(), patience).await.unwrap()
}

/// Some of what the system has to say; whether it is of the file.
fn says(watch: &Watch) -> Result<bool, Errno> {
    watch.told(watch.events.as_ref().unwrap().get_ref())
}

/// All that the system has to say.
fn told(watch: &Watch) -> bool {
    let mut told = false;
    while let Ok(some) = says(watch) {
        told |= some;
    }
    told
}

#[tokio::test]
async fn what_happens_to_others_in_its_folder_is_no_word_of_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("warm.toml");
    fs::write(&path, "a").unwrap();
    let mut watch = start(&path).await;
    for _ in 0..1_000 {
        fs::write(home.path().join("warmd.db"), "b").unwrap();
    }
    fs::remove_file(home.path().join("warmd.db")).unwrap();
    fs::read(&path).unwrap();
    watch.reading().await.unwrap();
    assert!(!told(&watch), "neither of others, nor of being read");
    fs::write(&path, "b").unwrap();
    assert!(told(&watch), "of a write");
    fs::write(home.path().join("new"), "c").unwrap();
    fs::rename(home.path().join("new"), &path).unwrap();
    assert!(told(&watch), "of another that took its place");
    fs::remove_file(&path).unwrap();
    assert!(told(&watch), "of its end");
}

#[tokio::test]
async fn writes_into_another_open_file_wake_nobody_and_those_into_the_file_do() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("warm.toml");
    fs::write(&path, "a").unwrap();
    let mut other = fs::File::create(home.path().join("warmd.db-wal")).unwrap();
    let mut first = fs::File::options().append(true).open(&path).unwrap();
    let mut watch = start(&path).await;
    let mut write_into_the_other = |watch: &Watch| {
        for _ in 0..1_000 {
            other.write_all(b"b").unwrap();
        }
        assert_eq!(says(watch), Err(Errno::AGAIN), "there is nothing to read");
    };
    write_into_the_other(&watch);
    first.write_all(b"c").unwrap();
    assert!(told(&watch), "of a write by who keeps it open");
    watch.reading().await.unwrap();
    assert_eq!(says(&watch), Err(Errno::AGAIN), "it is watched already");
    first.set_len(0).unwrap();
    assert!(told(&watch), "of being cut");

    let new = home.path().join("new");
    fs::write(&new, "d").unwrap();
    let mut second = fs::File::options().append(true).open(&new).unwrap();
    fs::rename(&new, &path).unwrap();
    assert!(told(&watch), "of another that took its place");
    watch.reading().await.unwrap();
    assert!(!told(&watch), "that the first is watched no more is no word of it");
    first.write_all(b"it is this no more").unwrap();
    assert!(!told(&watch));
    second.write_all(b"but this").unwrap();
    assert!(told(&watch), "of a write into that one");
    write_into_the_other(&watch);
}

#[tokio::test]
async fn whatever_takes_the_files_place_its_folder_is_watched_as_before() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("warm.toml");
    let mut other = fs::File::create(home.path().join("warmd.db-wal")).unwrap();
    let mut watch = start(&path).await;
    assert!(watch.events.is_some() && !told(&watch), "a missing one is no word of it");
    let pipe = || assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let places: [(&str, &dyn Fn()); 4] = [
        ("a pipe", &pipe),
        ("a device", &|| symlink("/dev/null", &path).unwrap()),
        ("its own folder", &|| symlink(".", &path).unwrap()),
        ("a file", &|| fs::write(&path, "a").unwrap()),
    ];
    for (what, put) in places {
        put();
        assert!(told(&watch), "{what}");
        watch.reading().await.unwrap();
        told(&watch);
        other.write_all(b"b").unwrap();
        assert_eq!(says(&watch), Err(Errno::AGAIN), "{what}: of a write into another file");
        fs::remove_file(&path).unwrap();
        assert!(told(&watch), "{what}: of its end");
        watch.reading().await.unwrap();
        told(&watch);
    }
}

#[tokio::test]
async fn a_link_on_the_way_may_be_swapped_and_its_folder_taken_away() {
    let home = tempfile::tempdir().unwrap();
    for folder in ["1", "2"] {
        fs::create_dir(home.path().join(folder)).unwrap();
        fs::write(home.path().join(folder).join("warm.toml"), folder).unwrap();
    }
    symlink("1", home.path().join("data")).unwrap();
    let mut watch = start(&home.path().join("data/warm.toml")).await;
    assert!(!told(&watch));
    symlink("2", home.path().join("new")).unwrap();
    fs::rename(home.path().join("new"), home.path().join("data")).unwrap();
    assert!(told(&watch));
    watch.reading().await.unwrap();
    told(&watch);
    fs::write(home.path().join("1/warm.toml"), "it is this no more").unwrap();
    assert!(!told(&watch));
    fs::write(home.path().join("2/warm.toml"), "but this").unwrap();
    assert!(told(&watch));
    fs::remove_dir_all(home.path().join("2")).unwrap();
    assert!(told(&watch));
    watch.reading().await.unwrap();
    assert!(!told(&watch));
    fs::create_dir(home.path().join("2")).unwrap();
    assert!(told(&watch), "of the folder, made anew");
    watch.reading().await.unwrap();
    told(&watch);
    fs::write(home.path().join("2/warm.toml"), "and this again").unwrap();
    assert!(told(&watch));
}

#[tokio::test]
async fn more_than_the_system_keeps_is_word_of_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("warm.toml");
    fs::write(&path, "a").unwrap();
    let mut watch = start(&path).await;
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let (one, other) = (home.path().join("one"), home.path().join("other"));
    fs::write(&one, "").unwrap();
    // Each is two events, from here and to there.
    for _ in 0..=queue.trim().parse::<usize>().unwrap().div_ceil(4) {
        fs::rename(&one, &other).unwrap();
        fs::rename(&other, &one).unwrap();
    }
    assert!(told(&watch), "nobody knows of what");
    watch.reading().await.unwrap();
    assert!(!told(&watch));
}
