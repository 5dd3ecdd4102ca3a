// Two people who chat, and all that a page does for them while everything is well.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ADMIN, Daemon, token, until } from "./daemon.mjs";
import { closeBrowser, Person, plain } from "./person.mjs";

after(closeBrowser);
after(Daemon.endAll);

const address = (daemon, more = "") => `http://127.0.0.1:${daemon.port}/${more}#token=${token()}`;

test("two people chat", async () => {
  const daemon = await Daemon.start();
  const yuan = await Person.open(address(daemon));
  assert.equal(new URL(yuan.page.url()).hash, "", "the token stays in the address");
  await yuan.join("yuan");
  assert.equal(await yuan.page.textContent("#room"), "lobby");
  const alex = await Person.open(address(daemon));
  await alex.page.fill("#name", "yuan");
  await alex.page.press("#name", "Enter");
  await alex.reads(/Somebody here has this name already/);
  await alex.join("alex");
  await until("both see both", async () => (await yuan.names()).join() === "alex,yuan" && (await alex.names()).join() === "alex,yuan");
  assert.deepEqual(await yuan.notes(), ["alex joined"]);

  await yuan.say("good morning");
  await alex.sees("good morning");
  await alex.say("hi\nyuan ");
  await yuan.sees("hi\nyuan");
  assert.deepEqual(await yuan.messages(), [
    { who: "you", text: "good morning", own: true, private: false },
    { who: "alex", text: "hi\nyuan", own: false, private: false },
  ]);
  assert.deepEqual(await yuan.waiting(), []);
  assert.equal(await yuan.page.textContent("#log .own .mark"), "✓");
  // What one person says in one go stands together.
  await alex.say("how are you?");
  await yuan.sees("how are you?");
  assert.equal(await yuan.page.$$eval("#log .on", (items) => items.length), 1);
  assert.equal(await yuan.page.$$eval("#log .day", (items) => items.length), 1);

  await alex.say("/msg yuan just for you");
  await yuan.sees("just for you");
  assert.equal((await yuan.messages()).at(-1).private, true);
  assert.equal(plain(await alex.page.textContent("#log .private i")), "private, to yuan");
  await alex.say("/msg nobody hello");
  await until("a private message to nobody fails", async () => /Not sent: .*nobody/.test(await alex.page.textContent("#pending")));
  await alex.page.click("#pending button >> text=Discard");
  assert.deepEqual(await alex.waiting(), []);
  await alex.say("//help is a command");
  await yuan.sees("/help is a command");
  await alex.say("/help");
  await until("help", async () => (await alex.notes()).some((note) => note.includes("/msg NAME TEXT")));
  await alex.say("/nonsense");
  assert.equal(await alex.page.inputValue("#text"), "/nonsense", "what is no command is not thrown away");

  await alex.leave();
  await until("alex has left", async () => (await yuan.notes()).at(-1) === "alex left" && (await yuan.names()).join() === "yuan");
  await yuan.leave();
});

test("names change", async () => {
  const daemon = await Daemon.start();
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await yuan.join("yuan");
  await alex.join("alex");
  await alex.say("/name Alexandra");
  await until("the other one reads it", async () => (await yuan.notes()).some((note) => note.endsWith("alex is now Alexandra")));
  await yuan.page.click("#rename");
  await yuan.page.fill("#name", "Alexandra");
  await yuan.page.press("#name", "Enter");
  await yuan.reads(/has this name already/);
  await yuan.page.fill("#name", "Yüan 元");
  await yuan.page.press("#name", "Enter");
  await until("the new name", async () => (await alex.names()).join() === "Alexandra,Yüan 元");
  await yuan.page.waitForSelector("#chat", { state: "visible" });
  await alex.page.click("#names button");
  assert.equal(await alex.page.inputValue("#text"), '/msg "Yüan 元" ');
  await alex.page.keyboard.type("hello");
  await alex.page.keyboard.press("Enter");
  await yuan.sees("hello");
  await yuan.leave();
  await alex.leave();
});

test("a new name holds where nobody is told of it", async () => {
  const daemon = await Daemon.start("[chat]\nannounce_users = 0");
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await yuan.join("yuan");
  await alex.join("alex");
  const called = async (name) => {
    await until(`the page knows ${name}`, async () => (await yuan.names()).includes(name));
    assert.ok(!(await yuan.names()).includes("yuan"));
    await yuan.say(`I am ${name}`);
    await alex.sees(`I am ${name}`);
    assert.deepEqual([(await alex.messages()).at(-1).who, (await yuan.messages()).at(-1).own], [name, true]);
  };
  await yuan.say("/name Yüan");
  await called("Yüan");
  await yuan.page.click("#rename");
  await yuan.page.fill("#name", "元");
  await yuan.page.press("#name", "Enter");
  await yuan.page.waitForSelector("#chat", { state: "visible" });
  await called("元");
  // Two in one go, of which the second is refused.
  await yuan.page.evaluate(() => { submit("/name one"); submit("/name alex"); });
  await yuan.reads(/has this name already/);
  await yuan.page.keyboard.press("Escape");
  await called("one");
  await yuan.page.reload();
  await yuan.connected();
  await called("one");
  await until("what was said is our own", async () => (await yuan.messages()).slice(-2).every(({ own }) => own));
  await yuan.leave();
  await alex.leave();
});

test("a private message reaches whom it is for, whatever the name", async () => {
  const daemon = await Daemon.start();
  const yuan = await Person.open(address(daemon));
  await yuan.join("yuan");
  const names = ["bob", '"bob"', 'bob "the \\ one"', "bob\\"];
  const people = [];
  for (const name of names) {
    const person = await Person.open(address(daemon));
    await person.join(name);
    people.push(person);
  }
  for (const name of names) {
    await until("the name is listed", async () => (await yuan.names()).includes(name));
    await yuan.page.locator("#names button").filter({ has: yuan.page.getByText(name, { exact: true }) }).click();
    await yuan.page.keyboard.type(`for ${name}`);
    await yuan.page.keyboard.press("Enter");
  }
  await until("all are sent", async () => (await yuan.texts()).length === names.length && (await yuan.waiting()).length === 0);
  for (const [index, name] of names.entries()) {
    await people[index].sees(`for ${name}`);
    assert.deepEqual(await people[index].texts(), [`for ${name}`]);
    await people[index].leave();
  }
  await yuan.leave();
});

test("a reload loses nothing, and nobody is asked again", async () => {
  const daemon = await Daemon.start();
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await yuan.join("yuan");
  await alex.join("alex");
  await yuan.say("one");
  await alex.say("two");
  await yuan.sees("two");
  await alex.page.reload();
  await alex.connected();
  await alex.say("three");
  await yuan.sees("three");
  await until("what was there", async () => (await alex.texts()).join() === "one,two,three");
  assert.deepEqual((await yuan.texts()), ["one", "two", "three"]);
  await until("the name is not lost either", async () => (await yuan.names()).join() === "alex,yuan");
  // Who leaves on purpose is asked again.
  await alex.page.click("#leave");
  await alex.page.waitForSelector("#door", { state: "visible" });
  await until("alex has left", async () => (await yuan.names()).join() === "yuan");
  await alex.join("alex");
  await until("the history", async () => (await alex.texts()).join() === "one,two,three");
  await yuan.leave();
  await alex.leave();
});

test("rooms are in the address", async () => {
  const daemon = await Daemon.start();
  const yuan = await Person.open(address(daemon, "?room=dev&rooms=lobby,dev"));
  assert.equal(await yuan.page.textContent("#welcome"), "dev");
  await yuan.join("yuan");
  assert.equal(await yuan.page.textContent("#room"), "dev");
  assert.equal(await yuan.page.title(), "dev – hollerd");
  const alex = await Person.open(address(daemon));
  await alex.join("alex");
  await alex.say("not for dev");
  await yuan.page.click("#rooms a >> text=lobby");
  await yuan.page.waitForURL(/room=lobby/);
  await yuan.join("yuan");
  await yuan.sees("not for dev");
  assert.equal(await yuan.page.getAttribute("#rooms a >> text=lobby", "aria-current"), "page");
  await yuan.leave();
  await alex.leave();
});

test("the title counts what was not seen, and the button what is further down", async () => {
  const daemon = await Daemon.start("[limits]\nmessages_per_second = 0");
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await yuan.join("yuan");
  await alex.join("alex");
  // Two pages of one browser both believe that somebody looks at them.
  await yuan.page.evaluate(() => { document.hasFocus = () => false; });
  for (let number = 1; number <= 30; number += 1) await alex.say(`message ${number}`);
  await yuan.sees("message 30");
  assert.equal(await yuan.page.title(), "(30) lobby – hollerd");
  await yuan.page.evaluate(() => { delete document.hasFocus; dispatchEvent(new Event("focus")); });
  assert.equal(await yuan.page.title(), "lobby – hollerd");
  const atEnd = () => yuan.page.$eval("#view", (view) => view.scrollHeight - view.scrollTop - view.clientHeight < 2);
  await until("it follows", atEnd);
  assert.equal(await yuan.page.isVisible("#newest"), false);
  // As when a keyboard comes up on the screen.
  await yuan.page.setViewportSize({ width: 390, height: 360 });
  await until("it still is at the end", atEnd);
  assert.equal(await yuan.page.isVisible("#newest"), false);
  await yuan.page.$eval("#view", (view) => { view.scrollTop = 100; });
  await yuan.page.waitForSelector("#newest", { state: "visible" });
  await alex.say("one more");
  await yuan.sees("one more");
  assert.equal(await yuan.page.$eval("#view", (view) => view.scrollTop), 100, "who reads further up is left there");
  assert.equal(plain(await yuan.page.textContent("#newest")), "New messages: 1 ↓");
  await yuan.page.click("#newest");
  await until("it is at the end", atEnd);
  assert.equal(await yuan.page.evaluate(() => document.activeElement.id), "text");
  await yuan.leave();
  await alex.leave();
});

test("thousands of messages do not make it slow", async () => {
  const daemon = await Daemon.start("[limits]\nmessages_per_second = 0\n[history]\nmessages = 5000\nbytes = \"512KiB\"");
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await yuan.join("yuan");
  await alex.join("alex");
  const count = 5000;
  await alex.page.evaluate((count) => {
    for (let number = 1; number <= count; number += 1) send({ type: "say", text: `message ${number} of a crowd that has much to say` });
  }, count);
  await until("the last one", async () => (await yuan.texts()).at(-1)?.startsWith(`message ${count} `), 60_000);
  const texts = await yuan.texts();
  assert.ok(texts.length <= 600 && texts.length >= 400, `${texts.length} are kept`);
  texts.forEach((text, index) => assert.ok(text.startsWith(`message ${count - texts.length + 1 + index} `), text));
  assert.ok(await yuan.page.$eval("#view", (view) => view.scrollHeight - view.scrollTop - view.clientHeight < 2), "it does not follow");
  // A message of our own is on the screen with the next frame.
  const slowest = await yuan.page.evaluate(async () => {
    const started = performance.now();
    post("quick");
    await new Promise(requestAnimationFrame);
    return performance.now() - started;
  });
  assert.ok(slowest < 500, `${slowest} ms`);
  assert.ok(!(await yuan.page.textContent("#heard")).includes("message 17 "), "a crowd is not read out");
  await yuan.leave();
  await alex.leave();
});

test("a word of the server is seen, heard, and nobody's", async () => {
  const daemon = await Daemon.start(ADMIN);
  const tell = (text) => daemon.admin("POST", "/v1/rooms/lobby/messages", text);
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await yuan.join("yuan");
  await alex.join("undefined");
  await alex.say("hello");
  await tell("maintenance\nat noon");
  await yuan.sees("maintenance\nat noon");
  await until("it is read out", async () => (await yuan.page.textContent("#heard")).includes("The server: maintenance\nat noon"));
  await tell("or later");
  await yuan.sees("or later");
  await alex.say("fine");
  const seen = async () => (await yuan.messages()).map(({ who, text }) => `${who}: ${text}`).join();
  const all = "undefined: hello,The server: maintenance\nat noon,The server: or later,undefined: fine";
  await until("all is there", async () => (await seen()) === all);
  // Again to who comes back.
  await yuan.page.reload();
  await yuan.connected();
  await until("all is there again", async () => (await seen()) === all);
  const looks = await yuan.page.$$eval("#log .said", (items) => items.map((item) => [
    item.classList.contains("server"), item.classList.contains("on"), item.querySelector(".face").checkVisibility(), item.querySelector("time").checkVisibility(),
  ].map(Number).join("")));
  assert.deepEqual(looks, ["0011", "1001", "1001", "0011"]);
  await alex.leave();
  await yuan.leave();
});

test("it works by keyboard alone", async () => {
  const daemon = await Daemon.start();
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await alex.join("alex");
  const keys = yuan.page.keyboard;
  const focused = () => yuan.page.evaluate(() => document.activeElement.id);
  await until("the name is asked for", async () => (await focused()) === "name");
  await keys.type("yuan");
  await keys.press("Tab");
  assert.equal(await focused(), "enter");
  await keys.press("Enter");
  await yuan.connected();
  assert.equal(await focused(), "text");
  await keys.type("two");
  await keys.press("Shift+Enter");
  await keys.type("lines");
  await keys.press("Enter");
  await alex.sees("two\nlines");
  assert.equal(await yuan.page.inputValue("#text"), "");
  // Enter that ends the choice of a character is no message.
  await keys.type("你好");
  for (const more of [{ isComposing: true }, { keyCode: 229 }]) {
    await yuan.page.$eval("#text", (text, more) => text.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...more })), more);
  }
  assert.equal(await yuan.page.inputValue("#text"), "你好");
  await until("only one is said", async () => (await yuan.waiting()).length === 0 && (await yuan.texts()).join() === "two\nlines");
  await keys.press("Enter");
  await alex.sees("你好");
  await keys.press("Tab");
  assert.equal(await focused(), "send");
  await keys.press("Shift+Tab");
  await keys.press("Shift+Tab");
  assert.equal(await focused(), "view", "the messages can be scrolled by keyboard");
  await yuan.page.focus("#rename");
  await keys.press("Enter");
  assert.equal(await focused(), "name");
  await keys.press("Escape");
  assert.equal(await focused(), "text");
  await yuan.page.setViewportSize({ width: 360, height: 640 });
  await yuan.page.focus("#crowd");
  await keys.press("Enter");
  assert.equal(await focused(), "people");
  assert.equal(await yuan.page.getAttribute("#crowd", "aria-expanded"), "true");
  await keys.press("Escape");
  assert.equal(await focused(), "crowd");
  assert.equal(await yuan.page.isVisible("#people"), false);
  await yuan.leave();
  await alex.leave();
});

test("what is new is read out, and not more", async () => {
  const daemon = await Daemon.start();
  const [yuan, alex] = [await Person.open(address(daemon)), await Person.open(address(daemon))];
  await alex.join("alex");
  await alex.say("before");
  await yuan.join("yuan");
  await yuan.sees("before");
  assert.equal(await yuan.page.textContent("#status"), "Connected");
  await alex.say("hello");
  await until("one message", async () => (await yuan.page.textContent("#heard")) === "alex: hello");
  for (let number = 0; number < 6; number += 1) await alex.say(`burst ${number}`);
  await until("a number", async () => /^New messages: \d$/.test(plain(await yuan.page.textContent("#heard"))));
  await yuan.leave();
  await alex.leave();
});
