//! How much memory a fact holds beside itself, so that whoever keeps facts can bound them in bytes.
//!
//! The rule it keeps: whatever a client can make longer is counted.

use super::{ConnFact, Counts, Fact, FileFact, Parcel, ServerFact, TalkFact, TroubleFact};
use crate::message::Refusal;

impl Fact {
    /// Bytes that it holds beside its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Conn(ConnFact::Connected { peer, .. }) => peer.len(),
            Self::Conn(_) | Self::Login(_) | Self::Room(_) => 0,
            Self::Talk(fact) => of_talk(fact),
            Self::File(fact) => of_file(fact),
            Self::Trouble(fact) => of_trouble(fact),
            Self::Server(fact) => of_server(fact),
        }
    }
}

fn of_talk(fact: &TalkFact) -> usize {
    match fact {
        TalkFact::SaidText { text, .. }
        | TalkFact::BroadcastText { text, .. }
        | TalkFact::WhisperedText { text, .. } => text.as_str().len(),
        TalkFact::Said { .. } | TalkFact::Broadcast { .. } | TalkFact::Whispered { .. } => 0,
    }
}

fn of_file(fact: &FileFact) -> usize {
    match fact {
        FileFact::UploadRefused { file, refusal } => of_parcel(file) + of_refusal(refusal),
        FileFact::Announced { file, .. }
        | FileFact::Waiting { file, .. }
        | FileFact::Admitted { file, .. }
        | FileFact::Received { file, .. }
        | FileFact::UploadEnded { file, .. }
        | FileFact::Sent { file, .. }
        | FileFact::Expired { file, .. } => of_parcel(file),
        FileFact::Delivered { file, .. }
        | FileFact::Rejected { file, .. }
        | FileFact::Orphaned { file, .. } => file.as_deref().map_or(0, of_parcel),
        FileFact::Withdrawn { .. } => 0,
    }
}

fn of_trouble(fact: &TroubleFact) -> usize {
    match fact {
        TroubleFact::StoreFails { why }
        | TroubleFact::TokensVoid { why }
        | TroubleFact::HashFailed { why }
        | TroubleFact::CheckFailed { why }
        | TroubleFact::TransferFailed { why, .. }
        | TroubleFact::WorkerTrouble { why }
        | TroubleFact::TurnedAway { why, .. } => why.len(),
        TroubleFact::ContentLost { name, .. } => name.as_str().len(),
        TroubleFact::ClockAhead { .. } | TroubleFact::LinesDropped { .. } => 0,
    }
}

fn of_server(fact: &ServerFact) -> usize {
    match fact {
        ServerFact::Listening { addresses, .. } => addresses.len(),
        ServerFact::Report { .. } | ServerFact::Stopped { .. } => size_of::<Counts>(),
        ServerFact::StoreWorks
        | ServerFact::FewDescriptors { .. }
        | ServerFact::StopAsked
        | ServerFact::Stopping { .. } => 0,
    }
}

fn of_parcel(file: &Parcel) -> usize {
    size_of::<Parcel>() + file.name.as_str().len()
}

fn of_refusal(refusal: &Refusal) -> usize {
    let boxed = size_of::<Refusal>();
    let (Refusal::BadRequest(text) | Refusal::UnknownOp(text)) = refusal else { return boxed };
    boxed + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ConnId, TransferId};
    use crate::message::{FileName, Target, Text, UserName};

    #[test]
    fn what_a_client_makes_longer_weighs_more() {
        let from = UserName::parse("alice").unwrap();
        let text = Text::parse("x".repeat(1000).into(), 1000).unwrap();
        assert_eq!(Fact::from(TalkFact::BroadcastText { from, text }).heap_bytes(), 1000);
        let name = FileName::parse(&"n".repeat(200)).unwrap();
        let file = Box::new(Parcel { from, to: Target::Public, name, size: 1 });
        let refusal = Box::new(Refusal::UnknownOp("o".repeat(50)));
        let refused = Fact::from(FileFact::UploadRefused { file: file.clone(), refusal });
        let base = size_of::<Parcel>() + size_of::<Refusal>();
        assert_eq!(refused.heap_bytes(), base + 250);
        let transfer = TransferId(1);
        assert!(Fact::from(FileFact::Received { transfer, file }).heap_bytes() > 200);
        let conn = ConnId { slot: 0, generation: 0 };
        assert_eq!(Fact::from(ConnFact::Connected { conn, peer: "12345".into() }).heap_bytes(), 5);
    }
}
