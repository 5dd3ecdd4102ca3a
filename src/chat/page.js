"use strict";
// hollerd.json over one WebSocket, as PROTOCOL.md has it. Whatever came from somebody becomes text, never markup.
// One a line: key, English, Traditional Chinese.
const words = Object.fromEntries([...`
  empty|Nothing has been said here yet. Say hello!|還沒有人說話，先打聲招呼吧！
  who|Who is here|誰在線上
  messages|Messages|訊息
  yours|Your message|輸入訊息
  hint|Enter sends, Shift+Enter begins a new line, /help lists commands|按 Enter 傳送，Shift+Enter 換行，/help 列出指令
  send|Send|傳送
  rooms|Rooms|聊天室
  back|Back to the messages|回到訊息
  rename|Change your name|更改名字
  leave|Leave|離開
  cancel|Cancel|取消
  name|Your name|你的名字
  token|Your token, or the link that you were sent|你的權杖，或別人給你的連結
  enter|Come in|進入聊天室
  save|Save|儲存
  needed|A token is needed to come in.|需要權杖才能進入。
  expired|Your token has expired. Please enter a new one.|權杖已過期，請輸入新的權杖。
  refused|The server did not take your token: {}|伺服器不接受你的權杖：{}
  shut|Your token does not open this room.|你的權杖不能進入這個聊天室。
  no_room|There is no such room: {}|沒有這個聊天室：{}
  in_use|Somebody here has this name already.|這個名字已經有人使用了。
  bad_name|This name is not possible: {}|不能使用這個名字：{}
  connecting|Connecting…|連線中…
  connected|Connected|已連線
  down|Not connected|未連線
  offline|You are offline.|目前沒有網路連線。
  lost|The connection was lost.|連線中斷了。
  away|The server cannot be reached.|無法連上伺服器。
  restarting|The server is restarting.|伺服器正在重新啟動。
  busy|The server is busy: {}|伺服器忙碌中：{}
  slow|Your connection was too slow.|你的連線太慢了。
  pause|The server asks for a pause: {}|伺服器請你稍候：{}
  closed|The server closed the connection: {}|伺服器關閉了連線：{}
  proxy|The server answers, but WebSockets do not get through. Is there a proxy?|伺服器有回應，但 WebSocket 連不上。是否經過代理伺服器？
  origin|The server does not let this page in: {}. Its allowed_origins may need {}|伺服器不允許這個網頁連線：{}。allowed_origins 可能需要加入 {}
  elsewhere|You are here in another window.|你已在另一個視窗中進入。
  again|Reconnecting in {} s.|{} 秒後重新連線。
  now|Connect now|立即連線
  sending|Sending…|傳送中…
  sent|Sent|已傳送
  unsent|Not sent: {}|未傳送：{}
  doubtful|This may not have been heard.|別人可能沒收到。
  resend|Send again|再傳一次
  discard|Discard|捨棄
  missing|Missing messages: {}|這裡缺少 {} 則訊息。
  anew|The server started anew. What was said meanwhile may be missing.|伺服器重新啟動過，這段期間的訊息可能不在這裡。
  joined|{} joined|{} 進來了
  left|{} left|{} 離開了
  renamed|{} is now {}|{} 改名為 {}
  you|you|你
  server|The server|伺服器
  private|private|私訊
  to|private, to {}|私訊給 {}
  more|and {} more|還有 {} 人
  news|New messages: {}|{} 則新訊息
  newest|To the newest|回到最新訊息
  too_long|Too long: {} of {} characters|太長了：{} 個字，上限 {} 個字
  commands|Commands: /msg NAME TEXT, /name NAME, /who, //TEXT says /TEXT|指令：/msg 名字 內容、/name 名字、/who、//內容（說出 /內容）
`.matchAll(/(\w+)\|(.+)\|(.+)/g)].map(([, key, ...both]) => [key, both]));
const zh = /^zh-(tw|hk|mo|hant)/i.test(navigator.language);
const locale = zh ? "zh-TW" : navigator.language;
// What is put into a sentence is isolated, so that no name turns the rest of it around.
const t = (key, ...values) => words[key][+zh].replace(/\{\}/g, () => "\u2068" + values.shift() + "\u2069");
const $ = (id) => document.getElementById(id);
const chat = $("chat"), door = $("door"), view = $("view"), log = $("log"), text = $("text");

const SHOWN_MAX = 500, TEXT_MAX = 4000, HISTORY = 50, QUIET_MS = 25e3, ANSWER_MS = 10e3;

// The room is in the address (?room=dev) and stays there; the token is in its fragment (#token=…) and is taken out at once.
const query = new URLSearchParams(location.search);
const wanted = query.get("room") || "";
const place = "room " + wanted;
// Storage may be forbidden. Then a reload asks for name and token again.
function recall(key) { try { return sessionStorage.getItem(key); } catch { return null; } }
function keep(key, value) { try { if (value) sessionStorage.setItem(key, value); else sessionStorage.removeItem(key); } catch {} }

let token = recall("token") || "";
function takeToken(fresh) {
  token = fresh.trim().replace(/^.*[#&?]token=/, "").replace(/&.*/, "");
  keep("token", token);
}
function readFragment() {
  const fresh = new URLSearchParams(location.hash.slice(1)).get("token");
  if (fresh) takeToken(fresh);
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return fresh;
}

// Who we are to the server, and how far we have read; what is not newer than `old` is no news.
let name = "", session, epoch = "", last = 0, old = 0, skew = 0;
let socket = null, joined = 0, heard = 0, asked = 0, attempt = 0, timer = 0, patient = false;
let unread = 0, below = 0, stuck = true, total = 0, allowance = 0, refilled = 0;
// By id, in the order of saying: what is not acknowledged.
const pending = new Map();
// By id: the new names that we asked for.
const renames = new Map();
// Numbers of our own messages that came back.
const twins = new Set();
const people = new Set();
const newId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

function save() {
  const unsent = [...pending.values()].map(({ id, words, to, sent }) => ({ id, words, to, sent }));
  keep(place, name && JSON.stringify({ name, session, epoch, last, unsent }));
}

// --- The connection

function address(scheme) {
  const url = new URL(wanted ? "ws/" + encodeURIComponent(wanted) : "ws", location);
  url.protocol = location.protocol.replace("http", scheme);
  return url;
}

function connect() {
  drop();
  state();
  let opened = false;
  try {
    socket = new WebSocket(address("ws"), token ? ["hollerd.json", "bearer." + token] : ["hollerd.json"]);
  } catch {
    return askToken(t("refused", "…"));
  }
  // Who does not let us in within ANSWER_MS is as good as gone.
  asked = Date.now();
  socket.onopen = () => {
    opened = true;
    asked = Date.now();
    greet();
  };
  socket.onclose = ({ code, reason }) => {
    drop();
    if (opened) closed(code, reason);
    else refused();
  };
  socket.onmessage = ({ data }) => {
    heard = Date.now();
    asked = 0;
    const object = JSON.parse(data);
    if (on[object.type]) on[object.type](object);
  };
}

// Lets go without waiting for the other end, which may be gone.
function drop() {
  clearTimeout(timer);
  timer = 0;
  if (joined && Date.now() - joined > ANSWER_MS) attempt = 0;
  joined = 0;
  if (!socket) return;
  socket.onopen = socket.onclose = socket.onmessage = null;
  socket.close();
  socket = null;
}

function send(object) {
  if (socket && socket.readyState === 1) socket.send(JSON.stringify(object));
}

function greet() {
  send(epoch ? { type: "resume", name, epoch, last, session } : { type: "name", name, history: HISTORY });
}

// What the README's table of close codes says about coming back.
function closed(code, why) {
  if (code === 4401) badToken(why);
  else if (code === 4403 && /token/.test(why)) askToken(t("shut"));
  else if (code === 4409) stop(t("elsewhere"));
  else if (code === 1001 || code === 1012) retry(t("restarting"), 0.5 + 4 * Math.random());
  else if (code === 1013 && /slow/.test(why)) retry(t("slow"));
  else if (code === 1008 || code === 1013) retry(t("pause", why), 10 + 5 * Math.random());
  else if ([1000, 1005, 1006, 1011, 4408].includes(code)) retry(why ? t("closed", why) : t("lost"));
  else {
    // It was the first that is not acknowledged. Said again, it would end the next connection too.
    const [item] = pending.values();
    if (code === 1009 && item) fail(item, t("unsent", why));
    renames.clear();
    stop(t("closed", why || code));
  }
}

// A script is not told why its WebSocket was refused; the server says it to whoever asks with OPTIONS.
async function probe() {
  try {
    const headers = token ? { Authorization: "Bearer " + token } : {};
    const answer = await fetch(address("http"), { method: "OPTIONS", headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    return [answer.status, (await answer.text()).trim().slice(0, 200), +answer.headers.get("Retry-After")];
  } catch {
    return [0];
  }
}

async function refused() {
  const turn = timer = setTimeout(() => {}, 0);
  const [status, why, pause] = await probe();
  if (timer !== turn || socket) return;
  timer = 0;
  if (status === 401) badToken(why);
  else if (status === 403 && /origin/.test(why)) stop(t("origin", why, location.origin));
  else if (status === 403) askToken(t("shut"));
  else if (status === 400 || status === 404) stop(t("no_room", why));
  else if (status === 429 || status === 503) retry(t("busy", why), pause);
  else retry(t(status === 200 ? "proxy" : "away"));
}

const badToken = (why) => askToken(!token ? t("needed") : /expired/.test(why) ? t("expired") : t("refused", why));

function askToken(why) {
  stop(why);
  openDoor(why, true);
}

function stop(why) {
  tell(why);
  state(why);
}

// Comes back after `pause` seconds at least, later each time, and not at the same moment as everybody else.
function retry(why, pause = 0) {
  patient = pause > 5;
  tell(why);
  const at = Date.now() + 1e3 * Math.max(pause, Math.min(30, 2 ** attempt++) * (0.5 + Math.random() / 2));
  const tick = () => {
    const left = at - Date.now();
    if (left <= 0) return connect();
    state((navigator.onLine ? why : t("offline")) + " " + t("again", Math.ceil(left / 1e3)));
    timer = setTimeout(tick, Math.min(1e3, left));
  };
  tick();
}

// Only a question finds out that nobody is there. Timers are late in hidden pages, so the clock decides.
function listen() {
  const now = Date.now();
  if (!socket) return;
  if (asked && now - asked > ANSWER_MS) {
    drop();
    retry(t("lost"));
  } else if (!asked && now - heard > QUIET_MS) ask();
}
function ask() {
  asked = Date.now();
  send({ type: "ping" });
}
// Somebody looks at the page again, or the network is back: no reason to wait.
function wake() {
  if (joined && !asked) ask();
  else if (timer && !patient) connect();
}

// --- What the server says

const on = {
  hello(o) {
    const anew = o.epoch !== epoch, missing = o.from - 1 - last;
    doubt((item) => anew || item.to);
    if (epoch && log.firstChild && (anew || missing > 0)) note(anew ? t("anew") : t("missing", missing), "gap");
    if (anew) old = epoch ? 0 : o.last;
    ({ name, session, epoch } = o);
    last = o.from - 1;
    twins.clear();
    skew = o.time - Date.now();
    joined = Date.now();
    $("room").textContent = o.room;
    closeDoor();
    state();
    tell(t("connected"));
    showTitle();
    send({ type: "who" });
    save();
    allowance = 20;
    renames.forEach(rename);
    pump();
  },
  message(o) {
    if (o.sequence <= last) return;
    last = o.sequence;
    add({ from: o.from, words: o.text, time: o.time });
    if (o.from !== name) return o.sequence > old && notice(o);
    // Our own comes back only after a break, and may be one that waits for its `ack`: until that says so, it is shown once.
    twins.add(o.sequence);
    const twin = [...pending.values()].find((item) => item.words === o.text && item.line.isConnected);
    if (twin) twin.line.remove();
  },
  direct(o) {
    add({ from: o.from, words: o.text, time: o.time, kind: t("private") });
    notice(o);
  },
  ack(o) {
    const item = pending.get(o.id), wish = renames.get(o.id);
    // A large room is not told of it.
    if (wish) on.renamed({ from: name, to: wish });
    if (renames.delete(o.id)) pump();
    if (!item) return closeDoor();
    pending.delete(o.id);
    item.line.remove();
    if (!twins.has(o.sequence)) add({ ...item, from: name, time: Date.now() + skew });
    if (o.sequence > last) last = o.sequence;
    save();
  },
  error(o) {
    const item = pending.get(o.id);
    if (renames.delete(o.id)) pump();
    if (item) fail(item, t("unsent", o.text));
    else if (!/name/.test(o.code)) note(o.text, "gap");
    else openDoor(o.code === "name_in_use" ? t("in_use") : t("bad_name", o.text), false, joined);
  },
  joined(o) {
    if (o.name === name) return;
    people.add(o.name);
    showPeople(o.users);
    note(t("joined", o.name), "presence");
  },
  left(o) {
    if (o.name === name) return;
    people.delete(o.name);
    showPeople(o.users);
    note(t("left", o.name), "presence");
  },
  renamed(o) {
    people.delete(o.from);
    people.add(o.to);
    showPeople(total);
    if (o.to === name) return;
    if (o.from === name) {
      name = o.to;
      closeDoor();
      save();
    }
    note(t("renamed", o.from, o.to), "presence");
  },
  users(o) {
    people.clear();
    o.users.forEach((who) => people.add(who));
    showPeople(o.total);
  },
};

// --- What we say

// Returns what is wrong with the line, if anything is.
function submit(line) {
  const [, command, rest] = /^\/(\w*)\s*(.*)$/s.exec(line) || [];
  const [, quoted, plain, said] = /^(?:"((?:[^"\\]|\\["\\])+)"|([^"\s]\S*))\s+(.+)$/s.exec(rest) || [];
  if (line.length > TEXT_MAX) return t("too_long", line.length, TEXT_MAX);
  if (command === undefined) post(line);
  else if (line[1] === "/") post(line.slice(1));
  else if (command === "msg" && said) post(said, plain || quoted.replace(/\\(.)/g, "$1"));
  else if (command === "name" && rest) rename(rest);
  else if (command === "who") showCrowd(true);
  else if (command === "help") note(t("commands"));
  else return t("commands");
}

function post(said, to) {
  toNewest();
  wait({ id: newId(), words: said, to });
  save();
  pump();
}

function rename(wish, id = newId()) {
  renames.set(id, wish);
  if (joined) send({ type: "rename", name: wish, id });
}

// What we say is shown at once, below all that is confirmed.
function wait(item) {
  item.kind = item.to && t("to", item.to);
  item.line = line({ ...item, from: name, time: Date.now() + skew });
  item.line.classList.add("waiting");
  item.line.mark.textContent = t("sending");
  pending.set(item.id, item);
  $("pending").append(item.line);
  $("empty").hidden = true;
}

// Says what waits, no faster than servers usually allow, and not while we may have one name or another: only under the
// same name is it known for the same when it is repeated.
function pump() {
  const now = Date.now();
  allowance = Math.min(20, allowance + (now - refilled) / 100);
  refilled = now;
  for (const item of pending.values()) {
    if (item.sent || !joined || renames.size) continue;
    if (allowance < 1) return setTimeout(pump, 200);
    allowance -= 1;
    item.sent = true;
    send({ type: item.to ? "direct" : "say", id: item.id, to: item.to, text: item.words });
  }
}

// Whether it was heard, nobody knows any more. A person may decide to say it twice, a program may not.
function doubt(which) {
  for (const item of pending.values()) {
    if (item.sent && which(item)) fail(item, t("doubtful"));
    item.sent = false;
  }
}

function fail(item, why) {
  pending.delete(item.id);
  save();
  item.line.className = item.line.className.replace("waiting", "failed");
  item.line.mark.textContent = why;
  for (const key of ["resend", "discard"]) {
    const button = element("button", "", t(key));
    item.line.mark.append(" ", button);
    button.onclick = () => {
      item.line.remove();
      if (key === "resend") post(item.words, item.to);
      text.focus();
    };
  }
  tell(why);
}

// --- What is seen

function element(tag, className, content = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });

function hue(who) {
  let hash = 7;
  for (const char of who) hash = (hash * 31 + char.codePointAt(0)) % 360;
  return hash;
}
function face(who) {
  const made = element("span", "face", ([...who.trim()][0] || "").toLocaleUpperCase(locale));
  made.setAttribute("aria-hidden", "true");
  made.style.setProperty("--hue", hue(who));
  return made;
}

// What is from nobody is a word of the server itself.
function line({ from, words, time, kind }) {
  const item = element("li", "said" + (from === name ? " own" : from ? "" : " server") + (kind ? " private" : ""));
  const who = from || t("server");
  const body = element("div", "body"), head = element("p", "head"), row = element("div", "row");
  const when = element("time", "", clock.format(time)), said = element("p", "text", words), mark = element("span", "mark");
  when.dateTime = new Date(time).toISOString();
  said.dir = "auto";
  item.style.setProperty("--hue", hue(who));
  head.append(element("bdi", "", from === name ? t("you") : who));
  if (kind) head.append(element("i", "", kind));
  head.append(when);
  row.append(said, mark);
  body.append(head, row);
  item.append(face(who), body);
  return Object.assign(item, { group: from ? from + "\n" + kind : item, time, mark });
}

// Adds a message behind all others. A new day gets a line, and what one person says in one go stands together.
function add(message) {
  const item = line(message), before = log.lastElementChild, date = calendar.format(message.time);
  if (log.date !== date) log.append(element("li", "day", date));
  else if (before && before.group === item.group && item.time - before.time < 3e5) item.classList.add("on");
  log.date = date;
  if (item.classList.contains("own")) {
    item.mark.textContent = "✓";
    item.mark.title = t("sent");
  }
  show(item);
}

function note(content, kind = "") {
  const before = log.lastElementChild;
  if (kind === "gap") tell(content);
  // A crowd that comes and goes takes few lines.
  if (kind && before && before.group === kind && kind !== "gap" && before.textContent.length < 100) before.textContent += " · " + content;
  else show(Object.assign(element("li", "note " + kind, content), { group: kind }));
}

// The page keeps a bounded number of lines, more of them while somebody reads further up.
function show(item) {
  log.append(item);
  $("empty").hidden = true;
  if (log.childElementCount < SHOWN_MAX * (stuck ? 1.2 : 4)) return;
  while (log.childElementCount > SHOWN_MAX) log.firstElementChild.remove();
  log.firstElementChild.classList.remove("on");
}

function notice({ from, text }) {
  if (!stuck) below += 1;
  showNewest();
  if (!document.hasFocus()) unread += 1;
  showTitle();
  // Read out at most once a second, and of a burst only the number.
  hear.push((from || t("server")) + ": " + text.slice(0, 300));
  if (hear.length === 1) setTimeout(() => {
    $("heard").textContent = hear.length > 3 ? t("news", hear.length) : hear.join("\n");
    hear.length = 0;
  }, 1e3);
}
const hear = [];

const tell = (what) => { $("status").textContent = what; };

function showTitle() {
  document.title = (unread ? `(${unread}) ` : "") + ($("room").textContent || wanted || "chat") + " – hollerd";
}

// In words, in the head; and where something can be done about it, above the message that is being written.
function state(trouble = "") {
  $("state").textContent = t(joined ? "connected" : trouble ? "down" : "connecting");
  $("state").className = joined ? "good" : "";
  $("trouble").hidden = !trouble;
  $("problem").textContent = trouble;
  if (!door.hidden) $("why").textContent = trouble || $("state").textContent;
}

function showPeople(users) {
  $("count").textContent = total = users;
  $("crowd").ariaLabel = t("who") + ": " + users;
  if (showPeople.timer) return;
  showPeople.timer = setTimeout(() => {
    showPeople.timer = 0;
    $("names").replaceChildren(...[...people].sort(new Intl.Collator(locale).compare).map(person));
    $("more").textContent = total > people.size ? t("more", total - people.size) : "";
  }, 200);
}

function person(who) {
  const item = element("li", ""), entry = element(who === name ? "span" : "button", "");
  entry.append(face(who), element("bdi", "", who));
  if (who === name) entry.append(element("small", "", "(" + t("you") + ")"));
  entry.onclick = () => {
    if (who === name) return;
    showCrowd(false);
    text.value = `/msg ${/[\s"\\]/.test(who) ? `"${who.replace(/["\\]/g, "\\$&")}"` : who} ${text.value}`;
    text.focus();
  };
  item.append(entry);
  return item;
}

function showCrowd(open) {
  document.body.classList.toggle("crowd", open);
  $("crowd").setAttribute("aria-expanded", open);
  if (open) send({ type: "who" });
  $(open ? "people" : "crowd").focus();
}

function showNewest() {
  $("newest").hidden = stuck;
  view.style.overflowAnchor = stuck ? "none" : "";
  $("newest").textContent = (below ? t("news", below) : t("newest")) + " ↓";
}
function toNewest() {
  stuck = true;
  below = 0;
  view.scrollTop = bottom();
  showNewest();
}

// --- The door

function openDoor(why = "", keyed = false, inside = false) {
  $("why").textContent = why;
  tell(why);
  $("keyed").hidden = !keyed;
  $("cancel").hidden = !inside;
  $("welcome").textContent = inside ? t("rename") : wanted || "hollerd";
  $("enter").textContent = t(inside ? "save" : "enter");
  if (door.hidden) $("name").value = name || subject();
  chat.hidden = true;
  door.hidden = false;
  $(keyed && $("name").value ? "token" : "name").focus();
}
function closeDoor() {
  if (door.hidden) return;
  door.hidden = true;
  chat.hidden = false;
  toNewest();
  text.focus();
}

// The name that a signed token is for, if it is for one.
function subject() {
  try {
    return JSON.parse(decodeURIComponent(escape(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))))).sub || "";
  } catch {
    return "";
  }
}

$("form").onsubmit = (event) => {
  event.preventDefault();
  const wish = $("name").value.trim(), keyed = !$("keyed").hidden;
  if (!wish) return $("name").focus();
  if (joined) return rename(wish);
  renames.clear();
  if (keyed) takeToken($("token").value);
  $("token").value = $("why").textContent = "";
  // Said again under another name it would be another message.
  if (wish !== name) doubt(() => true);
  name = wish;
  attempt = 0;
  if (socket && !asked && !keyed) greet();
  else connect();
};
$("cancel").onclick = closeDoor;
$("rename").onclick = () => { showCrowd(false); openDoor("", false, true); };
$("leave").onclick = () => {
  name = "";
  save();
  location.reload();
};

// --- What the person does

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const said = text.value.trimEnd(), problem = said.trim() && submit(said);
  if (problem) return note(problem, "gap");
  text.value = "";
  grow();
};
text.onkeydown = (event) => {
  // Enter also ends the choice of a character in an input method, and that is no message.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    $("composer").requestSubmit();
  } else if (event.key.startsWith("Page")) view.scrollBy(0, (event.key === "PageUp" ? -0.9 : 0.9) * view.clientHeight);
};
const grow = text.oninput = () => {
  text.style.height = "auto";
  text.style.height = text.scrollHeight + 2 + "px";
};
$("again").onclick = () => { attempt = 0; connect(); };
$("newest").onclick = () => { toNewest(); text.focus(); };
$("crowd").onclick = () => showCrowd(true);
$("back").onclick = () => showCrowd(false);
onkeydown = ({ key }) => {
  if (key !== "Escape") return;
  if (!door.hidden && joined) closeDoor();
  else if (document.body.className) showCrowd(false);
};

// Where the end was when we last looked: messages that came since do not mean that somebody scrolled up.
let end = 0;
const bottom = () => view.scrollHeight - view.clientHeight;
view.onscroll = () => {
  stuck = view.scrollTop > Math.min(end, bottom()) - 48;
  if (stuck) below = 0;
  showNewest();
};
const follow = new ResizeObserver(() => {
  if (stuck) view.scrollTop = bottom();
  end = bottom();
});
[view, log, $("pending")].forEach((each) => follow.observe(each));
// Where the keyboard on the screen covers the page instead of making it smaller.
visualViewport.onresize = () => {
  if (visualViewport.scale > 1) return;
  document.body.style.setProperty("--height", visualViewport.height + "px");
  scrollTo(0, 0);
};
onfocus = document.onvisibilitychange = () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
  wake();
};
ononline = onoffline = wake;
onpagehide = save;
onhashchange = () => { if (readFragment()) begin(); };
setInterval(listen, 2e3);

// --- And so it begins

async function begin() {
  if (name) return connect();
  openDoor();
  const [status, why] = await probe();
  if (status === 401 && !name) openDoor(token ? t("refused", why) : t("needed"), true);
}

if (zh) document.documentElement.lang = "zh-Hant";
for (const each of document.querySelectorAll("[data-text]")) each.textContent = t(each.dataset.text);
for (const each of document.querySelectorAll("[data-label]")) each.ariaLabel = t(each.dataset.label);
text.placeholder = t("yours");
$("sign").src = document.querySelector("link").href;
for (const room of (query.get("rooms") || "").split(",").filter(Boolean)) {
  const link = element("a", "", room);
  link.href = "?" + new URLSearchParams({ room, rooms: query.get("rooms") });
  if (room === wanted) link.ariaCurrent = "page";
  $("rooms").append(link);
  $("rooms").hidden = false;
}
readFragment();
const kept = JSON.parse(recall(place) || "null");
if (kept) {
  ({ name, session, epoch } = kept);
  // Read again what was on the page, as far as the server remembers it.
  old = kept.last;
  last = Math.max(0, old - HISTORY);
  chat.hidden = false;
  kept.unsent.forEach(wait);
}
showTitle();
begin();
