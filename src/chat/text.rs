//! The text protocol: lines for people.

use super::command::{self, Command};
use super::hall::{LISTED_MAX, NotNamed};
use super::{Chat, Member};
use crate::connection::Peer;
use crate::engine::Desk;
use crate::wire::frame::Message;

impl Chat {
    /// A line from somebody who speaks the text protocol: a name first, then what it has to say, or a command.
    pub(super) fn hear_line(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, line: &str) {
        // websocat sends a line with its end.
        let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        let is_named = matches!(desk.data(peer), Some(Member::Named { .. }));
        match command::parse(line) {
            // A message a line: websocat shows the line ends inside a message as spaces.
            Ok(Command::Help) => command::HELP.lines().for_each(|line| reply(desk, peer, line)),
            Ok(Command::Who) => self.list(desk, peer),
            // A first line is a name, whatever else it looks like.
            _ if !is_named => self.name(desk, peer, line),
            Ok(Command::Say(text)) => {
                self.say(desk, peer, text);
            }
            Ok(Command::Direct { to, text }) => {
                if let Err(problem) = self.say_to(desk, peer, &to, text) {
                    reply(desk, peer, &format!("error: {}", problem.text()));
                }
            }
            Ok(Command::Rename(wish)) => {
                let renamed = self.rename(desk, peer, wish.trim());
                greet(desk, peer, wish.trim(), renamed);
            }
            Err(problem) => reply(desk, peer, &format!("error: {problem}")),
        }
    }

    /// A first line: a name, or a reason why it cannot be one and another try.
    fn name(&mut self, desk: &mut Desk<'_, Member>, peer: Peer, wish: &str) {
        let wish = wish.trim();
        let entered = self.enter(desk, peer, wish, None);
        greet(desk, peer, wish, entered);
    }

    fn list(&self, desk: &mut Desk<'_, Member>, peer: Peer) {
        let Some(room) = desk.room(peer) else { return };
        let total = self.names.count(room);
        let names: Vec<&str> = Self::names_in(desk, room).collect();
        let more = if total > LISTED_MAX { format!(" and {} more", total - names.len()) } else { String::new() };
        let text = format!("users: {}{more}", names.join(", "));
        if !desk.offer(peer, Message::Text(&text)) {
            reply(desk, peer, "error: read the last list first");
        }
    }
}

fn greet(desk: &mut Desk<'_, Member>, peer: Peer, wish: &str, named: Result<(), NotNamed>) {
    match named {
        Ok(()) => reply(desk, peer, &format!("hello {wish}")),
        Err(problem) => reply(desk, peer, &format!("error: {}", problem.text())),
    }
}

fn reply(desk: &mut Desk<'_, Member>, peer: Peer, text: &str) {
    desk.send(peer, Message::Text(text));
}
