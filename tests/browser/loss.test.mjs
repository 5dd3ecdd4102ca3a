// The server is lost and found again, in every way that a test can think of, and nothing is lost or doubled unnoticed.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Daemon, Relay, token, until } from "./daemon.mjs";
import { closeBrowser, LOST, Person } from "./person.mjs";

after(closeBrowser);
after(Daemon.endAll);

const address = (port, claims) => `http://127.0.0.1:${port}/#token=${token(claims)}`;
const open = (port, options) => Person.open(address(port), { allow: [LOST], ...options });
/** Yuan and Alex, who have come in by these ports. */
const couple = async (...ports) => {
  const people = [];
  for (const port of ports) people.push(await open(port));
  const [yuan, alex] = people;
  await yuan.join("yuan");
  await alex.join("alex");
  return people;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const numbered = (who, count, first = 1) => Array.from({ length: count }, (_, index) => `${who} ${first + index}`);
const connectNow = (person) => person.page.evaluate(() => { if (!$("trouble").hidden) $("again").click(); });

test("the server is killed and started again while nobody speaks", async () => {
  const daemon = await Daemon.start();
  const [yuan, alex] = await couple(daemon.port, daemon.port);
  for (const text of numbered("yuan", 5)) await yuan.say(text);
  await alex.sees("yuan 5");
  await until("all are confirmed", async () => (await yuan.waiting()).length === 0);
  await daemon.end();
  await yuan.reads(/Reconnecting in \d+ s\./);
  assert.equal(await yuan.page.textContent("#state"), "Not connected");
  for (const text of numbered("yuan", 5, 6)) await yuan.say(text);
  for (const text of numbered("alex", 5)) await alex.say(text);
  assert.deepEqual(await yuan.waiting(), numbered("yuan", 5, 6));
  assert.match(await yuan.page.textContent("#pending .mark"), /Sending/);
  await daemon.begin();
  await yuan.connected();
  await alex.connected();
  await alex.sees("yuan 10");
  await yuan.sees("alex 5");
  for (const person of [yuan, alex]) {
    await until("all are confirmed", async () => (await person.waiting()).length === 0);
    const texts = await person.texts();
    assert.deepEqual(texts.filter((text) => text.startsWith("yuan")), numbered("yuan", 10));
    assert.deepEqual(texts.filter((text) => text.startsWith("alex")), numbered("alex", 5));
    assert.ok((await person.notes()).includes("The server started anew. What was said meanwhile may be missing."));
  }
  // Both show the new messages in the same order.
  const later = async (person) => (await person.texts()).slice(5);
  assert.deepEqual(await later(yuan), await later(alex));
  await yuan.leave();
  await alex.leave();
});

test("the server is killed in the middle of everything", async () => {
  const daemon = await Daemon.start("[limits]\nmessages_per_second = 0");
  const [yuan, alex] = await couple(daemon.port, daemon.port);
  const said = [];
  for (let round = 0; round < 4; round += 1) {
    const killed = pause(50 + 80 * round).then(() => daemon.end());
    for (const text of numbered("yuan", 12, 1 + 12 * round)) {
      said.push(text);
      await yuan.say(text);
    }
    await killed;
    await daemon.begin();
    await connectNow(yuan);
    await connectNow(alex);
    await yuan.connected();
    await alex.connected();
  }
  await yuan.say("the end");
  await alex.sees("the end");
  await until("the end is confirmed", async () => !(await yuan.waiting()).includes("the end"));
  // Each is either confirmed, or the person is asked what to do about it; never both, never neither.
  const doubtful = await yuan.page.$$eval("#pending .failed .text", (items) => items.map((item) => item.textContent));
  assert.deepEqual(await yuan.waiting(), doubtful, "everything else is confirmed");
  const confirmed = (await yuan.texts()).filter((text) => text !== "the end");
  assert.deepEqual([...confirmed, ...doubtful].sort(), [...said].sort());
  const heard = (await alex.texts()).filter((text) => text !== "the end");
  assert.equal(new Set(heard).size, heard.length, "nothing is heard twice");
  const lost = confirmed.filter((text) => !heard.includes(text));
  const told = (await alex.notes()).filter((note) => note.includes("may be missing")).length;
  assert.ok(lost.length === 0 || told === 4, `${lost} were lost and nobody was told`);
  // The person decides to say it again.
  for (const text of doubtful) await yuan.page.click(`#pending .failed:has-text("${text}") >> text=Send again`);
  await until("all are confirmed", async () => (await yuan.waiting()).length === 0);
  await yuan.leave();
  await alex.leave();
});

test("what was under way when the server went away is for a person to decide", async () => {
  const daemon = await Daemon.start();
  const relay = await Relay.start(daemon);
  const [yuan, alex] = await couple(relay.port, daemon.port);
  relay.mute();
  for (const text of ["heard", "once more"]) {
    await yuan.say(text);
    await alex.sees(text);
  }
  await daemon.end();
  await yuan.say("not yet said");
  await daemon.begin();
  await connectNow(alex);
  await alex.sees("not yet said");
  assert.deepEqual(await alex.texts(), ["heard", "once more", "not yet said"]);
  await until("the third is confirmed", async () => (await yuan.waiting()).join() === "heard,once more");
  assert.match(await yuan.page.textContent("#pending .failed .mark"), /This may not have been heard\. .*Send again.*Discard/);
  await yuan.page.click('#pending .failed:has-text("heard") >> text=Discard');
  await yuan.page.click('#pending .failed:has-text("once more") >> text=Send again');
  await until("nothing is left", async () => (await yuan.waiting()).length === 0);
  assert.deepEqual(await alex.texts(), ["heard", "once more", "not yet said", "once more"]);
  relay.close();
  await yuan.leave();
  await alex.leave();
});

test("only connections break, at any point", async () => {
  const daemon = await Daemon.start("[limits]\nmessages_per_second = 0");
  const relay = await Relay.start(daemon);
  const [yuan, alex] = await couple(relay.port, daemon.port);
  const [count, rounds] = [15, 8];
  for (let round = 0; round < rounds; round += 1) {
    // Every second time the answers are lost, although what was said has been heard.
    const cut = pause(20 + 37 * round).then(async () => {
      if (round % 2) { relay.mute(); await pause(60); }
      relay.cut();
    });
    const speak = async (person, who) => {
      for (const text of numbered(who, count, 1 + count * round)) await person.say(text);
    };
    await Promise.all([speak(yuan, "yuan"), speak(alex, "alex"), cut]);
    await connectNow(yuan);
    await yuan.connected();
  }
  for (const [person, who] of [[yuan, "yuan"], [alex, "alex"]]) {
    await until(`${who} is confirmed`, async () => (await person.waiting()).length === 0);
  }
  await alex.sees(`yuan ${count * rounds}`);
  await yuan.sees(`alex ${count * rounds}`);
  const [here, there] = [await yuan.texts(), await alex.texts()];
  assert.deepEqual(here.filter((text) => text.startsWith("yuan")), numbered("yuan", count * rounds));
  assert.deepEqual(here.filter((text) => text.startsWith("alex")), numbered("alex", count * rounds));
  assert.deepEqual(there, here, "everybody has everything once and in the same order");
  assert.equal((await yuan.notes()).filter((note) => /missing/.test(note)).length, 0);
  // The list is drawn a little later than it changes.
  await until("alex sees both", async () => (await alex.names()).join() === "alex,yuan");
  relay.close();
  await yuan.leave();
  await alex.leave();
});

test("what is said behind a change of name that nobody confirms is heard once", async () => {
  const daemon = await Daemon.start();
  const relay = await Relay.start(daemon);
  const [yuan, alex] = await couple(relay.port, daemon.port);
  relay.mute();
  await yuan.say("/name Yüan");
  await yuan.say("once");
  await until("the name has changed", async () => (await alex.names()).includes("Yüan"));
  await pause(500);
  relay.cut();
  await connectNow(yuan);
  await yuan.connected();
  await until("all is confirmed", async () => (await yuan.waiting()).length === 0);
  await yuan.say("the end");
  await alex.sees("the end");
  assert.deepEqual((await alex.messages()).map(({ who, text }) => `${who}: ${text}`), ["Yüan: once", "Yüan: the end"]);
  relay.close();
  await yuan.leave();
  await alex.leave();
});

test("a reload with unconfirmed messages says them once", async () => {
  const daemon = await Daemon.start();
  const relay = await Relay.start(daemon);
  const [yuan, alex] = await couple(relay.port, daemon.port);
  await yuan.say("twice is once");
  await alex.sees("twice is once");
  await until("the first is confirmed", async () => (await yuan.waiting()).length === 0);
  relay.mute();
  await yuan.say("twice is once");
  await yuan.say("and this");
  await alex.sees("and this");
  assert.deepEqual(await yuan.waiting(), ["twice is once", "and this"]);
  await yuan.page.reload();
  await yuan.connected();
  await until("all are confirmed", async () => (await yuan.waiting()).length === 0);
  await yuan.say("the end");
  await alex.sees("the end");
  const all = ["twice is once", "twice is once", "and this", "the end"];
  assert.deepEqual(await alex.texts(), all);
  await until("the page shows the same", async () => (await yuan.texts()).join() === all.join());
  relay.close();
  await yuan.leave();
  await alex.leave();
});

test("a gap is said in words", async () => {
  const daemon = await Daemon.start("[history]\nmessages = 3\n[limits]\nmessages_per_second = 0");
  const relay = await Relay.start(daemon);
  const [yuan, alex] = await couple(relay.port, daemon.port);
  await alex.say("alex 0");
  await yuan.sees("alex 0");
  relay.swallow();
  relay.cut();
  for (const text of numbered("alex", 10)) await alex.say(text);
  await until("all are confirmed", async () => (await alex.waiting()).length === 0);
  relay.swallow(false);
  await connectNow(yuan);
  await yuan.connected();
  await yuan.sees("alex 10");
  assert.deepEqual(await yuan.texts(), ["alex 0", "alex 8", "alex 9", "alex 10"]);
  assert.ok((await yuan.notes()).includes("Missing messages: 7"), await yuan.notes());
  relay.close();
  await yuan.leave();
  await alex.leave();
});

test("a connection that is silently dead is found out", async () => {
  const daemon = await Daemon.start();
  const relay = await Relay.start(daemon);
  const yuan = await open(relay.port);
  await yuan.page.clock.install();
  await yuan.join("yuan");
  relay.swallow();
  await yuan.say("into the void");
  await yuan.page.clock.runFor(45_000);
  await until("it is not connected", async () => (await yuan.page.textContent("#state")) !== "Connected");
  relay.swallow(false);
  for (let second = 0; second < 60 && (await yuan.page.textContent("#state")) !== "Connected"; second += 1) {
    await yuan.page.clock.runFor(1_000);
    await pause(50);
  }
  await until("said after all", async () => (await yuan.texts()).join() === "into the void");
  relay.close();
  await yuan.leave();
});

test("it does not hammer, and does not come back where it should not", async () => {
  const daemon = await Daemon.start("[limits]\nmessages_per_second = 1\nmessage_burst = 3\nmessage = \"2KiB\"");
  const relay = await Relay.start(daemon);
  const yuan = await open(relay.port);
  await yuan.join("yuan");
  // `name` and `who` were two messages.
  for (const text of numbered("yuan", 4)) await yuan.say(text);
  await yuan.reads(/The server asks for a pause: too many messages.* Reconnecting in 1\d s\./);
  const before = relay.connections;
  await yuan.page.evaluate(() => { dispatchEvent(new Event("focus")); dispatchEvent(new Event("online")); });
  await pause(2_000);
  assert.equal(relay.connections, before, "it came back too early");
  await yuan.leave();

  const alex = await open(relay.port);
  await alex.join("alex");
  await alex.say("x".repeat(3_000));
  await alex.reads(/The server closed the connection: message too big/);
  assert.match(await alex.page.textContent("#pending .failed .mark"), /Not sent: .*message too big/);
  const then = relay.connections;
  await pause(2_000);
  assert.equal(relay.connections, then, "what is no use is not repeated");
  await alex.page.click("#again");
  await alex.connected();
  await alex.say("short");
  await alex.sees("short");
  relay.close();
  await alex.leave();
});

test("a server that stops in good order says so, and everybody comes back", async () => {
  const daemon = await Daemon.start();
  const yuan = await open(daemon.port);
  await yuan.join("yuan");
  await daemon.end("SIGTERM");
  await yuan.reads(/The server is restarting\. Reconnecting in \d s\./);
  await until("tries", async () => /cannot be reached/.test(await yuan.trouble()));
  await daemon.begin();
  await yuan.connected();
  assert.equal(await yuan.page.isVisible("#trouble"), false);
  await yuan.leave();
});

test("a page that is opened twice is in one place", async () => {
  const daemon = await Daemon.start();
  const yuan = await open(daemon.port);
  await yuan.join("yuan");
  // A window that a page opens begins with a copy of its storage.
  const [second] = await Promise.all([yuan.context.waitForEvent("page"), yuan.page.evaluate(() => { open(location.href); })]);
  await yuan.reads(/You are here in another window/);
  await until("the second one is in", async () => (await second.textContent("#state")) === "Connected");
  await yuan.page.evaluate(() => dispatchEvent(new Event("focus")));
  await pause(500);
  assert.equal(await second.textContent("#state"), "Connected", "they take it from each other");
  await yuan.page.click("#again");
  await yuan.reads(/Somebody here has this name already/);
  await second.close();
  await yuan.page.click("#enter");
  await yuan.connected();
  await yuan.leave();
});
