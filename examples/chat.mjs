// A chat client that loses nothing: when its connection breaks it comes back, gets what it missed, and says again what was
// not acknowledged. Lines of the standard input are said.
//
//   npm install ws && node chat.mjs ws://127.0.0.1:8080/ws yuan [TOKEN]
//
// In a browser, and in Node.js 22 and later, there is a WebSocket without that package.
import { createInterface } from "node:readline";

const WebSocket = globalThis.WebSocket ?? (await import("ws")).default;

const [url, name, token] = process.argv.slice(2);
const protocols = ["hollerd.json", ...(token ? [`bearer.${token}`] : [])];
const notAgain = [1002, 1003, 1007, 1009, 4401, 4403, 4409];

let socket, epoch, session;
let seen = 0; // the newest sequence that we know of
let greeted = false; // on this connection
let ended = false; // the input has
let failures = 0;
let heard = 0; // when we last heard anything, in milliseconds

const waiting = new Map(); // what has been said and not acknowledged: id -> object
const prefix = Math.random().toString(36).slice(2); // ids must be new, also when this program starts again
let said = 0;

function connect() {
  socket = new WebSocket(url, protocols);
  heard = Date.now();
  socket.onopen = () =>
    send(epoch ? { type: "resume", name, epoch, last: seen, session } : { type: "name", name, history: 20 });
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onerror = () => {}; // the close that follows says more
  socket.onclose = async ({ code, reason }) => {
    greeted = false;
    if (ended && waiting.size === 0) process.exit(0);
    if (notAgain.includes(code)) stop(`closed: ${code} ${reason}`);
    if (code === 1006) await stopIfRefused();
    // Half a second, doubled each time, and not the same for all who were thrown out together.
    const pause = Math.min(30, 0.5 * 2 ** failures++) * (0.5 + Math.random() / 2);
    console.log(`* not connected (${code}), again in ${pause.toFixed(1)} s`);
    setTimeout(connect, pause * 1000);
  };
}

// Why a connection was refused is not told to programs in a browser, but whoever asks with OPTIONS is told.
async function stopIfRefused() {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(url.replace(/^ws/, "http"), { method: "OPTIONS", headers }).catch(() => null);
  if ([401, 403, 404].includes(answer?.status)) stop(`refused: ${await answer.text()}`);
}

function hear(object) {
  heard = Date.now();
  switch (object.type) {
    case "hello":
      greeted = true;
      failures = 0;
      ({ epoch, session } = object);
      seen = object.from - 1; // from here on it comes without a gap
      console.log(`* hello ${object.name}, ${object.users} here`);
      waiting.forEach((object) => send(object)); // the server knows what it has heard before
      leave();
      break;
    case "resumed":
      if (!object.whole) console.log("* some messages are missing");
      break;
    case "message":
      seen = object.sequence;
      console.log(`${object.from}: ${object.text}`);
      break;
    case "direct":
      console.log(`${object.from} (private): ${object.text}`);
      break;
    case "ack":
      seen = Math.max(seen, object.sequence ?? 0);
      waiting.delete(object.id);
      console.log(`* said as ${object.sequence}`);
      leave();
      break;
    case "error":
      waiting.delete(object.id);
      if (object.code.startsWith("name_") || object.code === "bad_name") stop(object.text);
      console.log(`* error: ${object.text}`);
      break;
  }
}

function say(text) {
  const id = `${prefix}-${++said}`;
  waiting.set(id, { type: "say", text, id });
  if (greeted) send(waiting.get(id));
}

function send(object) {
  socket.send(JSON.stringify(object));
}

function leave() {
  if (ended && waiting.size === 0) socket.close(1000);
}

function stop(why) {
  console.error(why);
  process.exit(1);
}

// A program cannot see the pings of the WebSocket protocol, so it asks by itself whether the server is still there.
setInterval(() => {
  if (greeted) send({ type: "ping" });
  if (Date.now() - heard > 60_000) socket.close();
}, 20_000);

const input = createInterface({ input: process.stdin });
input.on("line", say);
input.on("close", () => { ended = true; leave(); });
connect();
