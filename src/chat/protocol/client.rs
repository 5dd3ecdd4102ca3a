//! temporary
use std::borrow::Cow;
type Text<'a> = Cow<'a, str>;
pub enum Request<'a> {
    Name { name: Text<'a>, history: u32 },
    Resume { name: Text<'a>, epoch: Text<'a>, last: u64, session: Option<Text<'a>> },
    Say { text: Text<'a>, id: Option<Text<'a>> },
    Direct { to: Text<'a>, text: Text<'a>, id: Option<Text<'a>> },
    Who { id: Option<Text<'a>> },
    Rename { name: Text<'a>, id: Option<Text<'a>> },
    Ping { id: Option<Text<'a>> },
}
pub struct Error;
impl Error {
    pub fn code(&self) -> &'static str {
        "not_json"
    }
    pub fn text(&self) -> String {
        "x".into()
    }
    pub fn field(&self) -> Option<&str> {
        None
    }
    pub fn id(&self) -> Option<&str> {
        None
    }
}
pub fn parse(text: &str) -> Result<Request<'_>, Error> {
    let v: serde_json::Value = serde_json::from_str(text).map_err(|_| Error)?;
    let s = |k: &str| v[k].as_str().map(|s| Cow::Owned(s.to_owned()));
    let need = |k: &str| s(k).ok_or(Error);
    Ok(match v["type"].as_str().ok_or(Error)? {
        "name" => Request::Name { name: need("name")?, history: v["history"].as_u64().unwrap_or(0) as u32 },
        "resume" => Request::Resume {
            name: need("name")?,
            epoch: need("epoch")?,
            last: v["last"].as_u64().ok_or(Error)?,
            session: s("session"),
        },
        "say" => Request::Say { text: need("text")?, id: s("id") },
        "direct" => Request::Direct { to: need("to")?, text: need("text")?, id: s("id") },
        "who" => Request::Who { id: s("id") },
        "rename" => Request::Rename { name: need("name")?, id: s("id") },
        "ping" => Request::Ping { id: s("id") },
        _ => return Err(Error),
    })
}
