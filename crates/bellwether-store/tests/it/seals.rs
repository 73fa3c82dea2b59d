//! A case in which somebody decided is changed behind the server's back, in the file itself: the
//! seals tell what was changed, and where.

use std::sync::Arc;

use bellwether_engine::flow::{Catalog, Position, read};
use bellwether_engine::seam::{Actor, ActorRole, Flaw, Intake as _, Sealed, Seals as _};
use bellwether_engine::store::{ListQuery, Views as _};
use bellwether_engine::story::{self, Scene, Stage};
use bellwether_model::event::NewEvent;
use bellwether_model::id::CellId;
use bellwether_store::{Database, open};
use rusqlite::Connection;
use serde_json::json;

const FLOW: &str = "\
bellwether: 1
flow: f
when: { event: order.placed }
case: order.id
steps:
  - ask: person('alice')
    title: \"Order {{ order.id }}: {{ order.amount }}\"
    choices: { approve: {}, reject: {} }
    if_silent: { 1 working day: remind, 3 working days: expire }
    then: { approve: [{ mail: person('ivan'), subject: approved }], reject: [], expire: [] }
";

/// A file with one decided case, and an engine over it.
struct Decided {
    path: std::path::PathBuf,
    stage: Stage,
    run: CellId,
    _folder: tempfile::TempDir,
}

impl Decided {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.db");
        let database: Arc<Database> =
            Arc::new(open(&format!("sqlite:{}", path.display())).unwrap());
        let catalog = Catalog { connectors: &[] };
        let scene = Scene {
            flow: &Arc::new(read(FLOW, "f.yaml", &catalog).unwrap()),
            inputs: &json!({}),
            file: &|_| None,
            catalog,
            people: &story::directory(),
            position: Position::On,
        };
        let stored = (Arc::clone(&database) as _, Arc::clone(&database) as _);
        let stage = Stage::new(scene, stored).unwrap();
        let data = json!({ "order": { "id": 7, "amount": "900 EUR" } });
        let event = NewEvent::new("test", "1", "order.placed", stage.now(), data);
        stage.engine.submit(event).await.unwrap();
        stage.settle().await.unwrap();
        database.caught_up().await;
        let all = ListQuery {
            limit: 10,
            ..ListQuery::default()
        };
        let run = database.runs(all).await.unwrap().items[0].id;
        let actor = Actor {
            name: "operator".to_owned(),
            role: ActorRole::Operator,
            means: "loopback",
        };
        let decided = stage
            .engine
            .decide_for(run, "alice", "approve", "fine", &actor);
        decided.await.unwrap();
        stage.settle().await.unwrap();
        Self {
            path,
            stage,
            run,
            _folder: folder,
        }
    }

    async fn checked(&self) -> Sealed {
        self.stage.engine.checked(self.run).await.unwrap().unwrap()
    }

    /// What the seals say while the file is changed like this; afterwards it is as before.
    async fn with(&self, table: &str, change: &str) -> Vec<Flaw> {
        let conn = Connection::open(&self.path).unwrap();
        conn.execute_batch(&format!("CREATE TABLE kept AS SELECT * FROM {table}"))
            .unwrap();
        let changed = conn.execute(change, ()).unwrap();
        assert!(changed > 0, "nothing was changed by {change}");
        let sealed = self.checked().await;
        let back =
            format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept");
        conn.execute_batch(&back).unwrap();
        assert_eq!(self.checked().await.flaws, []);
        sealed.flaws.into_iter().map(|(_, flaw)| flaw).collect()
    }
}

fn replaced(column: &str, from: &str, to: &str) -> String {
    format!("{column} = CAST(replace(CAST({column} AS TEXT), '{from}', '{to}') AS BLOB)")
}

#[tokio::test]
async fn whatever_is_changed_in_the_file_is_found() {
    let case = Decided::new().await;
    let sealed = case.checked().await;
    assert_eq!(sealed.flaws, []);
    assert!(sealed.entries >= 2 && sealed.last.is_some(), "{sealed:?}");

    // Somebody else is said to have decided.
    let change = format!(
        "UPDATE cell SET {}",
        replaced("last_turn", "alice", "carlo")
    );
    assert_eq!(case.with("cell", &change).await, [Flaw::Changed]);
    // The entry of the question names another time.
    let change = format!(
        "UPDATE cell SET {}",
        replaced("first_turn", "\"at\":17", "\"at\":16")
    );
    assert_eq!(case.with("cell", &change).await, [Flaw::Changed]);
    // Another button was pressed, or another amount asked for.
    let change =
        "UPDATE event SET data = replace(data, 'approve', 'reject') WHERE data LIKE '%approve%'";
    assert_eq!(case.with("event", change).await, [Flaw::EventChanged]);
    let change =
        "UPDATE event SET data = replace(data, '900 EUR', '9 EUR') WHERE data LIKE '%900 EUR%'";
    assert!(
        case.with("event", change)
            .await
            .contains(&Flaw::EventChanged)
    );
    // Something else was shown.
    let change =
        "UPDATE effect SET args = replace(args, '900 EUR', '9 EUR') WHERE args LIKE '%900 EUR%'";
    assert!(
        case.with("effect", change)
            .await
            .contains(&Flaw::MessageChanged)
    );
    // The decision never was.
    let change = "UPDATE cell SET last_turn = NULL, version = version - 1";
    assert!(case.with("cell", change).await.contains(&Flaw::Missing));
    // A seal from elsewhere does not help.
    let change = "UPDATE cell SET last_turn = first_turn";
    assert!(case.with("cell", change).await.contains(&Flaw::Changed));
}
