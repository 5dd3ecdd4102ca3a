// How it looks: light and dark, large and small, in two languages. With SHOTS=FOLDER the pictures are kept to be looked at.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ADMIN, Daemon, until } from "./daemon.mjs";
import { closeBrowser, LOST, Person, plain } from "./person.mjs";

after(closeBrowser);
after(Daemon.endAll);

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FORMS = {
  light: { colorScheme: "light", viewport: { width: 1000, height: 700 } },
  dark: { colorScheme: "dark", viewport: { width: 1000, height: 700 } },
  phone: { colorScheme: "light", viewport: { width: 320, height: 640 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, reducedMotion: "reduce" },
  night: { colorScheme: "dark", viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  "zh-TW": { colorScheme: "light", viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: "zh-TW" },
  contrast: { forcedColors: "active", viewport: { width: 1000, height: 700 } },
};

/** The picture, and what WCAG 2.2 AA has to say about it. */
async function look(person, name) {
  if (process.env.SHOTS) await person.page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
  const found = await person.page.evaluate(`${AXE}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] })`);
  assert.deepEqual(found.violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => html + failureSummary)]), [], name);
  const wide = await person.page.evaluate(() => [...document.querySelectorAll("body *")].filter((each) =>
    each.checkVisibility() && !each.closest(".unseen, .on .head, .own bdi") && each.getBoundingClientRect().right > innerWidth + 0.5).map((each) => each.outerHTML.slice(0, 100)));
  assert.deepEqual(wide, [], `${name}: wider than the window`);
}

for (const [form, options] of Object.entries(FORMS)) {
  test(form, async () => {
    const daemon = await Daemon.start(ADMIN, true);
    const address = `http://127.0.0.1:${daemon.port}/?room=dev&rooms=lobby,dev`;
    const alex = await Person.open(address, { allow: [LOST] });
    await alex.join("alex");
    const yuan = await Person.open(address, { ...options, allow: [LOST] });
    await look(yuan, `${form}-door`);
    await yuan.join("yuan");
    await look(yuan, `${form}-empty`);
    const mei = await Person.open(address, { allow: [LOST] });
    await mei.join("小美");
    await alex.say("Good morning! Did anybody look at last night's build?");
    await yuan.say("I did: it was green.");
    await yuan.say("The long tests took eleven minutes, most of it waiting for the slow reader to give up.");
    await mei.say("早安！大家好 👋");
    await alex.say("https://example.org/an-address-without-any-blank/" + "that-goes-on-and-on/".repeat(6));
    await mei.say("صباح الخير");
    await alex.say("/msg yuan shall we ship it after lunch?");
    await yuan.sees("shall we ship it after lunch?");
    await daemon.admin("POST", "/v1/rooms/dev/messages", "Maintenance at noon: ten minutes without chat.");
    await yuan.say("/msg alex yes\nlet us");
    await until("all is confirmed", async () => (await yuan.waiting()).length === 0);
    await yuan.page.waitForFunction(() => document.getElementById("names").childElementCount === 3);
    await look(yuan, `${form}-chat`);
    if (await yuan.page.isVisible("#crowd")) {
      await yuan.page.click("#crowd");
      await yuan.page.waitForFunction(() => document.getElementById("names").childElementCount === 3);
      await look(yuan, `${form}-people`);
      await yuan.page.click("#back");
    }
    await daemon.end();
    await yuan.page.waitForSelector("#trouble", { state: "visible" });
    await yuan.say("is anybody there?");
    await yuan.page.waitForTimeout(1_000);
    await look(yuan, `${form}-lost`);
    if (form === "zh-TW") await speaksChinese(yuan);
    else assert.equal(await yuan.page.getAttribute("html", "lang"), "en");
    for (const person of [alex, mei, yuan]) await person.leave();
  });
}

async function speaksChinese({ page }) {
  assert.equal(await page.getAttribute("html", "lang"), "zh-Hant");
  assert.equal(await page.textContent("#state"), "未連線");
  assert.match(plain(await page.textContent("#problem")), /(無法連上伺服器|連線中斷了)。 \d+ 秒後重新連線。/);
  assert.equal(await page.getAttribute("#text", "placeholder"), "輸入訊息");
  assert.equal(await page.getAttribute("#send", "aria-label"), "傳送");
  // Nothing of ours is left in English.
  const words = await page.evaluate(() => [...document.querySelectorAll("button, label, h2, [aria-label]:not(#view), .note, #hint, #empty")].flatMap((each) => [each.textContent, each.ariaLabel ?? ""]));
  const English = words.filter((text) => /[a-z]{3,}/.test(text.replace(/alex|yuan|lobby|dev|Enter|Shift|help/g, "")));
  assert.deepEqual(English, []);
}
