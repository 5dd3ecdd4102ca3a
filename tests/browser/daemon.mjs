// The real daemon, and what can stand between it and a browser.
import { execFileSync, spawn } from "node:child_process";
import { createHmac, randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = process.env.HOLLERD ?? "target/debug/hollerd";
const SECRET = "a secret that is long enough to sign the tokens of the tests with";

/** Configuration with which `daemon.admin` gets an answer. */
export const ADMIN = `[admin]\nlisten = "unix:FOLDER/admin"`;

/** Waits until `condition` gives something, and fails with `what` if it does not in time. */
export async function until(what, condition, patience = 20_000) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`this did not happen within ${patience} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that stays free when nobody listens there: the kernel gives none to clients that are so low. */
async function freePort() {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await new Promise((answer) => {
      server.once("listening", () => server.close(() => answer(true)));
      server.once("error", () => answer(false));
    });
    if (free) return port;
  }
}

/** A token of somebody who may come in, by default for an hour. */
export function token({ ttl = 3600, ...claims } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const message = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: Math.floor(Date.now() / 1000) + ttl, ...claims })}`;
  return `${message}.${createHmac("sha256", SECRET).update(message).digest("base64url")}`;
}

/** One daemon, which can be lost and started again on the same port. */
export class Daemon {
  static #all = new Set();

  #folder = mkdtempSync(join(tmpdir(), "hollerd-browser-"));
  #process = null;
  #scheme = "";
  log = "";
  port = 0;

  static async start(config = "", open = false) {
    return new Daemon().#setUp(config, open);
  }

  /** One that speaks nothing but TLS, with a certificate that nobody has signed. */
  static async secure() {
    const daemon = new Daemon();
    const [certificate, key] = ["pem", "key"].map((kind) => join(daemon.#folder, `tls.${kind}`));
    execFileSync("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(" "),
      "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
    ], { stdio: "ignore" });
    daemon.#scheme = "tls://";
    return daemon.#setUp(`[tls]\ncertificate = "${certificate}"\nkey = "${key}"`, false);
  }

  async #setUp(config, open) {
    writeFileSync(join(this.#folder, "secret"), SECRET);
    const auth = open ? `mode = "none"` : `jwt_keys = ["${join(this.#folder, "secret")}"]`;
    writeFileSync(join(this.#folder, "hollerd.toml"), `[auth]\n${auth}\n${config.replaceAll("FOLDER", this.#folder)}\n`);
    Daemon.#all.add(this);
    await this.begin();
    return this;
  }

  async begin() {
    this.port ||= await freePort();
    const listen = `${this.#scheme}127.0.0.1:${this.port}`;
    const child = spawn(BINARY, ["-c", join(this.#folder, "hollerd.toml"), "--listen", listen], { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    let printed = "";
    child.stdout.on("data", (data) => { printed += data; });
    child.stderr.on("data", (data) => { this.log += data; });
    await until(`the daemon listens\n${this.log}`, () => {
      if (child.exitCode !== null) throw new Error(`the daemon ended: ${this.log}`);
      return printed.includes(`listening on ${listen}`);
    });
  }

  /** What an administrator does. */
  async admin(method, path, body = "") {
    const headers = { "Content-Type": "text/plain" };
    const asked = request({ socketPath: join(this.#folder, "admin"), method, path: encodeURI(path), headers }).end(body);
    const [answer] = await once(asked, "response");
    answer.resume();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path} is answered with ${answer.statusCode}`);
  }

  /** Ends it by its own process id and waits until it is gone. */
  async end(signal = "SIGKILL") {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  static async endAll() {
    for (const daemon of Daemon.#all) {
      await daemon.end();
      rmSync(daemon.#folder, { recursive: true });
    }
    Daemon.#all.clear();
  }
}

/** A relay in front of a daemon, which passes bytes on until it is told to be a bad network. */
export class Relay {
  #server;
  #pairs = new Set();
  #deaf = false;
  port = 0;
  connections = 0;

  /** `rewrite` changes the bytes of a request's head. */
  static async start(daemon, rewrite) {
    const relay = new Relay();
    relay.#server = createServer((client) => {
      relay.connections += 1;
      const server = connect(daemon.port, "127.0.0.1");
      const pair = { client, server, mute: false };
      relay.#pairs.add(pair);
      const end = () => { client.destroy(); server.destroy(); relay.#pairs.delete(pair); };
      client.on("data", (data) => { if (!relay.#deaf) server.write(rewrite ? rewrite(data) : data); });
      server.on("data", (data) => { if (!relay.#deaf && !pair.mute) client.write(data); });
      for (const socket of [client, server]) socket.on("error", end).on("close", end);
    });
    relay.#server.listen(0, "127.0.0.1");
    // A test that fails does not close it, and must not wait for it either.
    relay.#server.unref();
    await once(relay.#server, "listening");
    relay.port = relay.#server.address().port;
    return relay;
  }

  /** From now on what the server says on these connections is lost; what the clients say is not. */
  mute() {
    for (const pair of this.#pairs) pair.mute = true;
  }

  /** Breaks all connections. */
  cut() {
    for (const { client, server } of [...this.#pairs]) { client.resetAndDestroy(); server.resetAndDestroy(); }
  }

  /** From now on nothing gets through, and nobody is told. */
  swallow(deaf = true) {
    this.#deaf = deaf;
  }

  close() {
    this.#server.close();
    for (const { client, server } of this.#pairs) { client.destroy(); server.destroy(); }
  }
}
