// A person with a browser. Whatever the page should not do while somebody uses it fails the test.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { until } from "./daemon.mjs";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
let browser = null;

/** What a browser writes into its console when there is no server, or one that refuses; the page says it in words. */
export const LOST = /WebSocket connection to .* failed|Failed to load resource: net::ERR_/;
export const REFUSED = /the server responded with a status of (400|401|403|503)|WebSocket connection to .* failed/;

export async function closeBrowser() {
  await browser?.close();
}

/** Characters that keep a name from turning the sentence around it. */
export const plain = (text) => (text ?? "").replace(/[\u2068\u2069]/g, "");

export class Person {
  complaints = [];

  /** A fresh browser profile that opens `url`. `allow` are complaints of the browser that belong to the test. */
  static async open(url, { allow = [], ...options } = {}) {
    browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
    const context = await browser.newContext({ locale: "en-GB", ...options });
    await context.addInitScript(() => addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      console.error("policy violation", violatedDirective, blockedURI);
    }));
    const person = new Person();
    person.context = context;
    person.allow = allow;
    const page = await context.newPage();
    person.watch(page, new URL(url).host);
    await page.goto(url);
    return person;
  }

  watch(page, host) {
    this.page = page;
    page.setDefaultTimeout(20_000);
    const complain = (text) => { if (!this.allow.some((known) => known.test(text))) this.complaints.push(text); };
    page.on("console", (message) => complain(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complain(`error: ${error.stack}`));
    page.on("dialog", (dialog) => { complain(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    const near = (address) => { if (!address.startsWith("data:") && new URL(address).host !== host) complain(`request to ${address}`); };
    page.on("request", (request) => near(request.url()));
    page.on("websocket", (socket) => near(socket.url()));
  }

  async join(name) {
    await this.page.fill("#name", name);
    await this.page.press("#name", "Enter");
    await this.page.waitForSelector("#chat", { state: "visible" });
    await this.connected();
  }

  async connected() {
    await until("it is connected", () => this.page.evaluate(() => document.getElementById("state").className === "good"));
  }

  async say(text) {
    await this.page.fill("#text", text);
    await this.page.press("#text", "Enter");
  }

  /** All messages that have their place: who, what, and whether it is our own. */
  async messages() {
    const found = await this.page.$$eval("#log .said", (items) => items.map((item) => ({
      who: item.querySelector("bdi").textContent,
      text: item.querySelector(".text").textContent,
      own: item.classList.contains("own"),
      private: item.classList.contains("private"),
    })));
    return found;
  }

  async texts() {
    return (await this.messages()).map(({ text }) => text);
  }

  async sees(text) {
    await until(`"${text}" is seen`, async () => (await this.texts()).includes(text));
  }

  /** What is said and not confirmed. */
  async waiting() {
    return this.page.$$eval("#pending .said", (items) => items.map((item) => item.querySelector(".text").textContent));
  }

  async notes() {
    return (await this.page.$$eval("#log .note", (items) => items.map((item) => item.textContent))).map(plain);
  }

  async names() {
    return this.page.$$eval("#names bdi", (items) => items.map((item) => item.textContent));
  }

  /** The words about what is wrong, wherever they are shown just now. */
  async trouble() {
    const shown = await this.page.evaluate(() => {
      const said = [document.getElementById("why"), document.getElementById("problem")].filter((each) => each.checkVisibility());
      return said.map((each) => each.textContent).join(" ");
    });
    return plain(shown);
  }

  async reads(pattern) {
    let trouble = "";
    try {
      await until("", async () => pattern.test(trouble = await this.trouble()));
    } catch {
      assert.match(trouble, pattern);
    }
  }

  async leave() {
    await this.context.close();
    assert.deepEqual(this.complaints, [], "the browser complained");
  }
}
