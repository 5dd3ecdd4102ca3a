// Makes the picture of the README: node tests/browser/picture.mjs && pngquant --force --strip --ext .png 96 dist/page.png
import { Daemon } from "./daemon.mjs";
import { closeBrowser, Person } from "./person.mjs";

const daemon = await Daemon.start("", true);
const address = `http://127.0.0.1:${daemon.port}/?room=kitchen`;
const desk = { viewport: { width: 860, height: 640 }, deviceScaleFactor: 1.5, colorScheme: "light" };
const phone = { viewport: { width: 320, height: 640 }, deviceScaleFactor: 1.5, colorScheme: "dark", isMobile: true, hasTouch: true };
const people = { alex: await Person.open(address), yuan: await Person.open(address, desk), 小美: await Person.open(address, phone) };
await people.alex.join("alex");
await people.小美.join("小美");
await people.yuan.join("yuan");
const said = [
  ["alex", "Who has the recipe of the dumplings?"],
  ["yuan", "小美 has. Hers are the best."],
  ["小美", "早安！等我一下，我找找看 🥟"],
  ["小美", "500 g flour, 250 ml water. The rest is patience."],
  ["alex", "thank you!"],
  ["yuan", "I bring the vinegar.\nSix o'clock?"],
];
for (const [name, text] of said) {
  await people[name].say(text);
  for (const person of Object.values(people)) await person.sees(text);
}
await people.yuan.page.waitForFunction(() => document.getElementById("names").childElementCount === 3);
const shot = async ({ page }) => `data:image/png;base64,${(await page.screenshot()).toString("base64")}`;
const [large, small] = [await shot(people.yuan), await shot(people.小美)];
for (const person of Object.values(people)) await person.leave();
await Daemon.endAll();

const frame = await Person.open("about:blank", { viewport: { width: 1228, height: 680 }, deviceScaleFactor: 1.5 });
await frame.page.setContent(`<style>
  body { margin: 0; display: flex; gap: 16px; padding: 16px; background: #fff0 }
  img { height: 640px; border-radius: 14px; box-shadow: 0 0 0 1px #8884, 0 2px 12px #0002 }
</style><img src="${large}"><img src="${small}">`);
await frame.page.screenshot({ path: "dist/page.png", omitBackground: true });
await closeBrowser();
