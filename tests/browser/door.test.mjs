// Who comes in: tokens that are missing, wrong, for somebody else, or at an end; pages from elsewhere.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createServer } from "node:http";
import { once } from "node:events";
import { ADMIN, Daemon, Relay, token, until } from "./daemon.mjs";
import { closeBrowser, LOST, Person, REFUSED } from "./person.mjs";

after(closeBrowser);
after(Daemon.endAll);

const allow = [LOST, REFUSED];
const address = (daemon, secret = "") => `http://127.0.0.1:${daemon.port}/${secret && `#token=${secret}`}`;
const enter = async ({ page }, name, secret) => {
  await page.fill("#name", name);
  if (secret !== undefined) await page.fill("#token", secret);
  await page.click("#enter");
};

test("a token is asked for where there is none", async () => {
  const daemon = await Daemon.start();
  const yuan = await Person.open(address(daemon), { allow });
  await yuan.reads(/A token is needed to come in/);
  await enter(yuan, "yuan", "nonsense");
  await yuan.reads(/The server did not take your token: .*token/);
  await enter(yuan, "yuan", "no token, but \"words\"");
  await yuan.reads(/The server did not take your token/);
  await enter(yuan, "yuan", token({ ttl: -60 }));
  await yuan.reads(/Your token has expired/);
  await enter(yuan, "yuan", token({ rooms: ["other"] }));
  await yuan.reads(/Your token does not open this room/);
  // The link that somebody was sent is as good as the token in it.
  await enter(yuan, "yuan", ` ${address(daemon, token())} `);
  await yuan.connected();
  // It is kept for this window, and nowhere in the address.
  await yuan.page.reload();
  await yuan.connected();
  assert.equal(await yuan.page.evaluate(() => location.href), `http://127.0.0.1:${daemon.port}/`);
  await yuan.leave();
});

test("whoever is refused is left alone", async () => {
  const daemon = await Daemon.start();
  const yuan = await Person.open(address(daemon, token({ rooms: ["other"] })), { allow });
  let sockets = 0;
  yuan.page.on("websocket", () => { sockets += 1; });
  const look = async () => {
    const before = sockets;
    await yuan.page.focus("#name");
    await yuan.page.evaluate(() => { for (const type of ["focus", "online"]) dispatchEvent(new Event(type)); });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(sockets, before, "it comes back without being asked");
    assert.equal(await yuan.page.evaluate(() => document.activeElement.id), "name", "it takes the cursor away");
  };
  await enter(yuan, "yuan");
  await yuan.reads(/Your token does not open this room/);
  await look();
  await enter(yuan, "yuan", "nonsense");
  await yuan.reads(/The server did not take your token/);
  await look();
  assert.equal(sockets, 2);
  await yuan.leave();
});

test("who is sent away is told why, and asked for a token only where that helps", async () => {
  const daemon = await Daemon.start(ADMIN);
  const yuan = await Person.open(address(daemon, token()), { allow });
  await yuan.join("yuan");
  let sockets = 0;
  yuan.page.on("websocket", () => { sockets += 1; });
  await daemon.admin("DELETE", "/v1/rooms/lobby/users/yuan");
  await yuan.reads(/The server closed the connection: removed by an administrator/);
  assert.equal(await yuan.page.isVisible("#token"), false, "a token is of no use");
  await yuan.page.evaluate(() => dispatchEvent(new Event("focus")));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal(sockets, 0, "it comes back without being asked");
  await yuan.page.click("#again");
  await yuan.connected();
  // In the words of a room that a token does not open.
  await daemon.admin("DELETE", "/v1/rooms/lobby/users/yuan?reason=your token does not open this room");
  await yuan.reads(/Your token does not open this room/);
  assert.equal(await yuan.page.isVisible("#token"), true);
  await yuan.leave();
});

test("whoever comes with TLS talks with TLS", async () => {
  const daemon = await Daemon.secure();
  const url = `https://127.0.0.1:${daemon.port}/#token=${token()}`;
  const yuan = await Person.open(url, { ignoreHTTPSErrors: true });
  const mira = await Person.open(url, { ignoreHTTPSErrors: true });
  const sockets = [];
  mira.page.on("websocket", (socket) => sockets.push(new URL(socket.url()).protocol));
  await yuan.join("yuan");
  await mira.join("mira");
  await mira.say("nobody reads along");
  await yuan.sees("nobody reads along");
  assert.deepEqual(sockets, ["wss:"]);
  await Promise.all([yuan.leave(), mira.leave()]);
});

test("nobody is asked for a token where none is needed", async () => {
  const daemon = await Daemon.start("", true);
  const yuan = await Person.open(address(daemon));
  await yuan.join("yuan");
  await yuan.say("hello");
  await yuan.sees("hello");
  await yuan.leave();
  // One that is there all the same does no harm.
  const alex = await Person.open(address(daemon, "left-over"));
  await alex.join("alex");
  await alex.sees("hello");
  await alex.leave();
});

test("a token may be for one name", async () => {
  const daemon = await Daemon.start();
  const yuan = await Person.open(address(daemon, token({ sub: "袁 yuan" })), { allow });
  assert.equal(await yuan.page.inputValue("#name"), "袁 yuan");
  await enter(yuan, "alex");
  await yuan.reads(/This name is not possible: your token is for "袁 yuan"/);
  await enter(yuan, "袁 yuan");
  await yuan.connected();
  await yuan.page.click("#rename");
  await enter(yuan, "alex");
  await yuan.reads(/your token is for/);
  await yuan.page.click("#cancel");
  await yuan.say("still here");
  await yuan.sees("still here");
  await yuan.leave();
});

test("a token expires while its bearer is connected", async () => {
  const daemon = await Daemon.start();
  const alex = await Person.open(address(daemon, token()));
  await alex.join("alex");
  const yuan = await Person.open(address(daemon, token({ ttl: 8 })), { allow });
  await yuan.join("yuan");
  await yuan.say("before");
  await alex.sees("before");
  await yuan.reads(/Your token has expired\. Please enter a new one\./);
  assert.equal(await yuan.page.evaluate(() => document.activeElement.id), "token");
  assert.equal(await yuan.page.inputValue("#name"), "yuan");
  await alex.say("meanwhile");
  await enter(yuan, "yuan", token());
  await yuan.connected();
  await yuan.sees("meanwhile");
  await yuan.say("after");
  await alex.sees("after");
  await until("the last one is confirmed", async () => (await yuan.texts()).join() === "before,meanwhile,after");
  assert.deepEqual(await alex.texts(), ["before", "meanwhile", "after"]);
  await yuan.leave();
  await alex.leave();
});

test("a new link in the same window brings a new token", async () => {
  const daemon = await Daemon.start();
  const yuan = await Person.open(address(daemon, "old"), { allow });
  await yuan.reads(/The server did not take your token/);
  await yuan.page.evaluate((fresh) => { location.hash = `token=${fresh}`; }, token());
  await until("the address is clean", () => yuan.page.evaluate(() => !location.hash));
  await yuan.join("yuan");
  await yuan.leave();
});

/** A proxy that forgets to pass on the host that the browser asked for, as many do unless they are told. */
test("a page from another address is refused, and says why", async () => {
  const daemon = await Daemon.start();
  const relay = await Relay.start(daemon, (bytes) => bytes.toString("latin1").replace(/Host: \S+/, `Host: 127.0.0.1:${daemon.port}`));
  const yuan = await Person.open(`http://127.0.0.1:${relay.port}/#token=${token()}`, { allow });
  await enter(yuan, "yuan");
  await yuan.reads(new RegExp(`The server does not let this page in: this origin is not allowed.*http://127\\.0\\.0\\.1:${relay.port}`));
  assert.match(daemon.log, /403: origin .* allowed_origins/);
  relay.close();
  await yuan.leave();

  // A foreign page with a script of its own does not get in either.
  const foreign = createServer((_, response) => response.end("<!doctype html><title>foreign</title>"));
  foreign.listen(0, "127.0.0.1");
  await once(foreign, "listening");
  const evil = await Person.open(`http://127.0.0.1:${foreign.address().port}/`, { allow: [...allow, /request to ws:/, /404/] });
  const code = await evil.page.evaluate((url) => new Promise((resolve) => {
    new WebSocket(url, "hollerd.json").onclose = (event) => resolve(event.code);
  }), `ws://127.0.0.1:${daemon.port}/ws`);
  assert.equal(code, 1006);
  await evil.leave();
  foreign.close();
});

test("a proxy that does not know WebSockets is suspected", async () => {
  const daemon = await Daemon.start("", true);
  const relay = await Relay.start(daemon, (bytes) => bytes.toString("latin1").replace(/Upgrade: websocket\r\n/, ""));
  const yuan = await Person.open(`http://127.0.0.1:${relay.port}/`, { allow: [...allow, /status of 4/] });
  await enter(yuan, "yuan");
  await yuan.reads(/WebSockets do not get through\. Is there a proxy\?/);
  relay.close();
  await yuan.leave();
});

test("a full server is waited for", async () => {
  const daemon = await Daemon.start("[limits]\nusers_per_room = 1", true);
  const yuan = await Person.open(address(daemon));
  await yuan.join("yuan");
  const alex = await Person.open(address(daemon), { allow });
  await enter(alex, "alex");
  await alex.reads(/The server is busy: .* Reconnecting in \d+ s\./);
  await yuan.leave();
  await alex.leave();
});
