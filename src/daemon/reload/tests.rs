use super::*;

const FILE: &str = "[models.llama]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\n";

/// Has the file read; the zones with which it was loaded, those that are known in the end, and those that the
/// engine was told of afterwards. `meanwhile` happens to the zones known, before it takes what was read.
async fn loaded(meanwhile: impl FnOnce(&mut Zones)) -> (Zones, Zones, Vec<Zones>) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("warm.toml");
    std::fs::write(&path, FILE).unwrap();
    let (engine, mut commands) = Handle::new();
    let zones = Arc::new(Mutex::new(Zones::built_in()));
    let patience = Patience::new(engine.clone());
    let (env, seen, secret_files) = (Env::default(), Arc::default(), SecretFiles::default());
    let started_with = FileState::of(&path);
    let reload = Reload { path, env, zones: zones.clone(), engine, seen, started_with, secret_files };
    let takes = async {
        let Some(Command::Load(configuration, reply)) = commands.recv().await else {
            panic!("it is loaded first");
        };
        meanwhile(&mut zones.lock().unwrap());
        reply.send(Vec::new()).unwrap();
        configuration.zones
    };
    let mut refused = None;
    let (served, with) = tokio::join!(reload.serve(Cause::HungUp, &patience, &mut refused), takes);
    served.unwrap();
    let mut told = Vec::new();
    while let Ok(command) = commands.try_recv() {
        let Command::Rezone(zones) = command else { panic!("nothing else is told") };
        told.push(zones);
    }
    (with, reload.known(), told)
}

#[tokio::test]
async fn zones_that_changed_while_the_file_was_read_are_the_engines_again() {
    let (with, known, told) = loaded(|zones| *zones = zones.reread()).await;
    assert!(!with.is(&known));
    assert_eq!(told.len(), 1);
    assert!(told[0].is(&known));
}

#[tokio::test]
async fn of_zones_that_stayed_the_engine_is_told_nothing() {
    let (with, known, told) = loaded(|_| {}).await;
    assert!(with.is(&known));
    assert_eq!(told.len(), 0);
}
