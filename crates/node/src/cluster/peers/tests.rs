//! Real sockets and real TLS on loopback: who is believed, and who is not.

use super::super::stored;
use super::*;
use rescind_coherence::node::Event;
use rescind_coherence::{Mark, Rules, Timing};
use rescind_core::TokenId;
use rescind_store::{Change, LogPage, Member as Row};
use std::net::Ipv4Addr;

/// Long enough for a busy machine; whoever is refused has tried several times by then.
const PATIENCE: Duration = Duration::from_secs(10);
const REFUSED_FOR: Duration = Duration::from_millis(700);

/// A node's end of it, and what its loops are told.
struct Node {
    identity: Identity,
    peers: Arc<Peers>,
    events: mpsc::Receiver<Event<LogPage>>,
    told: mpsc::UnboundedReceiver<Told>,
}

fn node(name: &str) -> Node {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let identity = Identity {
        node: name.into(),
        incarnation: 7,
        timing: Timing::default(),
        listen: Some(Listen { address, advertise: None }),
        reads_through: false,
        rules: Rules::ALL,
    };
    let (peers, bound) = Peers::new(&identity, Arc::default()).unwrap();
    let ((into, events), (tell, told)) = (mpsc::channel(16), mpsc::unbounded_channel());
    tokio::spawn(Arc::clone(&peers).run(bound.unwrap(), into, tell));
    Node { identity, peers, events, told }
}

fn here(epoch: Epoch) -> Position {
    Position { epoch, mark: (epoch != 5).then_some(Mark([9; 32])) }
}

impl Node {
    fn row(&self) -> Row {
        Row {
            node: self.identity.node.clone(),
            incarnation: self.identity.incarnation,
            lease_ms: 15_000,
            applied: 0,
            renewals: 0,
            contact: self.peers.contact(),
        }
    }

    fn knows(&self, members: Vec<Row>) {
        self.peers.know(&Roll { head: 0, members }, self.identity.member());
    }

    /// The next doorbell of this epoch: heartbeats ring too.
    async fn rung(&mut self, epoch: Epoch) {
        let hear = async {
            loop {
                match self.events.recv().await {
                    Some(Event::Doorbell { epoch: rung }) if rung == epoch => return,
                    Some(_) => {}
                    None => panic!("no inbox"),
                }
            }
        };
        timeout(PATIENCE, hear).await.expect("nobody rang");
    }

    async fn heard(&mut self) -> (Member, Position) {
        let heard = timeout(PATIENCE, self.told.recv()).await.expect("nobody said anything");
        let Some(Told::Acknowledged { by, at }) = heard else { panic!("{heard:?}") };
        (by, at)
    }

    async fn hears_nothing(&mut self) {
        let heard = timeout(REFUSED_FOR, self.told.recv()).await;
        assert!(heard.is_err(), "believed: {heard:?}");
    }
}

#[tokio::test]
async fn commits_are_rung_and_acknowledgements_come_back() {
    let (mut a, mut b) = (node("a"), node("b"));
    let rows = vec![a.row(), b.row()];
    a.knows(rows.clone());
    b.knows(rows);
    a.peers.ring(5);
    b.rung(5).await;
    b.peers.acknowledge(b.identity.member(), here(5));
    assert_eq!(a.heard().await, (b.identity.member(), here(5)));
    assert!(b.peers.all_hear() && a.peers.reaches_all.load(Ordering::Relaxed));
    // What was said before somebody came is said to it at once.
    let mut c = node("c");
    let rows = vec![a.row(), b.row(), c.row()];
    b.knows(rows.clone());
    assert!(!b.peers.all_hear() && !b.peers.reaches_all.load(Ordering::Relaxed));
    c.knows(rows);
    assert_eq!(c.heard().await, (b.identity.member(), here(5)));
    a.peers.ring(6);
    b.rung(6).await;
}

#[tokio::test]
async fn what_was_committed_is_pushed_in_its_order() {
    let (a, mut b) = (node("a"), node("b"));
    let rows = vec![a.row(), b.row()];
    a.knows(rows.clone());
    b.knows(rows);
    a.peers.ring(4);
    b.rung(4).await;
    let id = TokenId::parse("tok_1").unwrap();
    let change = Change::Revoked { id, digest: None };
    let page = |after| LogPage {
        after: stored(here(after)),
        head: stored(here(after + 1)),
        holds: true,
        in_recovery: false,
        timeline: 0,
        too_far: false,
        changes: vec![change.clone()],
    };
    (4..40).for_each(|after| a.peers.push(&page(after)));
    // Not sayable: rung instead.
    a.peers.push(&LogPage { too_far: true, ..page(40) });
    for expected in 4..40 {
        let event = timeout(PATIENCE, b.events.recv()).await.expect("nothing was pushed").unwrap();
        let Event::Pushed { after, at, changes } = event else { panic!("{event:?}") };
        assert_eq!((after, at), (here(expected), here(expected + 1)));
        assert_eq!(format!("{changes:?}"), format!("{:?}", page(expected)));
    }
    b.rung(41).await;
}

#[tokio::test]
async fn whoever_has_no_row_is_told_nothing_and_looked_for_once_more() {
    let (a, mut stranger) = (node("a"), node("stranger"));
    a.peers.acknowledge(a.identity.member(), here(5));
    a.knows(vec![a.row()]);
    stranger.knows(vec![a.row(), stranger.row()]);
    stranger.hears_nothing().await;
    timeout(PATIENCE, a.peers.stranger.notified()).await.expect("its row may be new");
    a.knows(vec![a.row(), stranger.row()]);
    assert_eq!(stranger.heard().await, (a.identity.member(), here(5)));
}

#[tokio::test]
async fn acknowledgement_of_somebody_else_at_a_nodes_address_is_not_believed() {
    let (mut a, b, thief) = (node("a"), node("b"), node("thief"));
    thief.peers.acknowledge(b.identity.member(), here(5));
    // Itself a member, and so known by its certificate; but not for b's.
    let mut row = b.row();
    row.contact.as_mut().unwrap().address = thief.row().contact.unwrap().address;
    thief.knows(vec![a.row(), thief.row()]);
    let mut elsewhere = thief.row();
    elsewhere.contact.as_mut().unwrap().address = "127.0.0.1:1".into();
    a.knows(vec![a.row(), row, elsewhere]);
    a.hears_nothing().await;
}

#[tokio::test]
async fn node_whose_row_is_gone_is_left_and_whoever_never_speaks_is_given_up() {
    let (mut a, b) = (node("a"), node("b"));
    let rows = vec![a.row(), b.row()];
    b.knows(rows.clone());
    a.knows(rows);
    b.peers.acknowledge(b.identity.member(), here(1));
    a.heard().await;
    a.knows(vec![a.row()]);
    timeout(PATIENCE, async {
        while b.peers.all_hear() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("still connected");
    // Takes up a place, and says nothing.
    let address = b.row().contact.unwrap().address;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut nothing = [0; 64];
    let ended = tokio::io::AsyncReadExt::read(&mut silent, &mut nothing);
    let ended = timeout(HANDSHAKE_WITHIN + Duration::from_secs(5), ended).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
}

/// From outside, by whoever has no row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_is_reached_where_its_row_says_and_nobody_else_is_taken_for_it() {
    let (one, other) = (node("one"), node("other"));
    let contact = one.peers.contact().unwrap();
    reach(&contact).await.unwrap();
    let address = other.peers.contact().unwrap().address;
    let moved = Contact { address, ..contact.clone() };
    assert!(matches!(reach(&moved).await, Err(Unreached::Stranger)));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let hung = reach(&Contact { address: address.clone(), ..contact.clone() }).await;
    assert!(matches!(hung, Err(Unreached::Handshake(_))), "{hung:?}");
    drop(silent);
    let gone = reach(&Contact { address, ..contact.clone() }).await;
    assert!(matches!(gone, Err(Unreached::Connect(_))), "{gone:?}");
    for nowhere in ["", "nowhere", "nowhere.invalid:1"] {
        let gone = reach(&Contact { address: nowhere.into(), ..contact.clone() }).await;
        assert!(matches!(gone, Err(Unreached::Connect(_))), "{nowhere}: {gone:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_connections_are_counted_beside_those_that_there_could_be() {
    let (one, other) = (node("one"), node("other"));
    let mut mute = node("mute").row();
    mute.contact = None;
    let rows = vec![one.row(), other.row(), mute];
    one.knows(rows.clone());
    assert_eq!(one.peers.direct(), Some(Direct { others: 2, rung: 0, hearing: 0 }));
    other.knows(rows);
    let all = Some(Direct { others: 2, rung: 1, hearing: 1 });
    let connected = async {
        while one.peers.direct() != all {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, connected).await.unwrap();
}
