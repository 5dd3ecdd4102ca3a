//! temporary
use serde_json::json;
pub struct Hello<'a> {
    pub name: &'a str,
    pub room: &'a str,
    pub users: usize,
    pub epoch: &'a str,
    pub last: u64,
    pub from: u64,
    pub session: &'a str,
    pub time: u64,
}
fn put(out: &mut String, v: serde_json::Value) {
    out.push_str(&v.to_string());
}
pub fn hello(out: &mut String, h: &Hello<'_>) {
    put(
        out,
        json!({"type":"hello","name":h.name,"room":h.room,"users":h.users,"epoch":h.epoch,"last":h.last,"from":h.from,"session":h.session,"time":h.time}),
    )
}
pub fn message(out: &mut String, sequence: u64, from: Option<&str>, text: &str, time: u64) {
    put(out, json!({"type":"message","sequence":sequence,"from":from,"text":text,"time":time}))
}
pub fn direct(out: &mut String, from: &str, text: &str, time: u64) {
    put(out, json!({"type":"direct","from":from,"text":text,"time":time}))
}
pub fn joined(out: &mut String, name: &str, users: usize, time: u64) {
    put(out, json!({"type":"joined","name":name,"users":users,"time":time}))
}
pub fn left(out: &mut String, name: &str, users: usize, time: u64) {
    put(out, json!({"type":"left","name":name,"users":users,"time":time}))
}
pub fn renamed(out: &mut String, from: &str, to: &str, time: u64) {
    put(out, json!({"type":"renamed","from":from,"to":to,"time":time}))
}
pub fn users<'a>(out: &mut String, names: impl Iterator<Item = &'a str>, total: usize, id: Option<&str>) {
    let n: Vec<&str> = names.collect();
    put(out, json!({"type":"users","users":n,"total":total,"id":id}))
}
pub fn ack(out: &mut String, id: &str, sequence: Option<u64>, duplicate: bool) {
    put(out, json!({"type":"ack","id":id,"sequence":sequence,"duplicate":duplicate}))
}
pub fn error(out: &mut String, code: &str, text: &str, field: Option<&str>, id: Option<&str>) {
    put(out, json!({"type":"error","code":code,"text":text,"field":field,"id":id}))
}
pub fn pong(out: &mut String, time: u64, id: Option<&str>) {
    put(out, json!({"type":"pong","time":time,"id":id}))
}
pub fn resumed(out: &mut String, whole: bool, from: u64, to: u64) {
    put(out, json!({"type":"resumed","whole":whole,"from":from,"to":to}))
}
