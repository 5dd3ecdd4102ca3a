// People who try to put more than text into other people's pages.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Daemon, until } from "./daemon.mjs";
import { closeBrowser, Person, plain, REFUSED } from "./person.mjs";

after(closeBrowser);
after(Daemon.endAll);

const NAMES = ["<img src=x onerror=alert(1)>", "\"><script>alert(2)</script>", "</bdi><b>bold", "{}", "مرحبا", "constructor", "__proto__"];
const TEXTS = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "</p></li><iframe src=javascript:alert(3)>", "javascript:alert(4)", "<svg onload=alert(5)>",
  "${alert(6)}", "{{constructor.constructor('alert(7)')()}}", "&lt;b&gt;", "https://example.org/", "\u202Egnorw", "مرحبا <b>", "x".repeat(3_000), "{}", "\u0000\u001b[31m",
];

test("names and texts stay text", async () => {
  const daemon = await Daemon.start("[limits]\nmessages_per_second = 0", true);
  const address = `http://127.0.0.1:${daemon.port}/`;
  const yuan = await Person.open(address);
  await yuan.join("yuan");
  for (const [index, name] of NAMES.entries()) {
    const evil = await Person.open(address);
    await evil.join(name);
    for (const text of index ? TEXTS.slice(0, 2) : TEXTS) {
      await evil.say(text);
      await yuan.sees(text);
    }
    await evil.say(`/msg yuan ${TEXTS[0]}`);
    await until("all names are listed", async () => (await yuan.names()).includes(name));
    assert.equal((await yuan.messages()).at(-1).who, name);
    await evil.say(`/name ${name}2`);
    await until("the new name is listed", async () => (await yuan.names()).includes(`${name}2`));
    await evil.say(`/msg ${name} hello`);
    assert.deepEqual(await evil.page.$$("#log img, #log script, #log iframe, #log svg, #log b, #log a"), []);
    await evil.leave();
  }
  // The server takes no name in which nothing can be seen, whoever sends it.
  for (const name of ["\uFEFF", "\u202Eevil", "yuan\u200B"]) {
    await yuan.page.evaluate((name) => new Promise((resolve) => {
      const other = new WebSocket(address("ws"), "hollerd.json");
      other.onopen = () => other.send(JSON.stringify({ type: "name", name }));
      other.onmessage = ({ data }) => { if (data.includes("bad_name")) resolve(other.close()); };
    }), name);
  }
  assert.deepEqual(await yuan.page.$$("#log :is(img, script, iframe, svg, b, a), #names :is(img, script, b)"), []);
  assert.equal((await yuan.notes()).filter((note) => note.includes("<img src=x onerror=alert(1)> joined")).length, 1);
  await yuan.leave();
});

test("the address stays text", async () => {
  const daemon = await Daemon.start("", true);
  const evil = encodeURIComponent("<img src=x onerror=alert(1)>");
  const yuan = await Person.open(`http://127.0.0.1:${daemon.port}/?room=${evil}&rooms=${evil},javascript:alert(2),lobby`, { allow: [REFUSED] });
  await yuan.page.fill("#name", "yuan");
  await yuan.page.press("#name", "Enter");
  await yuan.reads(/There is no such room/);
  assert.equal(await yuan.page.textContent("#welcome"), "<img src=x onerror=alert(1)>");
  for (const link of await yuan.page.$$eval("#rooms a", (links) => links.map(({ href }) => href))) {
    assert.ok(link.startsWith(`http://127.0.0.1:${daemon.port}/?room=`), link);
  }
  await yuan.leave();
});

test("the policy holds even where the page would not", async () => {
  const daemon = await Daemon.start("", true);
  const yuan = await Person.open(`http://127.0.0.1:${daemon.port}/`, { allow: [/policy|Content Security|Trusted|Refused|violates/i] });
  await yuan.join("yuan");
  const tried = await yuan.page.evaluate(async () => {
    const attempts = {
      markup: () => { document.body.innerHTML += "<img src=x onerror=\"window.done = 1\">"; },
      script: () => { document.body.append(Object.assign(document.createElement("script"), { text: "window.done = 1" })); },
      // Later, because what a test calls directly may do more than a page may.
      evaluation: () => new Promise((resolve, reject) => setTimeout(() => {
        try { resolve((0, eval)("window.done = 1")); } catch (error) { reject(error); }
      })),
      elsewhere: () => fetch("http://127.0.0.2:1/"),
      socket: () => new Promise((resolve, reject) => { new WebSocket("ws://127.0.0.2:1/").onerror = reject; }),
    };
    const outcomes = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      outcomes[name] = await Promise.resolve().then(attempt).then(() => "done", () => "refused");
    }
    return { ...outcomes, done: window.done ?? 0 };
  });
  assert.deepEqual(tried, { markup: "refused", script: "refused", evaluation: "refused", elsewhere: "refused", socket: "refused", done: 0 });
  assert.equal(plain(await yuan.page.textContent("#state")), "Connected");
  await yuan.leave();
});
